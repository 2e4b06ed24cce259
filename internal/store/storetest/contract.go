package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
)

// Opener opens a new empty store for a test, with the clock of the test, and closes it when it ends.
type Opener func(t testing.TB, now func() time.Time) *store.DB

// Run holds an engine to the contract of the store.
func Run(t *testing.T, open Opener) {
	tests := map[string]func(*testing.T, Opener){
		"a failed Update leaves no trace":                 failedUpdate,
		"a panic leaves no trace and no lock":             panicUpdate,
		"Updates side by side stand and fall alone":       sideBySide,
		"View cannot write and sees one picture":          viewOnly,
		"every type goes in and comes out":                types,
		"a NUL is refused":                                nul,
		"queries nest":                                    nested,
		"a group is read as it was written":               roundTrip,
		"fifty writers lose nothing":                      writers,
		"one event from twenty doors is recorded once":    oneEvent,
		"counts and days add up":                          additions,
		"tasks, waits, timers and marks":                  smallTables,
		"products keep their side of the line":            products,
		"velocity counts are exact":                       velocity,
		"a claim has one winner":                          claims,
		"an old fence changes nothing":                    fences,
		"claims run out":                                  leases,
		"effects are withdrawn only before they leave":    withdraw,
		"jobs come after the commit and only then":        jobs,
		"a failed delivery is tried again when it is due": retries,
		"a destination that hangs holds nobody up":        hanging,
		"what may have arrived asks for a word":           unsure,
		"flows are counted once":                          flows,
		"the map is kept when it changes":                 mapsKept,
		"a wake comes at its time":                        wakes,
		"work left behind is found":                       leftBehind,
		"the policy has revisions":                        policy,
		"the history is asked who fired together":         checks,
		"runs are found, listed, and end once":            runs,
		"the history is read as it was written":           history,
		"people, tokens and sessions":                     people,
		"the audit log is appended to and sealed":         audit,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// Clock is a clock that stands still until a test moves it.
type Clock struct {
	mu sync.Mutex
	t  time.Time
}

// NewClock returns a clock that shows a day after the sample shop opened.
func NewClock() *Clock { return &Clock{t: Start.AddDate(0, 0, 1)} }

// Now is the time shown.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// Add moves the clock.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func update(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.View(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// setting reads a setting in a View.
func setting(t testing.TB, db *store.DB, name string) string {
	t.Helper()
	var v string
	view(t, db, func(tx *store.Tx) (err error) {
		v, _, err = tx.Setting(name)
		return err
	})
	return v
}

var errStop = errors.New("stop")

func failedUpdate(t *testing.T, open Opener) {
	db := open(t, time.Now)
	told := false
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		tx.AfterCommit(func() { told = true })
		if err := tx.PutSetting("a", "1"); err != nil {
			return err
		}
		return errStop
	})
	if !errors.Is(err, errStop) || told {
		t.Errorf("err = %v, told = %v", err, told)
	}
	if v := setting(t, db, "a"); v != "" {
		t.Errorf("the setting is %q after a rollback", v)
	}
	// The same for a statement that the database refuses.
	err = db.Update(context.Background(), func(tx *store.Tx) error {
		if err := tx.PutSetting("a", "1"); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO stock_balance (sku, location, on_hand, reserved) VALUES ('x', 'lyon', 1, 2)")
		return err
	})
	if err == nil {
		t.Error("more was reserved than there is")
	}
	if v := setting(t, db, "a"); v != "" {
		t.Errorf("the setting is %q after a refused statement", v)
	}
}

func panicUpdate(t *testing.T, open Opener) {
	db := open(t, time.Now)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Update(context.Background(), func(tx *store.Tx) error {
			_ = tx.PutSetting("a", "1")
			panic("a bug")
		})
	}()
	update(t, db, func(tx *store.Tx) error { return tx.PutSetting("b", "1") })
	if a, b := setting(t, db, "a"), setting(t, db, "b"); a != "" || b != "1" {
		t.Errorf("a = %q, b = %q", a, b)
	}
}

// Whether or not an engine lets Updates share a commit, one that fails, panics or
// gives up waiting takes nothing of the others along, and leaves nothing of its own.
func sideBySide(t *testing.T, open Opener) {
	db := open(t, time.Now)
	const n = 80
	var told [n]atomic.Bool
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil && i%4 != 2 {
					t.Errorf("update %d panicked: %v", i, r)
				}
			}()
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			if i%4 == 3 {
				stop()
			}
			err := db.Update(ctx, func(tx *store.Tx) error {
				tx.AfterCommit(func() { told[i].Store(true) })
				if err := tx.PutSetting(fmt.Sprint("n", i), "x"); err != nil {
					return err
				}
				switch i % 4 {
				case 1:
					return errStop
				case 2:
					panic("a bug")
				}
				return nil
			})
			if i%4 == 0 {
				if v := setting(t, db, fmt.Sprint("n", i)); err != nil || v != "x" || !told[i].Load() {
					t.Errorf("update %d: %v, reads %q, told %v", i, err, v, told[i].Load())
				}
			} else if err == nil {
				t.Errorf("update %d succeeded", i)
			}
		})
	}
	wg.Wait()
	for i := range n {
		if v := setting(t, db, fmt.Sprint("n", i)); (v == "x") != (i%4 == 0) || told[i].Load() != (i%4 == 0) {
			t.Errorf("update %d left %q, told %v", i, v, told[i].Load())
		}
	}
}

func viewOnly(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	err := db.View(context.Background(), func(tx *store.Tx) error { return tx.PutSetting("a", "1") })
	if err == nil {
		t.Error("a View wrote")
	}
	view(t, db, func(tx *store.Tx) error {
		now := tx.Now()
		if !now.Equal(clock.Now()) || now.Location() != time.UTC {
			t.Errorf("Now = %v", now)
		}
		if _, _, err := tx.Setting("a"); err != nil { // the picture is taken with the first read
			return err
		}
		update(t, db, func(tx *store.Tx) error { return tx.PutSetting("a", "later") })
		clock.Add(time.Hour)
		if v, _, err := tx.Setting("a"); err != nil || v != "" {
			t.Errorf("a View saw what was committed after it began: %q, %v", v, err)
		}
		if !tx.Now().Equal(now) {
			t.Error("Now moved inside a transaction")
		}
		return nil
	})
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := db.View(ctx, func(*store.Tx) error { return nil }); err == nil {
		t.Error("a View ran although its context had ended")
	}
}

func types(t *testing.T, open Opener) {
	db := open(t, time.Now)
	at := time.Date(2026, 3, 4, 5, 6, 7, 891_234_000, time.FixedZone("CET", 3600))
	text := "Zoë's \"shop\" \\ 100 % 日本 🛒\n\t;--"
	type row struct {
		S    string
		Bs   []byte
		N    int64
		I    int
		B    bool
		F    float64
		T, Z time.Time
		St   order.State
	}
	want := row{text, []byte(text), -1 << 62, 42, true, 0.1, at.UTC(), time.Time{}, order.Held}
	var got row
	update(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO geo_postal (country, code, lat, lon) VALUES ($1, $2, $3, $4)`, want.St, text, want.F, -0.5)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO effect (id, key, kind, destination, event_id, purpose, payload, state, attempts, fence, created, due, done_at)
			VALUES ('x', 'k', 'mail', $1, 'e', $2, '{}', 'done', $3, $4, $5, $6, $7)`,
			want.Bs, want.S, want.I, want.N, at, want.Z, want.B)
		return err
	})
	view(t, db, func(tx *store.Tx) error {
		if err := tx.QueryRow("SELECT country, lat FROM geo_postal WHERE code = $1 AND country = $2 AND lon < $3", text, want.St, 0).Scan(&got.St, &got.F); err != nil {
			return err
		}
		err := tx.QueryRow("SELECT purpose, destination, fence, attempts, created, due, done_at FROM effect WHERE id = ANY($1)", []string{"x", "a\"b", "c'd"}).
			Scan(&got.S, &got.Bs, &got.N, &got.I, &got.T, &got.Z, &got.B)
		if err != nil {
			return err
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		// NULL is the zero value, sums are whole numbers, and nothing is ErrNoRows.
		n := int64(7)
		if err := tx.QueryRow("SELECT MAX(seq) FROM event").Scan(&n); err != nil || n != 0 {
			t.Errorf("MAX of nothing: %d, %v", n, err)
		}
		if err := tx.QueryRow("SELECT SUM(attempts) FROM effect").Scan(&n); err != nil || n != 42 {
			t.Errorf("SUM: %d, %v", n, err)
		}
		if err := tx.QueryRow("SELECT id FROM effect WHERE id = $1", "y").Scan(&got.S); !errors.Is(err, store.ErrNoRows) {
			t.Errorf("no row: %v", err)
		}
		if err := tx.QueryRow("SELECT count(*) FROM effect WHERE id = ANY($1)", []string{}).Scan(&n); err != nil || n != 0 {
			t.Errorf("an empty list: %d, %v", n, err)
		}
		return nil
	})
}

func nul(t *testing.T, open Opener) {
	db := open(t, time.Now)
	for name, write := range map[string]func(*store.Tx) error{
		"a statement": func(tx *store.Tx) error { return tx.PutSetting("a", "b\x00c") },
		"a bulk write": func(tx *store.Tx) error {
			return store.InsertSearchTerms(tx, []store.SearchTerm{{Term: "b\x00c", CustomerID: "x"}})
		},
	} {
		if err := db.Update(context.Background(), write); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: err = %v, want invalid", name, err)
		}
	}
}

// Rows may be read while others are open on SQLite; on PostgreSQL they are read
// first. What both promise is the same SQL, twice, one after the other.
func nested(t *testing.T, open Opener) {
	db := open(t, time.Now)
	update(t, db, func(tx *store.Tx) error {
		for i := range 3 {
			if err := tx.PutSetting(fmt.Sprint("n", i), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		// A loop that is left early closes its rows.
		err := tx.Each(func(func(...any) error) error { return errStop }, "SELECT name FROM setting ORDER BY name")
		if !errors.Is(err, errStop) {
			t.Errorf("err = %v", err)
		}
		n := 0
		err = tx.Each(func(scan func(...any) error) error {
			var s string
			n++
			return scan(&s)
		}, "SELECT name FROM setting ORDER BY name")
		if err != nil || n != 3 {
			t.Errorf("%d rows, %v", n, err)
		}
		return nil
	})
}

func roundTrip(t *testing.T, open Opener) {
	db := open(t, time.Now)
	s := NewShop(7)
	deliveries, g := s.Stock(), s.Orders(83) // 83 = 50 + 3×10 + 3: every size of statement
	update(t, db, deliveries.Write)
	update(t, db, g.Write)
	update(t, db, func(tx *store.Tx) error { // written again: an order is replaced, a customer too
		for id, o := range g.Orders {
			o.Rev++
			g.Customers[o.CustomerID].Tags = []string{"again"}
			g.Sealed[id] += "x"
		}
		if err := store.UpsertOrders(tx, g.Orders, g.Sealed); err != nil {
			return err
		}
		return store.UpsertCustomers(tx, g.Customers, g.CustKeys)
	})
	view(t, db, func(tx *store.Tx) error {
		var ids, cus, skus []string
		var pairs []store.KeyPair
		for i := range 83 {
			id := OrderID(i)
			ids = append(ids, id)
			cus = append(cus, g.Orders[id].CustomerID)
			pairs = append(pairs, store.KeyPair{Source: "shop", ID: g.Keys[i].ID})
		}
		for i := range 7 {
			skus = append(skus, s.sku(i))
		}
		orders, err := store.Orders(tx, append(ids, "ord_absent"))
		if err != nil {
			return err
		}
		for id, o := range g.Orders {
			if d := cmp.Diff(o, orders[id].Order); d != "" || orders[id].Sealed != g.Sealed[id] {
				t.Fatalf("order %s: %s", id, d)
			}
		}
		customers, err := store.Customers(tx, cus)
		if err != nil {
			return err
		}
		for id, c := range g.Customers {
			if d := cmp.Diff(c, customers[id].Customer); d != "" || customers[id].Key != g.CustKeys[id] {
				t.Fatalf("customer %s: %s", id, d)
			}
		}
		keys, err := store.EventKeys(tx, append(pairs, store.KeyPair{Source: "other", ID: pairs[0].ID}))
		if err != nil {
			return err
		}
		for i, k := range g.Keys {
			if keys[pairs[i]] != (store.KeyRow{Hash: k.PayloadHash, EventID: k.EventID}) {
				t.Fatalf("key %v: %v", k, keys[pairs[i]])
			}
		}
		balances, err := store.Balances(tx, skus)
		if err != nil {
			return err
		}
		for key, b := range g.Balances {
			if d := cmp.Diff([]stock.Balance{b}, balances[key.SKU]); d != "" {
				t.Fatal(d)
			}
		}
		effects, err := store.EffectsOfOrders(tx, ids)
		if err != nil {
			return err
		}
		n := 0
		for _, es := range effects {
			for _, e := range es {
				if d := cmp.Diff(g.Effects[e.ID], e); d != "" {
					t.Fatal(d)
				}
				n++
			}
		}
		if len(orders) != 83 || len(customers) != 83 || len(keys) != 83 || n != 166 {
			t.Errorf("%d orders, %d customers, %d keys, %d effects", len(orders), len(customers), len(keys), n)
		}
		if d := cmp.Diff(sequence(8, 90), seqs(g)); d != "" {
			t.Errorf("decided_seq: %s", d)
		}
		return nil
	})
}

func sequence(from, to int64) (out []int64) {
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out
}

func seqs(g *Group) (out []int64) {
	for _, e := range g.Events {
		out = append(out, e.Seq)
	}
	return out
}

// Read, compute, write: the lock makes it safe on several connections.
func writers(t *testing.T, open Opener) {
	db := open(t, time.Now)
	const people, times = 50, 4
	errs := make(chan error, people)
	for range people {
		go func() {
			var err error
			for range times {
				err = errors.Join(err, db.Update(context.Background(), func(tx *store.Tx) error {
					if err := tx.Lock(store.LockOrder, []string{"b", "a", "b"}); err != nil {
						return err
					}
					v, _, err := tx.Setting("n")
					if err != nil {
						return err
					}
					n := 0
					_, _ = fmt.Sscan(v, &n)
					return tx.PutSetting("n", fmt.Sprint(n+1))
				}))
			}
			errs <- err
		}()
	}
	for range people {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if v := setting(t, db, "n"); v != fmt.Sprint(people*times) {
		t.Errorf("n = %s, want %d", v, people*times)
	}
}

func oneEvent(t *testing.T, open Opener) {
	db := open(t, time.Now)
	const doors = 20
	first := make(chan bool, doors)
	for i := range doors {
		go func() {
			inserted := false
			err := db.Update(context.Background(), func(tx *store.Tx) error {
				inserted = false
				pair := store.KeyPair{Source: "shop", ID: "1"}
				known, err := store.EventKeys(tx, []store.KeyPair{pair})
				if err != nil || known[pair].EventID != "" {
					return err
				}
				inserted = true
				return store.InsertEventKeys(tx, []store.EventKey{{Source: "shop", ID: "1", PayloadHash: "h", EventID: fmt.Sprint("e", i)}})
			})
			if err != nil {
				t.Error(err)
			}
			first <- inserted
		}()
	}
	n := 0
	for range doors {
		if <-first {
			n++
		}
	}
	if n != 1 {
		t.Errorf("recorded %d times", n)
	}
}
