package proof

import (
	"fmt"
	"slices"
	"strings"

	"orderly.example/orderly/internal/automation"
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
		c.add(Finding{Kind: Unwritten, Severity: Warning, Automations: []string{a.Name}, At: []string{a.atWhen()}, Message: message})
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

// missing looks for names of what does not exist, for queues that nobody else knows, and for closed locations that are preferred.
func (c *checker) missing(a *subject) {
	if !c.world.Known || !c.concerns(a) || len(a.Refs) == 0 {
		return
	}
	told := map[string]bool{}
	add := func(kind Kind, severity Severity, at, message string) {
		if !told[message] {
			c.add(Finding{Kind: kind, Severity: severity, Automations: []string{a.Name}, At: []string{at}, Message: message})
		}
		told[message] = true
	}
	for _, p := range c.world.Names.Unknown(a.Automation) {
		add(Missing, Error, p.Pointer, p.Message)
	}
	a.Each(func(s *automation.Step) {
		if x, ok := s.Action.(automation.Prefer); ok && slices.Contains(c.world.Names.Closed, x.Location) {
			add(Closed, Warning, a.at(s.Line), fmt.Sprintf("it prefers the location %q, which is closed: no order goes there until it is open again", x.Location))
		}
	})
	used := automation.Names{Queues: slices.Clone(c.world.Names.Queues)}
	for _, b := range c.all {
		if b != a {
			used.Queues = append(used.Queues, b.Queues()...)
		}
	}
	slices.Sort(used.Queues)
	used.Queues = slices.Compact(used.Queues)
	for _, r := range a.Refs {
		severity := Note
		text, near := used.UnusedQueue(r)
		if near {
			severity = Warning
		}
		if text != "" {
			add(Missing, severity, fmt.Sprintf("%s:%d:%d", a.File, r.Line, r.Col), text)
		}
	}
}

// tags looks for tags that an automation reads and no automation puts. They may come with the orders of a channel:
// whether they do is not decided here, and the history may tell.
func (c *checker) tags(a *subject) {
	if !c.concerns(a) {
		return
	}
	for _, list := range []string{"order.tags", "customer.tags"} {
		for _, tag := range tagsRead(a.Automation, list) {
			if list == "order.tags" && slices.Contains(c.put(), tag) {
				continue
			}
			of := "on the order, which no automation puts there"
			if list == "customer.tags" {
				of = "of the customer, which no automation gives"
			}
			c.add(Finding{
				Kind: Open, Severity: Note, Automations: []string{a.Name}, At: []string{a.atWhen()}, Tag: &Tag{List: list, Value: tag},
				Message: fmt.Sprintf("it looks for the tag %q %s: whether orders come with it is not decided", tag, of),
			})
		}
	}
}

// put are the tags that automations put on orders, sorted.
func (c *checker) put() []string {
	if c.puts == nil {
		c.puts = []string{}
		for _, a := range c.all {
			a.Each(func(s *automation.Step) {
				if x, ok := s.Action.(automation.Tag); ok {
					c.puts = append(c.puts, x.Tag)
				}
			})
		}
		slices.Sort(c.puts)
		c.puts = slices.Compact(c.puts)
	}
	return c.puts
}

// tagsRead are the tags that an automation looks for in a list, sorted.
func tagsRead(a *automation.Automation, list string) []string {
	out := a.Condition.Texts(list)
	a.Each(func(s *automation.Step) {
		switch x := s.Action.(type) {
		case automation.If:
			out = append(out, x.Cond.Texts(list)...)
		case automation.ForEach:
			if x.Cond != nil {
				out = append(out, x.Cond.Texts(list)...)
			}
		case automation.Assign:
			out = append(out, x.Value.Texts(list)...)
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}
