package store

import (
	"slices"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"orderly.example/orderly/internal/fault"
)

// liteVFS names SQLite's own way to files (sqlite.org/vfs.html) with two differences. What a transaction adds to the write-ahead
// log leaves in one piece: SQLite writes each page in two, a head and the page, and a group of events changes some hundred pages
// or a thousand, so that these calls were half of a commit's processor time. And what is carried from the log into the file is brought to
// the disk a little at a time: the disk has the log's next commits to take meanwhile. The writer and the keeper use it.
const liteVFS = "orderly"

// liteFile is a database or its write-ahead log that is open.
type liteFile struct {
	under    *sqlite3.Tsqlite3_io_methods // SQLite's own
	unsynced int                          // pages written to a database since it was brought to the disk

	// What is added at the end of a log is gathered until the last page of a transaction, which is before SQLite tells anybody
	// of it, or until anything else is done with the file. What is written elsewhere is written at once. A
	// process that ends meanwhile leaves a transaction that nobody was told of.
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

var liteFiles struct {
	sync.RWMutex
	plain   *sqlite3.Tsqlite3_vfs // SQLite's own
	open    map[uintptr]*liteFile
	methods map[methodsOf]uintptr
}

// methodsOf a kind of file are SQLite's own with ours in the place of some.
type methodsOf struct {
	under uintptr
	log   bool
}

// registerVFS makes liteVFS known to SQLite.
var registerVFS = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	defer tls.Close()
	plain := sqlite3.Xsqlite3_vfs_find(tls, 0)
	name, err := libc.CString(liteVFS)
	own := sqlite3.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	if plain == 0 || err != nil || own == 0 {
		return fault.New(fault.Internal, "store.registerVFS", "SQLite has no way to files")
	}
	liteFiles.plain = at[sqlite3.Tsqlite3_vfs](plain)
	liteFiles.open, liteFiles.methods = map[uintptr]*liteFile{}, map[methodsOf]uintptr{}
	v := at[sqlite3.Tsqlite3_vfs](own)
	*v = *liteFiles.plain
	v.FpNext, v.FzName, v.FxOpen = 0, name, address[openFunc](openFile)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, own, 0); rc != sqlite3.SQLITE_OK {
		return fault.New(fault.Internal, "store.registerVFS", "SQLite refused a way to files (%d)", rc)
	}
	return nil
})

// at is what stands at an address of SQLite's memory, which is outside of Go's heap and is never moved.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// function is what a pointer to a function in SQLite's memory calls; address is such a pointer.
func function[F any](pointer uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{pointer})) }

func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// openFile opens a file as SQLite does; a database and a log get methods of ours.
func openFile(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	plain := liteFiles.plain
	rc := function[openFunc](plain.FxOpen)(tls, address(plain), name, file, flags, outFlags)
	isLog := flags&sqlite3.SQLITE_OPEN_WAL != 0
	if rc != sqlite3.SQLITE_OK || !isLog && flags&sqlite3.SQLITE_OPEN_MAIN_DB == 0 {
		return rc
	}
	f := at[sqlite3.Tsqlite3_file](file)
	l := &liteFile{under: at[sqlite3.Tsqlite3_io_methods](f.FpMethods)}
	liteFiles.Lock()
	defer liteFiles.Unlock()
	own := liteMethods(tls, methodsOf{f.FpMethods, isLog})
	if own != 0 && isLog {
		l.mem = sqlite3.Xsqlite3_malloc(tls, logMemory)
	}
	if own == 0 || isLog && l.mem == 0 {
		return rc // without memory, it is SQLite's own file
	}
	liteFiles.open[file] = l
	f.FpMethods = own
	return rc
}

// liteMethods are made once for each kind of file; 0 without memory.
func liteMethods(tls *libc.TLS, of methodsOf) uintptr {
	own, ok := liteFiles.methods[of]
	if ok {
		return own
	}
	if own = sqlite3.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(sqlite3.Tsqlite3_io_methods{}))); own == 0 {
		return 0
	}
	m := at[sqlite3.Tsqlite3_io_methods](own)
	*m = *at[sqlite3.Tsqlite3_io_methods](of.under)
	m.FxClose = address[closeFunc](closeLite)
	if of.log {
		m.FxRead, m.FxWrite, m.FxTruncate = address[moveFunc](readLog), address[moveFunc](writeLog), address[cutFunc](cutLog)
		m.FxSync, m.FxFileSize = address[syncFunc](syncLog), address[sizeFunc](sizeLog)
	} else {
		m.FxWrite = address[moveFunc](writeMain)
	}
	liteFiles.methods[of] = own
	return own
}

func openedLite(file uintptr) *liteFile {
	liteFiles.RLock()
	defer liteFiles.RUnlock()
	return liteFiles.open[file]
}

// writeMain writes a page of a database, and brings what was written to the disk when it is not little any more.
func writeMain(tls *libc.TLS, file, mem uintptr, n int32, off int64) int32 {
	l := openedLite(file)
	rc := function[moveFunc](l.under.FxWrite)(tls, file, mem, n, off)
	if l.unsynced++; rc == sqlite3.SQLITE_OK && l.unsynced >= littlePages {
		l.unsynced = 0
		rc = function[syncFunc](l.under.FxSync)(tls, file, sqlite3.SQLITE_SYNC_NORMAL)
	}
	return rc
}

func writeLog(tls *libc.TLS, file, mem uintptr, n int32, off int64) int32 {
	l := openedLite(file)
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
func (l *liteFile) flush(tls *libc.TLS, file uintptr) int32 {
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
	l := openedLite(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[moveFunc](l.under.FxRead)(tls, file, mem, n, off)
}

func cutLog(tls *libc.TLS, file uintptr, size int64) int32 {
	l := openedLite(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[cutFunc](l.under.FxTruncate)(tls, file, size)
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	l := openedLite(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[syncFunc](l.under.FxSync)(tls, file, flags)
}

func sizeLog(tls *libc.TLS, file, size uintptr) int32 {
	l := openedLite(file)
	if rc := l.flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[sizeFunc](l.under.FxFileSize)(tls, file, size)
}

func closeLite(tls *libc.TLS, file uintptr) int32 {
	l := openedLite(file)
	written := l.flush(tls, file)
	sqlite3.Xsqlite3_free(tls, l.mem)
	liteFiles.Lock()
	delete(liteFiles.open, file)
	liteFiles.Unlock()
	if rc := function[closeFunc](l.under.FxClose)(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return written
}
