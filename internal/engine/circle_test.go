package engine

import (
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/store"
)

// TestCircleNamesItsAutomations: the incident about a chain that was cut names who acted in it, and the order.
func TestCircleNamesItsAutomations(t *testing.T) {
	step := func(id, cause string, names ...string) *decide.Decision {
		d := &decide.Decision{Event: event.Event{ID: id, Cause: cause}}
		for _, n := range names {
			d.Trace.Automations = append(d.Trace.Automations, decide.Considered{Name: n, Outcome: decide.Fired})
		}
		return d
	}
	shadow := step("3", "2", "quiet")
	shadow.Trace.Automations[0].Mode = "shadow"
	done := []*decide.Decision{step("1", "", "hold", "tag"), step("2", "1", "lift"), step("x", "1", "aside"), shadow, step("4", "3", "hold")}
	got := chain(done, event.Event{ID: "5", Cause: "4"})
	if want := []string{"hold", "tag", "lift", "hold"}; !slices.Equal(got, want) {
		t.Fatalf("the chain is %v, want %v", got, want)
	}
	reason := circleReason + strings.Join(got, circleArrow)
	names, _ := strings.CutPrefix(reason, circleReason)
	p := circleIncident(store.EventRow{ID: "5", Type: "order.ready", Subject: "ord_1", Reason: reason}, strings.Split(names, circleArrow)).Data.(*event.IncidentRaised)
	if !slices.Equal(p.Automations, []string{"hold", "lift", "tag"}) || p.Order != "ord_1" || !strings.Contains(p.Detail, "hold → tag → lift → hold") {
		t.Fatalf("%+v", p)
	}
}
