package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// tellAccount prints an order's account for people; justWhy leaves out all but the automations.
func (p *program) tellAccount(a account, justWhy, parts bool) {
	o := a.Order
	p.say(0, "", "%s %s is %s (%s)", o.Channel, o.Number, plain(o.State), o.ID)
	for _, h := range o.Holds {
		p.say(2, "", "held: %s", h)
	}
	for _, m := range o.Missing {
		p.say(2, "", "missing: %s", m)
	}
	if !justWhy {
		p.tellStory(a)
		p.printf("\nWhy, and why not\n")
	}
	if a.Unasked != "" {
		p.say(2, "", "%s", a.Unasked)
	}
	if justWhy && len(a.Automations) > 0 {
		p.say(2, "", "times in %s", a.zone)
	}
	p.tellWhy(a.Automations, parts, a.zone)
	if justWhy {
		return
	}
	p.tellRouting(a.Routing, a.zone)
	p.tellEffects(a.Effects, a.zone)
}

func (p *program) tellStory(a account) {
	p.printf("\nStory, times in %s\n", a.zone)
	if a.Cut {
		p.printf("  (only the newest steps)\n")
	}
	day := ""
	for _, s := range a.Story {
		at := s.At.In(a.zone)
		if d := at.Format("Monday 2 January 2006"); d != day {
			day = d
			p.printf("  %s\n", d)
		}
		head := s.Title
		if s.To != "" {
			head += " → " + plain(string(s.To))
		}
		if s.Who != "" {
			head += ", " + s.Who
		}
		p.say(2, at.Format("15:04:05"), "%s", head)
		for _, l := range s.Lines {
			p.say(11, "", "%s", l)
		}
		for _, x := range s.Automations {
			p.say(11, "", "%s %s", x.Name, x.Text)
		}
	}
}

func (p *program) tellWhy(xs []engine.Explanation, parts bool, zone *time.Location) {
	event := ""
	for _, x := range xs {
		if x.EventID != event {
			event = x.EventID
			p.printf("  when %s (%s) at %s\n", schema.EventLabel(x.EventType), x.EventType, clock(x.At, zone))
		}
		verdict := x.Outcome
		if x.Mode != "active" {
			verdict += " (" + string(x.Mode) + ")"
		}
		if x.NotDone != "" {
			verdict += ", " + x.NotDone
		}
		p.say(4, fmt.Sprintf("%-12s", verdict), "%s", x.Automation)
		for _, d := range x.Did {
			p.say(17, "", "%s", d)
		}
		if parts {
			if x.Why != "" {
				p.say(17, "", "why it exists: %s", x.Why)
			}
			p.tellNode(x.Tree, 17)
			continue
		}
		for _, r := range x.Reasons {
			p.say(17, "", "%s", r)
		}
	}
}

// tellNode prints a condition part by part; what decided is marked.
func (p *program) tellNode(n rule.Node, indent int) {
	mark := " "
	if n.Decisive {
		mark = "*"
	}
	if len(n.Children) == 0 || n.Loop {
		p.say(indent, mark, "%s", automation.Said(n))
		if !n.Loop {
			return
		}
	} else {
		p.say(indent, mark, "%-7s %s", n.Outcome, automation.Clause(n))
	}
	for _, c := range n.Children {
		p.tellNode(c, indent+2)
	}
}

func (p *program) tellRouting(r *accountRouting, zone *time.Location) {
	p.printf("\nWhere it ships from\n")
	if r == nil {
		p.printf("  It was not routed.\n")
		return
	}
	p.say(2, "", "%s, decided at %s", r.Summary, clock(r.At, zone))
	for _, c := range r.Candidates {
		mark, name := " ", c.Location
		if c.Chosen {
			mark = "*"
		}
		if c.Name != "" && c.Name != c.Location {
			name = c.Name + " (" + c.Location + ")"
		}
		km := ""
		if c.DistanceKM != nil {
			km = ", " + ui.Number(int64(*c.DistanceKM+0.5)) + " km"
		}
		p.say(2, mark, "%s%s: %s", name, km, c.Reason)
		if c.scores != "" {
			p.say(6, "", "%s", c.scores)
		}
	}
	for _, m := range r.More {
		p.say(4, "", "and %d more: %s", m.Count, m.Reason)
	}
	if !r.Exact && r.Bound != "" {
		p.say(2, "", "The search was bounded: %s", r.Bound)
	}
}

func (p *program) tellEffects(es []effectLine, zone *time.Location) {
	p.printf("\nWhat left the shop\n")
	if len(es) == 0 {
		p.printf("  Nothing had to leave.\n")
	}
	for _, e := range es {
		text := fmt.Sprintf("%s %s through %s", strings.ReplaceAll(e.Purpose, "_", " "), e.Kind, e.Destination)
		switch e.State {
		case string(effect.Done):
			text += ", done at " + clock(e.Done, zone)
		case string(effect.Pending):
			text += ", due at " + clock(e.Due, zone)
		}
		if e.Attempts > 1 || (e.Attempts > 0 && e.State != string(effect.Done)) {
			text += ", " + ui.Plural(int64(e.Attempts), "attempt", "attempts")
		}
		p.say(2, fmt.Sprintf("%-9s", e.State), "%s", text)
		if e.LastError != "" && e.State != string(effect.Done) {
			p.say(12, "", "%s", e.LastError)
		}
	}
}

func plain(state string) string { return strings.ReplaceAll(state, "_", " ") }

func clock(t time.Time, zone *time.Location) string { return t.In(zone).Format("2006-01-02 15:04:05") }

// say prints one line after an indent and a mark. On a terminal a longer line goes on
// below its own beginning; into a file or a pipe it stays one line, as tools like it.
func (p *program) say(indent int, mark, format string, args ...any) {
	head := strings.Repeat(" ", indent)
	if mark != "" {
		head += mark + " "
	}
	_, _ = fmt.Fprintln(p.stdout, wrap(head, fmt.Sprintf(format, args...), p.width()))
}

// width is that of the terminal that standard output is; 0 when it is something else.
func (p *program) width() int {
	if f, ok := p.stdout.(*os.File); ok {
		return terminalWidth(f)
	}
	return 0
}

// wrap breaks text between words so that no line is wider than width; 0 leaves it whole.
// A word that is wider stays whole: an id that was broken could not be copied.
func wrap(head, text string, width int) string {
	hang := len([]rune(head))
	if width <= 0 || width < hang+20 {
		return head + text
	}
	var b strings.Builder
	b.WriteString(head)
	at := hang
	for i, word := range strings.Fields(text) {
		n := len([]rune(word))
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", hang))
			at = hang
		default:
			b.WriteString(" ")
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
