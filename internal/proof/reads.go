package proof

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/schema"
)

// triable reports whether an event of a type can be made from literals: one that a schedule or an absence sets off cannot.
func triable(on string) bool {
	_, ok := event.New(on)
	return ok && schema.KnownEvent(on)
}

// unwritten looks for data that an automation reads and nothing writes.
func (c *checker) unwritten(a *subject) {
	add := func(message string) {
		c.add(Finding{Kind: Unwritten, Severity: Warning, Automations: []string{a.Name}, At: []string{a.at(a.whenLine())}, Message: message})
	}
	fields, _ := a.StepReads()
	fields = append(fields, a.Condition.Fields()...)
	ip := slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "ip.") })
	if !c.world.Known {
		return
	}
	if ip && !c.world.IPTable {
		add("it reads the country of the IP address, and there is no IP table: it is always unknown until \"orderly data import\" brings one")
	}
	if a.On == "stock.low" && !c.world.LowLines {
		add("it waits for stock.low, and no product has a low line: give products a low_at")
	}
}
