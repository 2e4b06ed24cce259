package watch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

func (r *rig) update(fn func(tx *store.Tx) error) {
	r.t.Helper()
	if err := r.db.Update(r.t.Context(), fn); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) happens(p event.Payload) {
	r.n++
	r.submit(event.Event{Source: "web-shop", Key: fmt.Sprint("p", r.n), Data: p})
}

// TestStatesOpenAndEnd: each state that must not last becomes an incident with an owner and a next step, and the
// incident ends by itself when the state does.
func TestStatesOpenAndEnd(t *testing.T) {
	free := int64(50 << 30)
	named := func(r *rig, number string) *event.OrderPlaced {
		o := r.order("web", "DE", event.Live, r.clock()).Data.(*event.OrderPlaced)
		o.Number = number
		return o
	}
	const day = 24 * time.Hour
	for _, c := range []struct {
		name  string // of the expectation, or of the case
		title string // of the incident. Others may open when a mail or a chat takes its time
		texts []store.Text
		bad   func(r *rig)
		good  func(r *rig)
	}{
		{
			name: "orders-ready", title: "An order is stuck: 1",
			bad: func(r *rig) {
				r.happens(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
				r.happens(named(r, "1"))
				r.pass(2*day + time.Hour)
			},
			good: func(r *rig) { r.happens(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a"}) },
		},
		{
			name: "orders-partly-shipped", title: "An order is stuck: 1",
			bad: func(r *rig) {
				r.happens(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
				o := named(r, "1")
				o.Lines[0].Qty = 2
				r.happens(o)
				r.happens(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a", Lines: []event.ShippedLine{{SKU: "MUG", Qty: 1}}})
				r.pass(5*day + time.Hour)
			},
			good: func(r *rig) { r.happens(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a"}) },
		},
		{
			name: "parcels-silent", title: "An order is stuck: 1",
			bad: func(r *rig) {
				r.happens(&event.StockReceived{SKU: "MUG", Location: "a", Qty: 5})
				for _, n := range []string{"0", "1"} { // a shop that hears of its parcels
					r.happens(named(r, n))
					r.happens(&event.ShipmentShipped{Channel: "web", Number: n, Location: "a"})
				}
				r.happens(&event.ShipmentDelivered{Channel: "web", Number: "0"})
				r.pass(7*day + time.Hour)
			},
			good: func(r *rig) { r.happens(&event.ShipmentDelivered{Channel: "web", Number: "1"}) },
		},
		{
			name: "tasks-late", title: "Tasks in the queue risk are late",
			texts: []store.Text{{Kind: "automation", Name: "look", Text: "automation: look\nowner: lead@shop.example\nwhy: w\non: order.placed\ndo:\n  - hold: { queue: risk, sla: 1h, reason: large }\n"}},
			bad:   func(r *rig) { r.happens(named(r, "1")); r.pass(3 * time.Hour) },
			good: func(r *rig) {
				id := ""
				r.update(func(tx *store.Tx) error {
					return tx.QueryRow("SELECT id FROM task WHERE queue = 'risk' AND kind <> 'incident'").Scan(&id)
				})
				r.happens(&event.TaskDecided{Task: id, Outcome: "approve"})
			},
		},
		{
			name: "stalled", title: "Nothing leaves for wms",
			texts: []store.Text{{Kind: "automation", Name: "tell", Text: "automation: tell\nowner: lead@shop.example\nwhy: w\non: order.placed\ndo:\n  - webhook: { connection: wms }\n"}},
			bad: func(r *rig) {
				r.out.mu.Lock()
				r.out.fail["wms"] = errors.New("503 Service Unavailable")
				r.out.mu.Unlock()
				r.happens(named(r, "1"))
				r.out.until(r.t, "the attempt", func() bool { return len(r.out.posts) > 0 })
				r.pass(20 * time.Minute)
			},
			good: func(r *rig) {
				r.out.mu.Lock()
				delete(r.out.fail, "wms")
				r.out.mu.Unlock()
				r.recorded()
				r.pass(2 * time.Hour)
				r.settle()
			},
		},
		{
			name: "failing", title: "Most of what is sent to wms fails",
			bad: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.AddTallies("n", []store.Tally{{At: r.clock(), Destination: "wms", Purpose: "fulfilment", Done: 4, Failed: 9, LastError: "500"}})
				})
			},
			good: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.AddTallies("n", []store.Tally{{At: r.clock(), Destination: "wms", Purpose: "fulfilment", Done: 10}})
				})
			},
		},
		{
			name: "owner", title: "The automation look has no owner any more",
			texts: []store.Text{{Kind: "automation", Name: "look", Text: "automation: look\nowner: kim@shop.example\nwhy: w\non: order.placed\ndo:\n  - tag: large\n"}},
			bad: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.PutUser(access.User{ID: "usr_kim", Email: "kim@shop.example", Name: "Kim", Role: access.Operator, Created: tx.Now(), Disabled: true})
				})
			},
			good: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.PutUser(access.User{ID: "usr_kim", Email: "kim@shop.example", Name: "Kim", Role: access.Operator, Created: tx.Now()})
				})
			},
		},
		{
			name: "tokens", title: "The token web ends soon",
			bad: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.PutToken(access.APIToken{Hash: "h", Name: "web", Created: tx.Now(), LastUsed: r.clock(), Expires: r.clock().Add(6 * day)})
				})
			},
			good: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.PutToken(access.APIToken{Hash: "h", Name: "web", Created: tx.Now(), LastUsed: r.clock(), Expires: r.clock().Add(90 * day)})
				})
			},
		},
		{
			name: "lag", title: "Orders from web arrive late",
			bad: func(r *rig) {
				for range 6 {
					r.submit(r.order("web", "DE", event.Live, r.clock().Add(-3*time.Hour)))
				}
			},
			good: func(r *rig) {
				for range 7 {
					r.submit(r.order("web", "DE", event.Live, r.clock()))
				}
			},
		},
		{
			name: "audit-seal", title: "The audit log is not sealed any more",
			bad: func(r *rig) {
				r.update(func(tx *store.Tx) error {
					return tx.PutRecord(access.Record{ID: "aud_1", At: r.clock(), Action: "user.role", Result: access.Done})
				})
				for range 11 {
					r.turn()
				}
			},
			good: func(r *rig) {
				r.update(func(tx *store.Tx) error { return tx.PutLinks([]access.Link{{Seq: 1, ID: "aud_1", Hash: "h"}}) })
			},
		},
		{
			name: "disk", title: "The disk of the database is nearly full",
			bad:  func(*rig) { free = 1 << 29 },
			good: func(*rig) { free = 50 << 30 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, filepath.Join(t.TempDir(), "shop.db"), c.texts...)
			r.w.Disk = func() (int64, int64, bool) { return free, 100 << 30, true }
			r.w.Heart = nil
			r.turn()
			open := func() (titles []string) {
				for _, i := range r.incidents(false) {
					if a := i.Task.Alarm; a != nil && (strings.HasPrefix(a.Expectation, c.name) || i.Task.Title == c.title) {
						titles = append(titles, i.Task.Title)
						if i.Task.Owner == "" || a.Next == "" || len(i.Task.Reasons) == 0 {
							t.Errorf("%+v %+v", i.Task, a)
						}
					}
				}
				return titles
			}
			if got := open(); len(got) > 0 {
				t.Fatalf("open while all is well: %q", got)
			}
			c.bad(r)
			r.turn()
			if got := open(); !slices.Contains(got, c.title) {
				t.Fatalf("%q, want %q", got, c.title)
			}
			c.good(r)
			r.turn()
			if got := open(); len(got) > 0 {
				t.Errorf("open still: %q", got)
			}
		})
	}
}

// TestGrowthIsNoticed: a database that grows within a day as it never did.
func TestGrowthIsNoticed(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	sizes := func(last int64) []watch.Size {
		var out []watch.Size
		for d := 9; d >= 0; d-- {
			s := watch.Size{Day: r.clock().AddDate(0, 0, -d).UTC().Format(time.DateOnly), Bytes: int64(10-d) << 28}
			if d == 0 {
				s.Bytes = 9<<28 + last
			}
			out = append(out, s)
		}
		return out
	}
	r.turn()
	for _, c := range []struct {
		last int64
		want bool
	}{{1 << 28, false}, {5 << 30, true}, {1 << 30, false}, {1<<30 + 1<<29, true}} {
		r.update(func(tx *store.Tx) error {
			turn, err := tx.LastWatch()
			if err != nil {
				return err
			}
			doc := map[string]any{}
			if err := json.Unmarshal([]byte(turn.Doc), &doc); err != nil {
				return err
			}
			doc["Sizes"] = sizes(c.last)
			text, err := json.Marshal(doc)
			turn.Doc = string(text)
			return errors.Join(err, tx.PutWatch(turn, nil))
		})
		r.turn()
		var titles []string
		for _, i := range r.incidents(false) {
			titles = append(titles, i.Task.Title)
		}
		if got := slices.Contains(titles, "The database grew far more than usual"); got != c.want {
			t.Errorf("%d bytes: %v, %q", c.last, got, titles)
		}
	}
}

// TestOutsideIsAskedOnceADay: a state that needs an answer from outside asks for it once a day, hourly while something is wrong,
// and keeps what it knew when nobody answers.
func TestOutsideIsAskedOnceADay(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "shop.db"))
	asked, answer, fails := 0, "well", false
	r.w.States = []watch.State{{
		Name: "outside", Title: "All is well outside",
		Probe: func(_ context.Context, ask watch.Ask) (any, error) {
			asked++
			if fails {
				return nil, connect.Fail(connect.ClassRetry, nil, "nobody answers")
			}
			var last string
			if ok, err := ask.Found(&last); err != nil || ok != (asked > 1) {
				t.Errorf("%v %q %v", ok, last, err)
			}
			return answer, nil
		},
		Look: func(_ *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
			var found string
			if _, err := ask.Found(&found); err != nil || found == "well" {
				return nil, err
			}
			return []watch.Breach{{Subject: "outside", Title: "It is " + found + " outside", Detail: "d", Next: "n", Since: ask.Now}}, nil
		},
	}}
	want := func(when string, asks, incidents int) {
		t.Helper()
		n := 0
		for _, i := range r.incidents(false) {
			if strings.HasPrefix(i.Task.Title, "It is ") {
				n++
			}
		}
		if r.turn(); asked != asks || n != incidents {
			t.Errorf("%s: asked %d times and %d incidents, want %d and %d", when, asked, n, asks, incidents)
		}
	}
	r.turn()
	want("at once", 1, 0)
	answer = "stormy"
	r.pass(23 * time.Hour)
	want("not yet", 1, 0)
	r.pass(time.Hour)
	r.turn()
	want("the next day", 2, 1)
	fails = true
	r.pass(time.Hour)
	r.turn()
	want("an hour later nobody answers", 3, 1)
	fails, answer = false, "well"
	r.pass(time.Hour)
	r.turn()
	want("and it is over", 4, 0)
	r.pass(3 * time.Hour)
	want("then daily", 4, 0)
}
