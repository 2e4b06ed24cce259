package store

import (
	"slices"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"orderly.example/orderly/internal/fault"
)

// logVFS names SQLite's own way to files (sqlite.org/vfs.html) with one difference: what a transaction adds to the write-ahead log
// leaves in one piece. SQLite writes each page in two, a head and the page, and a group of events changes some hundred pages or
// a thousand: the calls into the system were a third of a commit's time. The writer's connection uses it.
const logVFS = "orderly"

// logFile is a write-ahead log that is open. What is added at its end is gathered until the last page of a transaction, which is
// before SQLite tells anybody of it, or until anything else is done with the file. What is written
// elsewhere is written at once. A process that ends meanwhile leaves a transaction that was never told of.
type logFile struct {
	under *sqlite3.Tsqlite3_io_methods
	mem   uintptr // logMemory bytes outside of Go's heap, of which n are gathered, to be written at start
	n     int
	start int64
	end   int64 // where the log ends, with what is gathered
	last  bool  // the head of a transaction's last page came: the page follows
}

const (
	logMemory  = 120 << 10 // SQLite writes less than 128 KiB at a time
	frameHead  = 24        // bytes before a page; the second four are not zero before the last page of a transaction
	headMarker = 4
)

// The functions of sqlite3_vfs and sqlite3_io_methods that are called or replaced.
type (
	openFunc  = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	closeFunc = func(tls *libc.TLS, file uintptr) int32
	moveFunc  = func(tls *libc.TLS, file, mem uintptr, n int32, at int64) int32 // xRead, xWrite
	cutFunc   = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc  = func(tls *libc.TLS, file uintptr, flags int32) int32
	sizeFunc  = func(tls *libc.TLS, file, size uintptr) int32
)

var logFiles struct {
	sync.RWMutex
	plain   *sqlite3.Tsqlite3_vfs // SQLite's own
	open    map[uintptr]*logFile
	methods map[uintptr]uintptr // SQLite's own for a kind of file, and ours
}

// registerLogVFS makes logVFS known to SQLite.
var registerLogVFS = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	plain := sqlite3.Xsqlite3_vfs_find(tls, 0)
	name, err := libc.CString(logVFS)
	own := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	if plain == 0 || err != nil || own == 0 {
		return fault.New(fault.Internal, "store.registerLogVFS", "SQLite has no way to files")
	}
	logFiles.plain = at[sqlite3.Tsqlite3_vfs](plain)
	logFiles.open, logFiles.methods = map[uintptr]*logFile{}, map[uintptr]uintptr{}
	v := at[sqlite3.Tsqlite3_vfs](own)
	*v = *logFiles.plain
	v.FpNext, v.FzName, v.FxOpen = 0, name, address(openFunc(openLog))
	if rc := sqlite3.Xsqlite3_vfs_register(tls, own, 0); rc != sqlite3.SQLITE_OK {
		return fault.New(fault.Internal, "store.registerLogVFS", "SQLite refused a way to files (%d)", rc)
	}
	return nil
})

// at is what stands at an address of SQLite's memory, which is outside of Go's heap and is never moved.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is what a pointer to a function in SQLite's memory calls; address is such a pointer.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{pointer})) }

func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

func openLog(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	plain := logFiles.plain
	rc := function[openFunc](plain.FxOpen)(tls, address(plain), name, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	mem := libc.Xmalloc(tls, logMemory)
	if mem == 0 {
		return rc // it is written as it comes
	}
	f := at[sqlite3.Tsqlite3_file](file)
	logFiles.Lock()
	defer logFiles.Unlock()
	logFiles.open[file] = &logFile{under: at[sqlite3.Tsqlite3_io_methods](f.FpMethods), mem: mem}
	own, ok := logFiles.methods[f.FpMethods]
	if !ok {
		if own = libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{}))); own == 0 {
			delete(logFiles.open, file)
			libc.Xfree(tls, mem)
			return rc
		}
		m := at[sqlite3.Tsqlite3_io_methods](own)
		*m = *at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		m.FxClose, m.FxRead, m.FxWrite = address(closeFunc(closeLog)), address(moveFunc(readLog)), address(moveFunc(writeLog))
		m.FxTruncate, m.FxSync, m.FxFileSize = address(cutFunc(cutLog)), address(syncFunc(syncLog)), address(sizeFunc(sizeLog))
		logFiles.methods[f.FpMethods] = own
	}
	f.FpMethods = own
	return rc
}

func openedLog(file uintptr) *logFile {
	logFiles.RLock()
	defer logFiles.RUnlock()
	return logFiles.open[file]
}

func writeLog(tls *libc.TLS, file, mem uintptr, n int32, off int64) int32 {
	l := openedLog(file)
	through := off < l.end || off == 0 || n > logMemory
	if through || l.n > 0 && off != l.end || l.n+int(n) > logMemory {
		if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if through {
		if off == 0 { // the log begins anew
			l.end = 0
		}
		l.end = max(l.end, off+int64(n))
		return function[moveFunc](l.under.FxWrite)(tls, file, mem, n, off)
	}
	if l.n == 0 {
		l.start = off
	}
	from := unsafe.Slice(at[byte](mem), n)
	l.n += copy(unsafe.Slice(at[byte](l.mem), logMemory)[l.n:], from)
	l.end = off + int64(n)
	complete := l.last
	l.last = n == frameHead && !slices.Equal(from[headMarker:2*headMarker], make([]byte, headMarker))
	if complete {
		return l.flush(tls, file)
	}
	return sqlite3.SQLITE_OK
}

// flush writes what is gathered. When that fails, so does the call of SQLite's that led to it, and with it the transaction.
func (l *logFile) flush(tls *libc.TLS, file uintptr) int32 {
	n := l.n
	if n == 0 {
		return sqlite3.SQLITE_OK
	}
	l.n = 0
	rc := function[moveFunc](l.under.FxWrite)(tls, file, l.mem, int32(n), l.start)
	if rc != sqlite3.SQLITE_OK {
		l.end = l.start
	}
	return rc
}

func readLog(tls *libc.TLS, file, mem uintptr, n int32, off int64) int32 {
	l := openedLog(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[moveFunc](l.under.FxRead)(tls, file, mem, n, off)
}

func cutLog(tls *libc.TLS, file uintptr, size int64) int32 {
	l := openedLog(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[cutFunc](l.under.FxTruncate)(tls, file, size)
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	l := openedLog(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[syncFunc](l.under.FxSync)(tls, file, flags)
}

func sizeLog(tls *libc.TLS, file, size uintptr) int32 {
	l := openedLog(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[sizeFunc](l.under.FxFileSize)(tls, file, size)
}

func closeLog(tls *libc.TLS, file uintptr) int32 {
	l := openedLog(file)
	written := l.flush(tls, file)
	libc.Xfree(tls, l.mem)
	logFiles.Lock()
	delete(logFiles.open, file)
	logFiles.Unlock()
	if rc := function[closeFunc](l.under.FxClose)(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return written
}
