package main

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// TestASubscriptionThatVanished: a sender that says how often it delivers at least is missed as soon as it does not, however young or rare it is, and
// not before; what a connection says wrongly is refused.
func TestASubscriptionThatVanished(t *testing.T) {
	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), store.Options{Keyring: key, Now: func() time.Time { return began }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &shop{db: db, keys: key}
	set := func(name, expect string) error {
		_, _, err := s.setConnection(t.Context(), connectionChange{name: name, kind: kindInbound, config: func(_ string, c *connectionConfig) error { c.Expect = expect; return nil }})
		return err
	}
	for _, wrong := range []string{"1 a day", "0 per day", "1 per year", "per day", "one per day", "-1 per day", "1 per "} {
		if err := set("web-shop", wrong); err == nil || !strings.Contains(flagError(err).Error(), "--expect") || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for name, expect := range map[string]string{"web-shop": "2 per day", "market": "1 per week", "quiet": ""} {
		if err := set(name, expect); err != nil {
			t.Fatal(err)
		}
	}
	book, err := watch.NewBook(rate.Calendar{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	comes := func(at time.Time) {
		book.Take(store.WatchRow{ID: at.String(), Source: "web-shop", Type: "order.placed", At: at, Mode: event.Live})
	}
	missed := func(now, up time.Time) (out []string) {
		t.Helper()
		err := db.View(context.Background(), func(tx *store.Tx) error {
			bs, err := s.subscriptions().Look(tx, watch.Ask{Now: now, Up: up, Book: book})
			for _, b := range bs {
				if b.Next == "" || b.Detail == "" {
					t.Errorf("%+v", b)
				}
				out = append(out, b.Subject+": "+b.Detail)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error {
		heard, err := s.heard(tx, &decide.Policy{}, began) // for the map: a flow that somebody watches
		if slices.Sort(heard); !slices.Equal(heard, []string{"connection:market", "connection:web-shop"}) {
			t.Errorf("%q", heard)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	if got := missed(began.Add(day-time.Hour), began); len(got) != 0 {
		t.Errorf("missed before the first day is over: %q", got)
	}
	if got := missed(began.Add(day+time.Hour), began); len(got) != 1 || !strings.Contains(got[0], "silent:connection:web-shop") || !strings.Contains(got[0], "nothing has ever come") {
		t.Errorf("%q", got)
	}
	comes(began.Add(20 * time.Hour))
	comes(began.Add(23 * time.Hour))
	if got := missed(began.Add(day+time.Hour), began); len(got) != 0 {
		t.Errorf("missed although it came: %q", got)
	}
	if got := missed(began.Add(2*day), began); len(got) != 1 || !strings.Contains(got[0], "0 events within the last day") || !strings.Contains(got[0], "2026-03-03 07:00") {
		t.Errorf("%q", got)
	}
	if got := missed(began.Add(2*day), began.Add(2*day-time.Hour)); len(got) != 0 {
		t.Errorf("missed while nobody could hear it: %q", got)
	}
	if got := missed(began.Add(8*day), began); len(got) != 2 {
		t.Errorf("%q", got)
	}
	// The old secret of a connection that is never forgotten is told as well.
	if _, err := s.rotateConnection(t.Context(), "market", false); err != nil {
		t.Fatal(err)
	}
	err = db.View(context.Background(), func(tx *store.Tx) error {
		for days, want := range map[int]int{6: 0, 8: 1} {
			bs, err := s.rotations().Look(tx, watch.Ask{Now: began.Add(time.Duration(days) * day)})
			if err != nil || len(bs) != want || want == 1 && (bs[0].Subject != "secrets:market" || bs[0].Next == "") {
				t.Errorf("after %d days: %+v %v", days, bs, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestASenderWhoseDeliveriesAreRefused: a sender that signs with another secret is told while it still tries, and only it: one that is heard as well is
// well, and some knocks of a stranger are nothing.
func TestASenderWhoseDeliveriesAreRefused(t *testing.T) {
	key, err := store.NewKeyring(make([]byte, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "shop.db"), store.Options{Keyring: key, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, ps := &shop{db: db, keys: key}, newPorts(db, key, clock)
	defer ps.close()
	for _, name := range []string{"web-shop", "market"} {
		if _, _, err := s.setConnection(t.Context(), connectionChange{name: name, kind: kindInbound, config: func(string, *connectionConfig) error { return nil }}); err != nil {
			t.Fatal(err)
		}
	}
	other, err := hook.NewSigner(hook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	knock := func(name string, n int) {
		t.Helper()
		door, err := ps.Hook(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			ts, sig := other.Sign("msg_1", now, []byte("{}"))
			h := http.Header{}
			h.Set(hook.HeaderID, "msg_1")
			h.Set(hook.HeaderTimestamp, ts)
			h.Set(hook.HeaderSignature, sig)
			if door.Verify(h, []byte("{}")) == nil {
				t.Fatal("a stranger's signature was taken")
			}
		}
		if err := ps.writeRefusals(t.Context(), "node"); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	book, err := watch.NewBook(rate.Calendar{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	look := func() (out []watch.Breach) {
		t.Helper()
		if err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			out, err = s.subscriptions().Look(tx, watch.Ask{Now: now, Up: now.AddDate(0, 0, -1), Book: book})
			if bs := watch.States(); err == nil {
				for _, st := range bs {
					if st.Name == "failing" {
						more, ferr := st.Look(tx, watch.Ask{Now: now, Book: book})
						out, err = append(out, more...), ferr // what came in is nothing that was sent
					}
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	knock("web-shop", 3)
	if got := look(); len(got) != 0 {
		t.Errorf("three knocks: %+v", got)
	}
	knock("web-shop", 9)
	got := look()
	if len(got) != 1 || got[0].Subject != "silent:connection:web-shop" || got[0].Title != "What web-shop delivers is refused" || !strings.Contains(got[0].Detail, "12 deliveries") ||
		!strings.Contains(got[0].Detail, "signature") || got[0].Next == "" || !got[0].Since.Equal(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v", got)
	}
	book.Take(store.WatchRow{ID: "e", Source: "web-shop", Type: "order.placed", At: now, Mode: event.Live})
	if got := look(); len(got) != 0 {
		t.Errorf("it is heard again: %+v", got)
	}
	now = now.Add(2 * time.Hour)
	knock("market", 6)
	if got := look(); len(got) != 1 || got[0].Subject != "silent:connection:market" {
		t.Errorf("%+v", got)
	}
	now = now.Add(time.Hour + time.Minute)
	if got := look(); len(got) != 0 {
		t.Errorf("nobody knocks any more: %+v", got)
	}
}
