package console

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
)

// Mapper makes the system map. It is made anew for every call: nothing of it is kept but its changes.
type Mapper interface {
	Map(ctx context.Context) (*atlas.Map, error)
	// MapChanges says what changed on the map since a time.
	MapChanges(ctx context.Context, since time.Time) (*atlas.Changes, error)
}

type mapView struct {
	Page    ui.PageView
	Map     *atlas.Map
	Query   string // what was looked for
	Problem string // why it was not found
	Panel   *mapPanel
	Person  *atlas.Dependence
	Unowned []*atlas.Node // set when it was asked for
	Changes *atlas.Changes
	Since   string
	Svg     templ.Component
	Empty   bool
}

// mapPanel is what there is to say of one node.
type mapPanel struct {
	Node    *atlas.Node
	Impact  *atlas.Impact
	Writers []atlas.Writer
	From    []*atlas.Edge // what flows to it
	To      []*atlas.Edge // what flows from it
	Gaps    []atlas.Gap
	Open    string // its page; "" when there is none for this person
}

func (c *Console) systemMap(w http.ResponseWriter, r *http.Request) error {
	if c.Map == nil {
		return fault.New(fault.Unavailable, "console.map", "the system map is not available on this server")
	}
	m, err := c.Map.Map(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := mapView{Map: m, Query: strings.TrimSpace(q.Get("node")), Since: q.Get("since")}
	v.Empty = !slices.ContainsFunc(m.Nodes, func(n *atlas.Node) bool {
		return n.Kind == atlas.Automation || n.Kind == atlas.System && n.Key != "system:people"
	})
	d := atlas.Drawing{Href: func(n *atlas.Node) string { return mapHref(n.Key) }, Zone: c.Shop().Zone}
	if v.Query != "" {
		if err := v.look(m, &d); err != nil {
			return err
		}
	}
	if q.Get("unowned") != "" {
		v.Unowned = m.Unowned()
	}
	if v.Since != "" {
		since, err := time.ParseInLocation(time.DateOnly, v.Since, c.Shop().Zone)
		if err != nil {
			v.Problem = "A date is written like 2026-01-31."
		} else if v.Changes, err = c.Map.MapChanges(r.Context(), since); err != nil {
			return err
		}
	}
	v.Svg = templ.ComponentFunc(func(_ context.Context, w io.Writer) error { return m.SVG(w, d) })
	if v.Page, err = c.frame(w, r, "Map", "Map"); err != nil {
		return err
	}
	if v.Panel != nil {
		v.Panel.Open = c.pageOf(r, v.Panel.Node)
	}
	return c.show(w, r, http.StatusOK, mapPage(v))
}

// pageOf is the page of a thing on the map, for those who may open it.
func (c *Console) pageOf(r *http.Request, n *atlas.Node) string {
	u, _ := access.UserFrom(r.Context())
	if strings.HasPrefix(n.Href, "/settings/connections/") && (c.Connect == nil || !access.Can(u.Role, access.ManageConnect)) {
		return ""
	}
	return n.Href
}

// look finds what was asked for: a thing on the map, or a person.
func (v *mapView) look(m *atlas.Map, d *atlas.Drawing) error {
	problem := func(err error) error {
		if k := fault.KindOf(err); k != fault.NotFound && k != fault.Invalid {
			return err
		}
		v.Problem = sentence(fault.Message(err))
		return nil
	}
	if strings.Contains(v.Query, "@") {
		person, err := m.PersonOf(v.Query)
		if err != nil {
			return problem(err)
		}
		v.Person = person
		return nil
	}
	n, err := m.Find(v.Query)
	if err != nil {
		return problem(err)
	}
	p := &mapPanel{Node: n, Impact: m.Impact(n), From: m.To(n.Key), To: m.From(n.Key)}
	if n.Kind == atlas.Datum {
		p.Writers = m.Writers(n)
	}
	for _, g := range m.Gaps {
		if slices.Contains(g.Nodes, n.Key) {
			p.Gaps = append(p.Gaps, g)
		}
	}
	v.Panel, d.Select, d.Hurt = p, n.Key, map[string]float64{}
	for _, s := range p.Impact.Stops {
		d.Hurt[s.Key] = s.Share
	}
	return nil
}

// mapSVG answers the drawing as a file of its own.
func (c *Console) mapSVG(w http.ResponseWriter, r *http.Request) error {
	if c.Map == nil {
		return fault.New(fault.Unavailable, "console.map", "the system map is not available on this server")
	}
	m, err := c.Map.Map(r.Context())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := m.SVG(&b, atlas.Drawing{Standalone: true, Zone: c.Shop().Zone}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="system-map-`+m.At.In(c.Shop().Zone).Format(time.DateOnly)+`.svg"`)
	_, err = w.Write(b.Bytes())
	return err
}

func mapHref(key string) string { return "/map?node=" + queryEscape(key) + "#panel" }

// mapDay is a volume a day as tables show it.
func mapDay(v atlas.Volume) string {
	if v.N30 == 0 {
		return "–"
	}
	return perDayText(v.PerDay)
}

func perDayText(n float64) string {
	switch {
	case n == 0:
		return "–"
	case n < 0.095:
		return "<0.1"
	case n < 9.95:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
	}
	return ui.Number(int64(n + 0.5))
}

func mapLast(n *atlas.Node) time.Time {
	if n.Out.Last.After(n.In.Last) {
		return n.Out.Last
	}
	return n.In.Last
}

func gapMeaning(g atlas.Gap) ui.Meaning {
	if g.Warning {
		return ui.Attention
	}
	return ui.Neutral
}

func nodesOf(m *atlas.Map, kinds ...atlas.Kind) []*atlas.Node {
	var out []*atlas.Node
	for _, n := range m.Nodes {
		if slices.Contains(kinds, n.Kind) {
			out = append(out, n)
		}
	}
	return out
}

// kindWords is a kind in the words of a page.
func kindWords(k atlas.Kind) string {
	if k == atlas.Builtin {
		return "built in"
	}
	return string(k)
}

// windowWords say of when the volumes are.
func windowWords(m *atlas.Map) string {
	if m.Days == 1 {
		return "Volumes are of today, the first day that was observed."
	}
	return fmt.Sprintf("Volumes are per day, over the last %d days.", m.Days)
}

func stakeWords(m *atlas.Map, i *atlas.Impact) string {
	if len(i.Stops) == 0 {
		return "Nothing on the map depends on it."
	}
	var parts []string
	if i.Events > 0 {
		parts = append(parts, perDayText(i.Events)+" events do not come in")
	}
	if i.Effects > 0 {
		parts = append(parts, perDayText(i.Effects)+" mails and documents wait or are not made")
	}
	if i.Orders > 0 {
		parts = append(parts, perDayText(i.Orders)+" orders are touched, worth "+ui.Amount(m.Money(i.Minor))+" "+m.Currency)
	}
	if len(parts) == 0 {
		return "Nothing has passed it in the observed days, so there is nothing to count."
	}
	return "Each day " + strings.Join(parts, "; ") + "."
}

func shareText(share float64) string {
	switch {
	case share > 0.995:
		return "all of it"
	case share < 0.01:
		return "under 1 %"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

func otherEnd(m *atlas.Map, n *atlas.Node, e *atlas.Edge) *atlas.Node {
	if e.From == n.Key {
		return m.Node(e.To)
	}
	return m.Node(e.From)
}

func accountWords(a string) string {
	return map[string]string{"open": "has an account", "closed": "the account is closed", "none": "has no account here"}[a]
}

func accountMeaning(a string) ui.Meaning {
	return map[string]ui.Meaning{"open": ui.Done, "closed": ui.Attention, "none": ui.Neutral}[a]
}

func changeMeaning(what string) ui.Meaning {
	return map[string]ui.Meaning{"added": ui.Done, "gone": ui.Attention, "changed": ui.Held}[what]
}

func brief(words []string) string { return strings.Join(words, ", ") }
