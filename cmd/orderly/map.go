package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/engine"
)

// mapFlags are the flags of "map". At most one question is asked at a time.
type mapFlags struct {
	impact, writes, person, since string
	unowned, asJSON, asSVG        bool
}

func (p *program) mapCommand() *cobra.Command {
	var f mapFlags
	c := &cobra.Command{
		Use: "map", Short: "Show which systems, data and automations hang together", Args: cobra.NoArgs,
		Long: `Show the system map: which systems send, which data they bring, which automations
read and write them, what leaves and to whom, and who answers for each. It is made
from what is configured and from what was observed in the last 30 days; map.yaml in
the policy folder adds what no machine can see: owners, systems of record.

It also answers questions: what stops when a system is down, who writes a datum,
what nobody owns, what depends on a person, what changed since a date. A name may
be that of a system, a datum, an automation or a queue.`,
		Example: examples("orderly map", "orderly map --impact warehouse", "orderly map --writes 'stock level'", "orderly map --unowned",
			"orderly map --person ops@shop.example --json", "orderly map --since 30d", "orderly map --svg > map.svg"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error { return p.showMap(cmd, e, f) })
		},
	}
	fs := c.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.impact, "impact", "", "what stops when `NAME` is down")
	fs.StringVar(&f.writes, "writes", "", "who writes `DATUM`")
	fs.BoolVar(&f.unowned, "unowned", false, "what nobody answers for")
	fs.StringVar(&f.person, "person", "", "what depends on the person with the address `MAIL`")
	fs.StringVar(&f.since, "since", "", "what changed since `WHEN`: a date like 2026-01-31, or an age like 30d")
	fs.BoolVar(&f.asSVG, "svg", false, "draw the map as SVG")
	bindJSON(fs, &f.asJSON)
	bindCommon(fs)
	c.PreRunE = func(*cobra.Command, []string) error {
		n := 0
		for _, asked := range []bool{f.impact != "", f.writes != "", f.unowned, f.person != "", f.since != "", f.asSVG} {
			if asked {
				n++
			}
		}
		if n > 1 || f.asSVG && f.asJSON {
			return usagef("ask one thing at a time")
		}
		return nil
	}
	return c
}

func (p *program) showMap(cmd *cobra.Command, e *engine.Engine, f mapFlags) error {
	if f.since != "" {
		return p.showMapChanges(cmd, e, f)
	}
	m, err := e.FreshMap(cmd.Context())
	if err != nil {
		return err
	}
	var answer any = m
	tell := func() { p.tellMap(m) }
	switch {
	case f.impact != "":
		n, err := m.Find(f.impact)
		if err != nil {
			return err
		}
		imp := m.Impact(n)
		answer, tell = imp, func() { p.tellImpact(m, imp) }
	case f.writes != "":
		n, err := m.Find(f.writes, atlas.Datum)
		if err != nil {
			return err
		}
		ws := m.Writers(n)
		answer = map[string]any{"datum": n.Name, "system_of_record": n.Record, "owner": n.Owner, "writers": ws}
		tell = func() { p.tellWriters(n, ws) }
	case f.unowned:
		nodes := m.Unowned()
		answer, tell = nodes, func() { p.tellUnowned(nodes) }
	case f.person != "":
		d, err := m.PersonOf(f.person)
		if err != nil {
			return err
		}
		answer, tell = d, func() { p.tellPerson(m, d) }
	case f.asSVG:
		return m.SVG(p.stdout, atlas.Drawing{Standalone: true, Zone: p.zone})
	}
	if f.asJSON {
		return p.printJSON(answer)
	}
	tell()
	return nil
}

func (p *program) showMapChanges(cmd *cobra.Command, e *engine.Engine, f mapFlags) error {
	since, err := sinceTime(f.since, p.now())
	if err != nil {
		return err
	}
	c, err := e.MapChanges(cmd.Context(), since)
	if err != nil {
		return err
	}
	if f.asJSON {
		return p.printJSON(c)
	}
	switch {
	case c.Since.IsZero():
		p.printf("The map has not been kept yet: a running server keeps it whenever it changes.\n")
		return nil
	case c.Since.After(since):
		p.printf("The map is kept since %s. Since then:\n", p.day(c.Since))
	default:
		p.printf("Compared with the map of %s:\n", p.day(c.Since))
	}
	for _, x := range c.Changes {
		p.printf("  %-7s  %s\n", x.What, x.Text)
	}
	if len(c.Changes) == 0 {
		p.printf("  nothing changed\n")
	}
	return nil
}

// perDay is a volume as people say it.
func perDay(n float64) string {
	switch {
	case n == 0:
		return "–"
	case n < 0.95:
		return fmt.Sprintf("%.2g", n)
	case n < 9.95:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.0f", n)
}

func (p *program) tellMap(m *atlas.Map) {
	p.printf("%s, %s. Volumes are per day, over the last %s.\n", m.Shop, p.day(m.At), plural(m.Days, "day"))
	section := func(title string, head []string, rows [][]string) {
		if len(rows) > 0 {
			p.printf("\n%s\n", title)
			p.table(head, rows)
		}
	}
	var systems, data, automations, queues [][]string
	for _, n := range m.Nodes {
		last := n.In.Last
		if n.Out.Last.After(last) {
			last = n.Out.Last
		}
		switch n.Kind {
		case atlas.System:
			systems = append(systems, []string{n.Name, n.Detail, perDay(n.In.PerDay), perDay(n.Out.PerDay), p.day(last), dashed(n.Owner)})
		case atlas.Datum:
			var by []string
			for _, w := range m.Writers(n) {
				by = append(by, w.Name)
			}
			data = append(data, []string{n.Name, n.Record, brief(by), perDay(n.In.PerDay), dashed(n.Owner)})
		case atlas.Automation, atlas.Builtin:
			automations = append(automations, []string{n.Name, dashed(n.On), dashed(n.Mode), brief(n.Reads), brief(n.Writes), perDay(n.In.PerDay), dashed(n.Owner)})
		case atlas.Queue:
			queues = append(queues, []string{n.Name, fmt.Sprint(n.Waiting), dashed(n.Owner)})
		}
	}
	section("Systems", []string{"NAME", "WHAT", "SENDS", "GETS", "LAST", "OWNER"}, systems)
	section("Data", []string{"NAME", "SYSTEM OF RECORD", "WRITTEN BY", "PER DAY", "OWNER"}, data)
	section("Automations", []string{"NAME", "ON", "MODE", "READS", "WRITES", "FIRES", "OWNER"}, automations)
	section("Queues", []string{"NAME", "OPEN", "OWNER"}, queues)
	var people [][]string
	for _, who := range m.People {
		people = append(people, []string{who.Mail, who.Account, fmt.Sprint(len(who.Owns))})
	}
	section("People", []string{"MAIL", "ACCOUNT", "OWNS"}, people)
	if len(m.Gaps) > 0 {
		p.printf("\nFindings\n")
	}
	for _, g := range m.Gaps {
		p.tellGap(g)
	}
}

func (p *program) tellGap(g atlas.Gap) {
	severity := "note"
	if g.Warning {
		severity = "warning"
	}
	p.printf("  %-7s %s\n          %s\n", severity, g.Message, g.Remedy)
}

// brief is a list that fits a column.
func brief(words []string) string {
	const most = 4
	switch {
	case len(words) == 0:
		return "–"
	case len(words) > most:
		return strings.Join(words[:most-1], ", ") + fmt.Sprintf(" and %d more", len(words)-most+1)
	}
	return strings.Join(words, ", ")
}

func dashed(s string) string { return cmp.Or(s, "–") }

func (p *program) tellImpact(m *atlas.Map, i *atlas.Impact) {
	p.printf("When %s is down, each day (seen over %s):\n", i.Of.Name, plural(i.Days, "day"))
	p.printf("  %s events do not come in, %s effects wait or are not made\n", perDay(i.Events), perDay(i.Effects))
	p.printf("  %s orders are touched, worth %s\n", perDay(i.Orders), m.Money(i.Minor))
	if len(i.Stops) == 0 {
		p.printf("\nNothing on the map depends on it.\n")
		return
	}
	var rows [][]string
	for _, s := range i.Stops {
		rows = append(rows, []string{strings.Repeat("  ", min(s.Depth-1, 6)) + s.Name, s.Kind, fmt.Sprintf("%.0f %%", 100*s.Share), perDay(s.PerDay), s.Why})
	}
	p.printf("\n")
	p.table([]string{"STOPS", "KIND", "SHARE", "PER DAY", "WHY"}, rows)
}

func (p *program) tellWriters(d *atlas.Node, ws []atlas.Writer) {
	p.printf("%s: %s\nSystem of record: %s. Owner: %s.\n\n", d.Name, d.Doc, d.Record, dashed(d.Owner))
	if len(ws) == 0 {
		p.printf("Nobody writes it.\n")
		return
	}
	var rows [][]string
	for _, w := range ws {
		rows = append(rows, []string{w.Name, w.Kind, strings.Join(w.By, ", "), perDay(w.Volume.PerDay), p.day(w.Volume.Last), dashed(w.Owner)})
	}
	p.table([]string{"WRITTEN BY", "KIND", "WITH", "PER DAY", "LAST", "OWNER"}, rows)
}

func (p *program) tellUnowned(nodes []*atlas.Node) {
	if len(nodes) == 0 {
		p.printf("Everything on the map has an owner.\n")
		return
	}
	var rows [][]string
	for _, n := range nodes {
		why := "no owner"
		if n.Owner != "" {
			why = "the account of " + n.Owner + " is closed"
		}
		rows = append(rows, []string{n.Name, string(n.Kind), why})
	}
	p.table([]string{"NAME", "KIND", "WHY"}, rows)
}

func (p *program) tellPerson(m *atlas.Map, d *atlas.Dependence) {
	account := map[string]string{"open": "has an account", "closed": "has a closed account", "none": "has no account here"}[d.Account]
	p.printf("%s %s.\n", d.Mail, account)
	if d.Orders > 0 {
		p.printf("%s orders a day, worth %s, come by systems they own.\n", perDay(d.Orders), m.Money(d.Minor))
	}
	kinds := map[string][]string{}
	for _, n := range d.Owns {
		kinds[string(n.Kind)] = append(kinds[string(n.Kind)], n.Name)
	}
	say := func(title string, words []string) {
		if len(words) > 0 {
			p.printf("%s: %s\n", title, strings.Join(words, ", "))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		say("Owns, "+k, kinds[k])
	}
	say("Is told", d.Told)
	say("Made the API tokens", d.Tokens)
	if d.Tasks > 0 {
		p.printf("Works on %s.\n", plural(int(d.Tasks), "open task"))
	}
}
