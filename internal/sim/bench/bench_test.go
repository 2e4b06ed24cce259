package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBodiesAreFourKilobytesWithTwoLines(t *testing.T) {
	b, err := NewBodies(1, "T", 1000)
	if err != nil {
		t.Fatal(err)
	}
	numbers, mails := map[string]bool{}, map[string]bool{}
	for n := int64(1000); n < 3000; n++ {
		if l := len(b.Append(nil, n)); l < BodySize-200 || l > BodySize+200 {
			t.Fatalf("order %d has %d bytes", n, l)
		}
		ev, err := b.Event(n)
		if err != nil {
			t.Fatal(err)
		}
		p := ev.Data.(*event.OrderPlaced)
		if ps := p.Validate(); len(ps) > 0 || len(p.Lines) != 2 {
			t.Fatalf("%d lines, %v", len(p.Lines), ps)
		}
		numbers[p.Number], mails[p.Customer.Email] = true, true
	}
	if len(numbers) != 2000 || len(mails) < 1500 || len(mails) > 1700 {
		t.Errorf("%d numbers, %d buyers", len(numbers), len(mails))
	}
}

// door is a server that checks signatures and answers as the real one does.
func door(t *testing.T, before func()) (Target, *atomic.Int64) {
	t.Helper()
	secret := hook.NewSecret()
	v, err := hook.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := v.Verify(r.Header, body, time.Now()); err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		n.Add(1)
		before()
		_, _ = io.WriteString(w, `[{"id":"x","event_id":"y","status":"decided"}]`)
	}))
	t.Cleanup(s.Close)
	return Target{Addr: strings.TrimPrefix(s.URL, "http://"), Path: "/hooks/bench", Secret: secret}, &n
}

func bodies(t *testing.T) *Bodies {
	t.Helper()
	b, err := NewBodies(1, "T", 500)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestClosedLoopCountsWhatCameBack(t *testing.T) {
	target, n := door(t, func() {})
	r, err := Load{Targets: []Target{target}, Bodies: bodies(t), Conns: 4, Duration: 100 * time.Millisecond}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Orders != n.Load() || r.Orders == 0 || r.P50 > r.P99 || r.P99 > r.Max {
		t.Errorf("%+v; the server counted %d", r, n.Load())
	}
}

// TestASlowAnswerCountsForThoseWhoWaited: one connection, one answer of 150 ms. With the time taken
// from sending, one delivery would be slow; taken from when they were due, those behind it are too.
func TestASlowAnswerCountsForThoseWhoWaited(t *testing.T) {
	var once atomic.Bool
	target, _ := door(t, func() {
		if once.CompareAndSwap(false, true) {
			<-time.After(150 * time.Millisecond)
		}
	})
	r, err := Load{Targets: []Target{target}, Bodies: bodies(t), Conns: 1, Duration: 200 * time.Millisecond, Rate: 100}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Orders != 20 || r.P50 < 5*time.Millisecond {
		t.Errorf("%d deliveries, half of them within %v", r.Orders, r.P50)
	}
}

func TestAnotherAnswerEndsTheRun(t *testing.T) {
	target, _ := door(t, func() {})
	target.Secret = hook.NewSecret()
	_, err := Load{Targets: []Target{target}, Bodies: bodies(t), Conns: 2, Duration: time.Second}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "answered 401") {
		t.Error(err)
	}
}

func TestQuantile(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(i+1))
	}
	if p50, p99, p100 := quantile(d, 0.5), quantile(d, 0.99), quantile(d, 1); p50 != 50 || p99 != 99 || p100 != 100 {
		t.Error(p50, p99, p100)
	}
	if one := quantile(d[:1], 0.99); one != 1 {
		t.Error(one)
	}
}

// TestReplayWritesTheRowsOfTheGroup: as many rows as a real group, none of them in the place of another.
func TestReplayWritesTheRowsOfTheGroup(t *testing.T) {
	ctx := t.Context()
	keys, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "raw.db"), store.Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := Prepare(ctx, db, eng, 1); err != nil {
		t.Fatal(err)
	}
	const size = 20
	g, err := CaptureGroup(ctx, db, eng, bodies(t), 0, size)
	if err != nil {
		t.Fatal(err)
	}
	one, err := CaptureGroup(ctx, db, eng, bodies(t), 2*size, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := eng.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if g.Rows < 12*size || g.Bytes < 4000*size {
		t.Errorf("a group of %d orders wrote %d rows with %d bytes of text", size, g.Rows, g.Bytes)
	}
	grows := func(g *Group, replay func() int) {
		t.Helper()
		before := count(t, db)
		times := replay()
		after := count(t, db)
		for _, tb := range g.tables {
			if tb.conflict != "" {
				continue // these rows change in their place
			}
			if got, want := after[tb.name]-before[tb.name], times*len(tb.rows); got != want {
				t.Errorf("%s has %d more rows after %d replays of %d", tb.name, got, times, len(tb.rows))
			}
		}
	}
	grows(g, func() int {
		times, _, err := g.Replay(ctx, db, 2, 50*time.Millisecond)
		if err != nil || times == 0 {
			t.Fatal(times, err)
		}
		return times
	})
	grows(one, func() int {
		took, err := one.Paced(ctx, db, 2, 400, 250*time.Millisecond)
		if err != nil || took.P50 <= 0 || took.P99 < took.P50 || took.Max < took.P99 {
			t.Fatal(took, err)
		}
		return 100
	})
}

func count(t *testing.T, db *store.DB) map[string]int {
	t.Helper()
	out := map[string]int{}
	err := db.View(t.Context(), func(tx *store.Tx) error {
		for _, w := range written {
			var n int
			if err := tx.QueryRow("SELECT count(*) FROM " + w.table).Scan(&n); err != nil {
				return err
			}
			out[w.table] = n
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestReportReadsInOrderOfRates(t *testing.T) {
	r := Report{P50: map[string]float64{"1000": 2, "300": 1, "99.5": 1}, P99: map[string]float64{}, Achieved: map[string]float64{}}
	s := r.String()
	if a, b, c := strings.Index(s, "at 99.5"), strings.Index(s, "at 300"), strings.Index(s, "at 1000"); a < 0 || a > b || b > c {
		t.Error(s)
	}
}

func TestStubTakesEverything(t *testing.T) {
	ctx := context.Background()
	m, err := Stub{}.Mailer(ctx, "mail")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Send(ctx, connect.Message{}); err != nil {
		t.Error(err)
	}
	h, err := Stub{}.Hook(ctx, "warehouse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Post(ctx, connect.Delivery{}); err != nil {
		t.Error(err)
	}
}

func TestStatOfAProcessIsRead(t *testing.T) {
	const fields = " S 77 1 1 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 1 0 100 1000 10"
	p, ok := parseStat("4711 (post) gres (1)" + fields)
	if want := (process{name: "post) gres (1", parent: 77, own: 2_000_000, ended: 100_000}); !ok || p != want {
		t.Errorf("%+v, %v", p, ok)
	}
	for _, broken := range []string{"", "1 postgres S 2", "1 (postgres) S 2 3", "1 (x)" + strings.ReplaceAll(fields, "150", "many"), ")("} {
		if _, ok := parseStat(broken); ok {
			t.Errorf("%q was read", broken)
		}
	}
}

func TestADatabaseOfItsOwnComesAndGoes(t *testing.T) {
	ctx, server := t.Context(), pgtest.URL(t)
	d, err := NewDatabase(ctx, server, "test")
	if err != nil {
		t.Fatal(err)
	}
	if size, wal, err := d.Size(ctx); err != nil || size == 0 || wal == 0 {
		t.Errorf("%d bytes, %d of WAL, %v", size, wal, err)
	}
	if cpu, known := d.CPUMicros(); known && cpu == 0 || !known && runtime.GOOS == "linux" && os.Getenv("ORDERLY_TEST_PG") == "" {
		t.Errorf("%d µs, %v", cpu, known)
	}
	if err := d.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Size(ctx); err == nil {
		t.Error("it is still there")
	}
	if _, err := NewDatabase(ctx, "postgres://nobody@/x?host=/nowhere", "test"); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}
