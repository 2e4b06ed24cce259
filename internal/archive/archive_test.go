package archive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orderly.example/orderly/internal/archive"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

const perMonth = 700 // more than a block

func fill(t *testing.T, db *store.DB) {
	t.Helper()
	for m := range 3 {
		at := time.Date(2025, time.Month(10+m), 3, 0, 0, 0, 0, time.UTC)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			var rows []store.EventRecord
			for i := range perMonth {
				id := fmt.Sprint("e", m, "-", i)
				r := store.EventRecord{
					ID: id, Source: "s", Key: id, Type: "order.paid", Subject: "ord_1", OrderID: "ord_1", At: at, Received: at.Add(time.Duration(i) * time.Minute),
					Mode: "live", State: store.EventDecided, Hash: "h", Data: `{"channel":"web"}`, Facts: `{"order.total":"` + id + `"}`,
					Trace: `{"from":"held","to":"ready","notes":["` + id + ` <&> ü"]}`,
				}
				if i%50 == 7 {
					r.State, r.Facts = store.EventQuarantined, ""
				}
				rows = append(rows, r)
			}
			return store.InsertEvents(tx, rows)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, url string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// history reads every decision, completed from the files where there is a folder.
func history(t *testing.T, db *store.DB, dir string) (rows []store.HistoryRow) {
	t.Helper()
	var old *archive.Dir
	if dir != "" {
		var err error
		if old, err = archive.Open(dir); err != nil {
			t.Fatal(err)
		}
		defer old.Close()
	}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		var err error
		rows, err = tx.History(0, 1<<60, nil)
		for i := range rows {
			if r := &rows[i]; err == nil && old != nil && r.Archive != "" {
				err = old.Fill(r.Archive, []*store.HistoryRow{r})
				r.Archive = ""
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

var errCut = errors.New("cut")

// cutting is a store that fails its n-th write, before or after it was committed.
type cutting struct {
	*store.DB
	left  int
	after bool
}

func (c *cutting) Update(ctx context.Context, fn func(*store.Tx) error) error {
	c.left--
	if c.left == 0 && !c.after {
		return errCut
	}
	err := c.DB.Update(ctx, fn)
	if c.left == 0 && err == nil {
		return errCut
	}
	return err
}

func same(t *testing.T, what string, want, got []store.HistoryRow) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for i := range want {
		if want[i] != got[i] {
			t.Fatalf("%s: event %d is\n%+v\nwant\n%+v", what, i, got[i], want[i])
		}
	}
}

// TestArchive: wherever a run is broken off, the history reads the same with the files, and the next run ends the work.
func TestArchive(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			url := filepath.Join(t.TempDir(), "shop.db")
			if engine == "postgres" {
				url = pgtest.URL(t)
			}
			db := open(t, url)
			fill(t, db)
			whole := history(t, db, "")
			dir := filepath.Join(t.TempDir(), "archive")
			before := time.Date(2025, 12, 20, 0, 0, 0, 0, time.UTC) // December has not ended: two months
			cuts := 0
			for n := 1; ; n++ {
				c := &cutting{DB: db, left: 1 + n/2%3, after: n%2 == 0}
				_, err := archive.Run(t.Context(), c, dir, before, nil)
				if err == nil {
					break
				}
				if !errors.Is(err, errCut) || n > 60 {
					t.Fatalf("run %d: %v", n, err)
				}
				cuts++
				same(t, "after a cut", whole, history(t, db, dir))
			}
			if cuts < 4 {
				t.Errorf("only %d runs were cut", cuts)
			}
			same(t, "in the end", whole, history(t, db, dir))
			moved := 0
			for _, r := range history(t, db, "") {
				switch {
				case r.Archive == "":
				case r.Facts != "" || r.Trace != `{"from":"held","to":"ready"}` || r.Data == "":
					t.Fatalf("the row of an archived event is %+v", r)
				default:
					moved++
				}
			}
			if want := 2 * (perMonth - perMonth/50); moved != want {
				t.Errorf("%d events gave their reasons away, want %d", moved, want)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "unfinished-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if again, err := archive.Run(t.Context(), db, dir, before, nil); err != nil || len(again) != 0 {
				t.Errorf("a second run wrote %v, %v", again, err)
			}
			readable(t, dir)
			damaged(t, db, dir)
		})
	}
}

// readable: a file is one JSON object a line for whoever unpacks it.
func readable(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "2025-10.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	var e store.ArchivedEvent
	if err := json.Unmarshal(lines[0], &e); err != nil || len(lines) != perMonth-perMonth/50 || e.Type != "order.paid" {
		t.Errorf("%d lines, the first %s, %v", len(lines), lines[0], err)
	}
}

// damaged: a file that is not what it was is refused, and so is another folder.
func damaged(t *testing.T, db *store.DB, dir string) {
	t.Helper()
	path := filepath.Join(dir, "2025-11.ndjson.gz")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := archive.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	for name, want := range map[string]fault.Kind{"2025-11": fault.Invalid, "2024-01": fault.NotFound} {
		if _, _, err := old.Reasons(name, 1, "x"); fault.KindOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := old.Reasons("2025-10", 1, "another"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an event that is not in its file: %v", err)
	}
}

// FuzzManifest: whatever stands in a manifest, reading it ends with an answer or a reason.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`[{"name":"2025-10","first_seq":1,"last_seq":2,"events":2,"bytes":9,"sha256":"ab","blocks":[{"seq":1,"at":0}]}]`), []byte("x"))
	f.Add([]byte(`[{"name":"../x","blocks":[{"seq":9,"at":-5},{"seq":1,"at":99}]}]`), []byte{})
	f.Fuzz(func(t *testing.T, manifest, file []byte) {
		dir := t.TempDir()
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "manifest.json"), manifest, 0o600), os.WriteFile(filepath.Join(dir, "2025-10.ndjson.gz"), file, 0o600)); err != nil {
			t.Fatal(err)
		}
		d, err := archive.Open(dir)
		if err != nil {
			return
		}
		defer d.Close()
		_, _, _ = d.Reasons("2025-10", 1, "x") // it must only not panic
	})
}
