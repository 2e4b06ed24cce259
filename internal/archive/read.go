package archive

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// Dir is a folder of archived events. It is safe for concurrent use.
type Dir struct {
	path  string
	files map[string]File

	mu   sync.Mutex
	open map[string]*reader
}

// Open reads the manifest of a folder. That there is none is an empty archive.
func Open(path string) (*Dir, error) {
	d := &Dir{path: path, open: map[string]*reader{}}
	return d, d.load()
}

// load reads the manifest.
func (d *Dir) load() error {
	files, err := readManifest(d.path)
	if err != nil {
		return err
	}
	d.files = map[string]File{}
	for _, f := range files {
		if f.Name == "" || strings.ContainsAny(f.Name, `/\`) || len(f.Blocks) == 0 {
			return fault.New(fault.Invalid, "archive.Open", "the manifest in %s names a file %q that cannot be one", d.path, f.Name)
		}
		d.files[f.Name] = f
	}
	return nil
}

// Close closes the files.
func (d *Dir) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.open {
		r.close()
	}
	clear(d.open)
}

// file opens a file of the archive and checks it, once.
func (d *Dir) file(name string) (*reader, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r := d.open[name]; r != nil {
		return r, nil
	}
	f, ok := d.files[name]
	if !ok { // it may have come since
		if err := d.load(); err != nil {
			return nil, err
		}
		f, ok = d.files[name]
	}
	if !ok {
		return nil, fault.New(fault.NotFound, "archive", "the reasons of old events are in the file %s, which the archive in %s does not have; name its folder with --archive-dir", name+ending, d.path)
	}
	r, err := openFile(filepath.Join(d.path, name+ending), f)
	if err == nil {
		d.open[name] = r
	}
	return r, err
}

// Fill gives rows of the history their facts and traces back. name is the file, rows are of this file and ascending.
func (d *Dir) Fill(name string, rows []*store.HistoryRow) error {
	r, err := d.file(name)
	if err != nil {
		return err
	}
	for len(rows) > 0 {
		i := sort.Search(len(r.f.Blocks), func(i int) bool { return r.f.Blocks[i].Seq > rows[0].Seq }) - 1
		if i < 0 {
			return r.lacks(rows[0])
		}
		events, err := r.block(i)
		if err != nil {
			return err
		}
		k := 0
		for ; len(rows) > 0 && (i+1 == len(r.f.Blocks) || rows[0].Seq < r.f.Blocks[i+1].Seq); rows = rows[1:] {
			for k < len(events) && events[k].Seq < rows[0].Seq {
				k++
			}
			if k == len(events) || events[k].ID != rows[0].ID {
				return r.lacks(rows[0])
			}
			rows[0].Facts, rows[0].Trace = events[k].Facts, events[k].Trace
		}
	}
	return nil
}

// Reasons returns the facts and the trace of one event.
func (d *Dir) Reasons(name string, seq int64, id string) (facts, trace string, err error) {
	row := store.HistoryRow{Seq: seq, ID: id}
	err = d.Fill(name, []*store.HistoryRow{&row})
	return row.Facts, row.Trace, err
}

// reader reads the blocks of one file. The last ones are kept: they are asked for by several at once.
type reader struct {
	path string
	f    File
	file *os.File

	mu   sync.Mutex
	last map[int][]store.ArchivedEvent
}

func (r *reader) lacks(row *store.HistoryRow) error {
	return fault.New(fault.Invalid, "archive", "the file %s does not have event %s; it is not the one that was archived", r.path, row.ID)
}

func (r *reader) close() { _ = r.file.Close() } // it was only read

// openFile opens a file and compares it with what the manifest says.
func openFile(path string, f File) (*reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "archive", "the file %s cannot be read", path)
	}
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err == nil && (n != f.Bytes || hex.EncodeToString(h.Sum(nil)) != f.SHA256) {
		err = fault.New(fault.Invalid, "archive", "the file %s is damaged: it has not the checksum of the manifest; bring it back from a backup", path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &reader{path: path, f: f, file: file, last: map[int][]store.ArchivedEvent{}}, nil
}

// keptBlocks is how many blocks of a file are kept in memory.
const keptBlocks = 8

// block reads the events of a block.
func (r *reader) block(i int) ([]store.ArchivedEvent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if events, ok := r.last[i]; ok {
		return events, nil
	}
	end := r.f.Bytes
	if i+1 < len(r.f.Blocks) {
		end = r.f.Blocks[i+1].At
	}
	events, err := decode(io.NewSectionReader(r.file, r.f.Blocks[i].At, end-r.f.Blocks[i].At))
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "archive", "the file %s is damaged; bring it back from a backup", r.path)
	}
	for k := range r.last {
		if len(r.last) >= keptBlocks {
			delete(r.last, k)
		}
	}
	r.last[i] = events
	return events, nil
}

// maxBlock bounds what a block may unpack to: 500 events of the largest kind.
const maxBlock = 1 << 30

// decode reads the events of one block.
func decode(in io.Reader) ([]store.ArchivedEvent, error) {
	gz, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(io.LimitReader(gz, maxBlock))
	var out []store.ArchivedEvent
	for {
		var e store.ArchivedEvent
		err := dec.Decode(&e)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
}
