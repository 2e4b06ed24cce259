package engine_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// TestCanaryStopsOnFailures: calls that fail for good stop a canary, and its owner is told.
func TestCanaryStopsOnFailures(t *testing.T) {
	r := node(t, filepath.Join(t.TempDir(), "shop.db"), at(quarterPast))
	texts := []store.Text{
		{Kind: engine.KindShop, Name: "shop", Text: guardShop},
		{Kind: engine.KindAutomation, Name: "call-erp", Text: "automation: call-erp\nowner: erp@shop.example\nwhy: A test of canaries.\non: order.placed\nmode: canary\nshare: 50%\ndo: [ { webhook: erp } ]\n"},
	}
	r.apply(texts...)
	rush(t, "a", 20, flat, r)
	var ids []string
	r.view(func(tx *store.Tx) error {
		return tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM effect WHERE destination = 'erp' ORDER BY id")
	})
	if len(ids) < 4 || len(ids) > 16 {
		t.Fatalf("the canary called for %d of 20 orders", len(ids))
	}
	for i, id := range ids[:3] {
		if g := guardOf(r, "call-erp"); g.Stop != nil {
			t.Fatalf("it is stopped after %d failures: %s", i, g.Stop.Reason)
		}
		r.decided(&event.EffectFailed{Effect: id, Purpose: "call-erp", Destination: "erp", Error: "404", Automation: "call-erp"})
	}
	g := guardOf(r, "call-erp")
	if g.Stop == nil || !strings.Contains(g.Stop.Reason, "3 failures") {
		t.Fatalf("%+v", g)
	}
	before := len(ids)
	rush(t, "b", 20, flat, r)
	r.view(func(tx *store.Tx) error {
		var after, told int
		err := tx.QueryRow("SELECT count(*) FILTER (WHERE destination = 'erp'), count(*) FILTER (WHERE destination = 'outbox' AND payload LIKE '%erp@shop.example%') FROM effect").Scan(&after, &told)
		if after != before || told != 1 {
			t.Errorf("%d calls before the stop, %d after; its owner was told %d times", before, after, told)
		}
		return err
	})
	// Its owner gives it another mode: that is a person's word too, and what it was is kept.
	if err := r.eng.SetMode(t.Context(), engine.ModeChange{Name: "call-erp", Mode: "active", By: "owner@shop.example", Reason: "The address is right now."}); err != nil {
		t.Fatal(err)
	}
	r.view(func(tx *store.Tx) error {
		story, err := tx.SubjectStory(event.AutomationSubject("call-erp"), 10)
		var got []string
		for _, e := range story {
			got = append(got, e.Type)
		}
		if fmt.Sprint(got) != "[automation.resumed automation.changed automation.stopped]" {
			t.Errorf("its history is %v", got)
		}
		return err
	})
	if g := guardOf(r, "call-erp"); g.Stop != nil || g.Round != 1 {
		t.Fatalf("%+v", g)
	}
}

// TestOwnersAreToldOfOtherModes: whoever lets an automation act no more, its owner hears of it once.
func TestOwnersAreToldOfOtherModes(t *testing.T) {
	r := node(t, filepath.Join(t.TempDir(), "shop.db"), at(quarterPast))
	r.apply(limited("")...)
	told := func() (n int) {
		r.view(func(tx *store.Tx) error {
			return tx.QueryRow("SELECT count(*) FROM effect WHERE payload LIKE '%tagger@shop.example%' AND payload LIKE '%does not act any more%'").Scan(&n)
		})
		return n
	}
	r.apply(limited("# no other mode\n")...)
	r.apply(limited("mode: canary\nshare: 50%\n")...)
	if n := told(); n != 0 {
		t.Fatalf("the owner was told %d times of an automation that acts", n)
	}
	r.apply(limited("mode: shadow\n")...)
	r.apply(limited("mode: draft\n")...)
	if n := told(); n != 1 {
		t.Fatalf("the owner was told %d times", n)
	}
	r.apply(limited("")...)
	r.apply(limited("")[0]) // removed
	if n := told(); n != 2 {
		t.Fatalf("the owner was told %d times, of the removal too", n)
	}
}

// TestShadowReport: the owner of an automation in shadow gets one mail about a day on which
// it would have fired, and one a week when it would not.
func TestShadowReport(t *testing.T) {
	now := quarterPast // a Monday
	r := node(t, filepath.Join(t.TempDir(), "shop.db"), func() time.Time { return now })
	r.apply(limited("mode: shadow\nlimits: { per_hour: 1 }\n")...)
	night := func(days int) {
		now = now.AddDate(0, 0, days)
		if err := engine.EndDay(r.eng, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	reports := func() (dates string) {
		r.view(func(tx *store.Tx) error {
			return tx.Each(func(scan func(...any) error) error {
				var key string
				err := scan(&key)
				dates += strings.TrimPrefix(key, "mail:shadow-report:tag-all:") + " "
				return err
			}, "SELECT key FROM effect WHERE purpose = 'shadow-report' ORDER BY key")
		})
		return dates
	}
	night(0) // a new shop has no yesterday
	rush(t, "a", 3, flat, r)
	night(1)
	night(0)
	if got := reports(); got != "2026-05-04 " {
		t.Fatalf("reports of %q", got)
	}
	rep, err := engine.ShadowReport(r.eng, t.Context(), "tag-all", "2026-05-04")
	if err != nil || len(rep.Figures) != 4 || !strings.HasPrefix(rep.Figures[0].Value, "3 on 3 orders") || !strings.Contains(rep.Figures[1].Label, "Order a") || rep.Figures[1].Value != "tag tagged" {
		t.Fatalf("%+v %v", rep, err)
	}
	for range 13 {
		night(1)
	}
	if got := reports(); got != "2026-05-04 2026-05-17 " { // the first week had something to say
		t.Fatalf("reports of %q", got)
	}
	if n, _ := acted(r); n != 0 {
		t.Fatal("it acted in shadow")
	}
}

// TestWhatActedIsCountedByItself: figures and rows tell what an automation did from what it would have done in shadow,
// outside a canary's share, stopped and upon history, and from what could not be told.
func TestWhatActedIsCountedByItself(t *testing.T) { onBoth(t, testWhatActedIsCounted) }

func testWhatActedIsCounted(t *testing.T, url string) {
	r := openRig(t, url, engine.Options{})
	text := func(name, when, more string) store.Text {
		x := automationText(name, "order.placed", when, "tag: seen")
		x.Text += more
		return x
	}
	r.apply(
		text("live", "order.units > 1", ""), text("quiet", "order.units > 1", "mode: shadow\n"), text("part", "order.units > 1", "mode: canary\nshare: 50%\n"),
		text("capped", "order.units > 1", "limits: { per_hour: 2 }\n"), text("blind", `ip.country == "FR"`, ""), text("live-two", "order.units > 0", ""),
	)
	for i, qty := range []int64{1, 2, 3, 4, 5, 6} {
		r.decided(placed(fmt.Sprint(i), "MUG", qty))
	}
	r.submit(event.Event{Source: "file", Key: "past", Mode: event.History, At: time.Now().Add(-time.Hour), Data: placed("past", "MUG", 9)})
	for name, want := range map[string]store.Count{
		"live": {Considered: 7, Fired: 5, Would: 1}, "quiet": {Considered: 7, Would: 6}, "capped": {Considered: 7, Fired: 2, Would: 4}, "blind": {Considered: 7, Unknown: 7},
		"live-two": {Considered: 7, Fired: 6, Would: 1}, "part": {Considered: 7},
	} {
		var got store.Count
		rows := map[string]int64{}
		r.view(func(tx *store.Tx) error {
			hours, err := tx.AutomationCounts(name, time.Time{})
			for _, h := range hours {
				got = store.Count{Considered: got.Considered + h.Considered, Fired: got.Fired + h.Fired, Would: got.Would + h.Would, Unknown: got.Unknown + h.Unknown}
			}
			for _, how := range []string{"", store.FiredActed, store.FiredWould, store.FiredUnknown} {
				evs, bad := tx.Fired(name, how, 50)
				err = errors.Join(err, bad)
				rows[how] = int64(len(evs))
			}
			return err
		})
		if name == "part" { // its share is drawn by the orders' ids: all of it adds up
			if got.Fired+got.Would != 6 || got.Would < 1 {
				t.Errorf("part: %+v", got)
			}
			want = got
		}
		if got != want {
			t.Errorf("%s: counted %+v, want %+v", name, got, want)
		}
		if rows[store.FiredActed] != got.Fired || rows[store.FiredWould] != got.Would || rows[store.FiredUnknown] != got.Unknown || rows[""] != got.Fired+got.Would+got.Unknown {
			t.Errorf("%s: the rows behind %+v are %v", name, got, rows)
		}
	}
}
