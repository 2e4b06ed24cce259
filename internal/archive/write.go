package archive

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

const (
	ending   = ".ndjson.gz"
	manifest = "manifest.json"
	// blockEvents is how many events a member of a file holds, and how many rows one commit makes slim.
	blockEvents = 500
)

// File is what the manifest says of a file.
type File struct {
	Name   string  `json:"name"`
	First  int64   `json:"first_seq"`
	Last   int64   `json:"last_seq"`
	Events int64   `json:"events"`
	Bytes  int64   `json:"bytes"`
	SHA256 string  `json:"sha256"`
	Blocks []Block `json:"blocks"`
}

// Block is one gzip member of a file.
type Block struct {
	Seq int64 `json:"seq"` // of its first event
	At  int64 `json:"at"`  // where it begins, in bytes
}

// DB is a store as archiving uses it.
type DB interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
	Update(ctx context.Context, fn func(*store.Tx) error) error
}

// Run archives whole months, in UTC, that ended before a time, and returns the files it wrote. What an
// earlier run was broken off with is brought to its end first. tell is told of every file; it may be nil.
func Run(ctx context.Context, db DB, dir string, before time.Time, tell func(File)) ([]File, error) {
	before = before.UTC()
	before = time.Date(before.Year(), before.Month(), 1, 0, 0, 0, 0, time.UTC)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "archive.Run", "the folder %s cannot be made", dir)
	}
	var known []store.Archive
	if err := db.View(ctx, func(tx *store.Tx) (err error) { known, err = tx.Archives(); return err }); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	after := int64(-1)
	for _, a := range known {
		names[a.Name] = true
		if !a.Slim {
			if err := slim(ctx, db, dir, a); err != nil {
				return nil, err
			}
		}
	}
	var out []File
	for {
		f, err := write(ctx, db, dir, names, after, before)
		if err != nil || f == nil {
			return out, err
		}
		a := store.Archive{Name: f.Name, First: f.First, Last: f.Last, Events: f.Events, Bytes: f.Bytes, SHA256: f.SHA256}
		if err := db.Update(ctx, func(tx *store.Tx) error { return tx.PutArchive(a) }); err != nil {
			return out, err
		}
		if err := slim(ctx, db, dir, a); err != nil {
			return out, err
		}
		names[f.Name], after = true, f.Last
		out = append(out, *f)
		if tell != nil {
			tell(*f)
		}
	}
}

// month names the file of an event.
func month(received int64) string { return time.UnixMicro(received).UTC().Format("2006-01") }

// write makes the file of the oldest month that is in no file; nil when there is none.
func write(ctx context.Context, db DB, dir string, names map[string]bool, after int64, before time.Time) (_ *File, err error) {
	tmp, err := os.CreateTemp(dir, "unfinished-*")
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "archive.Run", "no file can be written in %s", dir)
	}
	defer func() {
		_ = tmp.Close()
		if rm := os.Remove(tmp.Name()); err == nil && !errors.Is(rm, fs.ErrNotExist) {
			err = rm
		}
	}()
	w := &writer{out: tmp, hash: sha256.New()}
	of := ""
	err = db.View(ctx, func(tx *store.Tx) error {
		return tx.ToArchive(after, before, func(e store.ArchivedEvent) (bool, error) {
			m := month(e.Received)
			if of == "" {
				of = m
			}
			// Nodes' clocks differ a little at the turn of the month: what is late goes with the later month.
			if m > of {
				return false, nil
			}
			return true, w.add(e)
		})
	})
	if err == nil {
		err = w.end()
	}
	if err != nil || w.f.Events == 0 {
		return nil, err
	}
	f := &w.f
	f.Name, f.SHA256 = of, hex.EncodeToString(w.hash.Sum(nil))
	for n := 2; names[f.Name]; n++ {
		f.Name = of + "." + string(rune('0'+n)) // rows that were decided late, after the month's file was written
		if n == 9 {
			return nil, fault.New(fault.Internal, "archive.Run", "the month %s has been archived in nine parts; something writes into the past", of)
		}
	}
	if err := tmp.Sync(); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "archive.Run", "%s could not be brought to disk; nothing was changed", tmp.Name())
	}
	if err := verify(ctx, db, tmp.Name(), *f); err != nil {
		return nil, err
	}
	// A file of this name that event_archive does not know is of a run that was broken off: nothing depends on it.
	if err := os.Rename(tmp.Name(), filepath.Join(dir, f.Name+ending)); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "archive.Run", "the file of %s could not be named", f.Name)
	}
	return f, putManifest(dir, *f)
}

// writer writes events in blocks.
type writer struct {
	out  *os.File
	hash interface {
		io.Writer
		Sum(b []byte) []byte
	}
	f  File
	gz *gzip.Writer
	n  int // in the block
}

// Write implements io.Writer for the compressed bytes.
func (w *writer) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	_, _ = w.hash.Write(p[:n]) // never fails
	w.f.Bytes += int64(n)
	if err != nil {
		err = fault.Wrap(err, fault.Unavailable, "archive.Run", "%s could not be written; nothing was changed", w.out.Name())
	}
	return n, err
}

func (w *writer) add(e store.ArchivedEvent) error {
	if w.gz == nil {
		w.f.Blocks = append(w.f.Blocks, Block{Seq: e.Seq, At: w.f.Bytes})
		w.gz = gzip.NewWriter(w)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if w.f.Events == 0 {
		w.f.First = e.Seq
	}
	w.f.Last = e.Seq
	w.f.Events++
	w.n++
	if _, err := w.gz.Write(append(line, '\n')); err != nil {
		return err
	}
	if w.n == blockEvents {
		return w.end()
	}
	return nil
}

// end closes the block.
func (w *writer) end() error {
	if w.gz == nil {
		return nil
	}
	err := w.gz.Close()
	w.gz, w.n = nil, 0
	return err
}

// verify reads a file back and compares every event with its row.
func verify(ctx context.Context, db DB, path string, f File) error {
	r, err := openFile(path, f)
	if err != nil {
		return err
	}
	defer r.close()
	n := int64(0)
	return db.View(ctx, func(tx *store.Tx) error {
		for i := range f.Blocks {
			events, err := r.block(i)
			if err != nil {
				return err
			}
			k := 0
			if k < len(events) {
				err = tx.ToArchive(events[0].Seq-1, time.UnixMicro(1<<62), func(e store.ArchivedEvent) (bool, error) {
					if events[k] != e {
						return false, fault.New(fault.Internal, "archive.verify", "the file %s does not have event %d as it is; nothing was changed", path, e.Seq)
					}
					k++
					return k < len(events), nil
				})
			}
			if err != nil {
				return err
			}
			n += int64(k)
		}
		if n != f.Events {
			return fault.New(fault.Internal, "archive.verify", "the file %s has %d events, not %d; nothing was changed", path, n, f.Events)
		}
		return nil
	})
}

// slim takes from the rows what the file has, some hundred a commit.
func slim(ctx context.Context, db DB, dir string, a store.Archive) error {
	d, err := Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := d.file(a.Name)
	if err != nil {
		return err
	}
	if r.f.SHA256 != a.SHA256 {
		return fault.New(fault.Conflict, "archive.Run", "the file %s in %s is not the one that was archived; name the right folder", a.Name+ending, dir)
	}
	for i := range r.f.Blocks {
		events, err := r.block(i)
		if err != nil {
			return err
		}
		if err := db.Update(ctx, func(tx *store.Tx) error { return tx.Slim(a.Name, events) }); err != nil {
			return err
		}
	}
	return db.Update(ctx, func(tx *store.Tx) error { return tx.SlimArchive(a.Name) })
}

// putManifest adds a file to the manifest.
func putManifest(dir string, f File) error {
	files, err := readManifest(dir)
	if err != nil {
		return err
	}
	out := []File{}
	for _, x := range files {
		if x.Name != f.Name {
			out = append(out, x)
		}
	}
	b, err := json.MarshalIndent(append(out, f), "", " ")
	if err != nil {
		return err
	}
	failed := func(err error) error {
		return fault.Wrap(err, fault.Unavailable, "archive.Run", "the manifest in %s could not be written; nothing was changed", dir)
	}
	tmp, err := os.CreateTemp(dir, "unfinished-*")
	if err != nil {
		return failed(err)
	}
	_, err = tmp.Write(append(b, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(dir, manifest))
	}
	if err != nil {
		return failed(errors.Join(err, os.Remove(tmp.Name())))
	}
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

func readManifest(dir string) ([]File, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []File
	if err == nil {
		err = json.Unmarshal(b, &files)
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "archive", "the manifest %s cannot be read", filepath.Join(dir, manifest))
	}
	return files, nil
}
