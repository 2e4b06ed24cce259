package console

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
	"orderly.example/orderly/internal/store"
)

// Small functions that the templates use.

func pathEscape(s string) string  { return url.PathEscape(s) }
func queryEscape(s string) string { return url.QueryEscape(s) }

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func firstOf(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

func contains(ss []string, s string) bool { return slices.Contains(ss, s) }

func sortedKeys(m map[string]string) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}

func tabAttr(on bool) templ.Attributes {
	if on {
		return templ.Attributes{"aria-current": "true"}
	}
	return nil
}

func zoneName(t time.Time, ctx context.Context) string {
	name, off := ui.Local(ctx, t).Zone()
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		return "UTC" + name
	}
	if off == 0 {
		return name
	}
	return fmt.Sprintf("%s (UTC%+03d:%02d)", name, off/3600, int(math.Abs(float64(off%3600)))/60)
}

// live triggers: only the first page of a list refreshes by itself, so that nothing moves under a reader further back.
func liveIfFirst(first bool) string {
	if first {
		return "live:orders from:body throttle:3s"
	}
	return "none"
}

func liveStock(first bool) string {
	if first {
		return "live:stock from:body throttle:3s"
	}
	return "none"
}

func liveEffects(first bool) string {
	if first {
		return "live:effects from:body throttle:3s"
	}
	return "none"
}

func nextHref(next string, f filterView) string {
	if next == "" {
		return ""
	}
	return "/orders" + f.query("after", next)
}

func ordersFoot(ctx context.Context, v ordersView) string {
	s := ui.Plural(int64(len(v.Rows)), "order", "orders") + " on this page"
	if v.Filter.Sort == string(store.SortTotal) {
		s += fmt.Sprintf(", the largest among the newest %s that fit", ui.Number(store.ScanCap))
	}
	if !v.Back.IsZero() {
		s += fmt.Sprintf("; looked through %s orders back to %s", ui.Number(int64(v.Looked)), ui.Local(ctx, v.Back).Format("2 January 2006"))
	}
	return s
}

func cancelText(o *order.Order) string {
	s := "What is reserved is given back, and waiting messages are withdrawn."
	if o.Captured.Minor > o.Refunded.Minor {
		s += " " + ui.Amount(o.Captured.Sub(o.Refunded)) + " " + o.Currency + " was captured: a refund task is opened."
	}
	return s + " A cancelled order does not come back."
}

func allocationsOf(o *order.Order, sku string) []order.Allocation {
	var out []order.Allocation
	for _, a := range o.Allocations {
		if a.SKU == sku {
			out = append(out, a)
		}
	}
	return out
}

// componentAllocations are those of SKUs that are no line of their own: parts of kits.
func componentAllocations(o *order.Order) []order.Allocation {
	var out []order.Allocation
	for _, a := range o.Allocations {
		if !slices.ContainsFunc(o.Lines, func(l order.Line) bool { return l.SKU == a.SKU }) {
			out = append(out, a)
		}
	}
	return out
}

func noAllocation(o *order.Order, sku string) string {
	for _, m := range o.Missing {
		if m.SKU == sku {
			return "missing " + ui.Number(m.Qty)
		}
	}
	switch o.State {
	case order.Held:
		return "not yet: the order is held"
	case order.Cancelled:
		return "nothing: cancelled"
	case order.Unfillable, order.Backordered:
		return "nothing reserved"
	}
	if len(componentAllocations(o)) > 0 {
		return "as a kit, see below"
	}
	return "nothing"
}

func locationName(names map[string]string, id string) string {
	if n := names[id]; n != "" {
		return n
	}
	if id == stock.Opening {
		return "History (opening)"
	}
	return id
}

func automatonText(c decide.Considered) string {
	if c.Outcome == "unknown" {
		return "could not be decided: " + c.Error
	}
	did := strings.Join(c.Did, "; ")
	if why := c.NotDone(); why != "" {
		if did == "" {
			did = "nothing"
		}
		return "would have fired, but " + why + "; it would have done: " + did
	}
	if did == "" {
		return "fired"
	}
	return "did: " + did
}

// PlanText says in one line what a plan comes to.
func PlanText(p *routing.Plan) string {
	s := ui.Plural(int64(p.Parcels), "parcel", "parcels")
	if p.CostMinor.Currency != "" {
		s += ", " + ui.Amount(p.CostMinor) + " " + p.CostMinor.Currency
	}
	if p.DistanceKnown && p.DistanceKM > 0 {
		s += fmt.Sprintf(", %s km", ui.Number(int64(p.DistanceKM+0.5)))
	}
	if p.Exact {
		s += ", proved best"
	}
	return s
}

func verdictName(v routing.Verdict) string { return firstOf(v.Name, v.Location) }

// ScoreText says a plan's figure for each goal in its unit.
func ScoreText(ss []routing.Score, currency string) string {
	parts := make([]string, 0, len(ss))
	for _, s := range ss {
		v := strings.TrimSuffix(fmt.Sprintf("%.1f", s.Value), ".0")
		switch {
		case s.Value < 0:
			v = "not known"
		case s.Goal == routing.Cost && currency != "":
			v = ui.Amount(money.New(int64(s.Value), currency)) + " " + currency
		case s.Goal == routing.Distance:
			v = ui.Number(int64(s.Value+0.5)) + " km"
		case s.Goal == routing.Promise:
			v += " d"
		case s.Goal == routing.Load:
			v += " %"
		}
		parts = append(parts, string(s.Goal)+" "+v)
	}
	return strings.Join(parts, " · ")
}

// whyText says in one line why an automation fired (the values that made it) or
// did not (the first part that decided).
func whyText(e Explanation) string {
	leaves := e.Tree.Leaves()
	if len(leaves) == 0 {
		return e.Reason
	}
	if e.Outcome != "true" {
		return automation.Said(leaves[0])
	}
	var parts []string
	for _, l := range leaves {
		for _, k := range sortedKeys(l.Values) {
			if v := automation.FactLabel(k) + ": " + automation.Told(l.Values[k]); !slices.Contains(parts, v) {
				parts = append(parts, v)
			}
		}
	}
	if len(parts) == 0 {
		return automation.Said(leaves[0])
	}
	return strings.Join(parts, " · ")
}

// whyCounts says how many fired and how many did not.
func whyCounts(es []Explanation) string {
	var fired, would, unknown int64
	for _, e := range es {
		switch {
		case e.Fired:
			fired++
		case e.Outcome == "true":
			would++
		case e.Outcome == "unknown":
			unknown++
		}
	}
	s := ui.Number(fired) + " fired"
	if would > 0 {
		s += ", " + ui.Number(would) + " would have"
	}
	if unknown > 0 {
		s += ", " + ui.Number(unknown) + " could not tell"
	}
	if no := int64(len(es)) - fired - would - unknown; no > 0 {
		s += ", " + ui.Number(no) + " did not"
	}
	return s
}

func withCurrency(a money.Amount, cur string) money.Amount {
	if a.Currency == "" {
		a.Currency = cur
	}
	return a
}

func lineName(l order.Line) string { return firstOf(l.Title, l.SKU) }

// stock

// query is the address of the list with another place in it; "" is its beginning.
func (v stockView) query(after string) string {
	return "/stock" + stockQuery(v.Search, v.Location, v.LowOnly, v.All && v.Search == "", after)
}

func stockQuery(search, location string, low, all bool, after string) string {
	q := url.Values{}
	if search != "" {
		q.Set("q", search)
	}
	if location != "" {
		q.Set("location", location)
	}
	if low {
		q.Set("low", "1")
	}
	if all {
		q.Set("all", "1")
	}
	if after != "" {
		q.Set("after", after)
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func stockNext(v stockView) string {
	if v.Next == "" {
		return ""
	}
	return v.query(v.Next)
}

func boundedText(v stockView) string {
	s := ui.Plural(int64(len(v.Rows)), "product", "products") + " on this page"
	if v.Bounded {
		s += "; a part of the products was looked at, the next page goes on"
	}
	return s
}

func ledgerHref(sku, location, after string) string {
	return "/stock/" + pathEscape(sku) + stockQuery("", location, false, false, after)
}

func nextLedger(v ledgerView) string {
	if v.Next == "" {
		return ""
	}
	return ledgerHref(v.Row.SKU, v.Location, v.Next)
}

func ledgerTitle(v ledgerView) string {
	if v.Location == "" {
		return "Ledger, all locations"
	}
	return "Ledger, " + locationName(v.Names, v.Location)
}

func ledgerWho(r store.LedgerRow) string {
	return strings.Join(slices.DeleteFunc([]string{r.Note, r.Type, r.Actor}, func(s string) bool { return s == "" }), " · ")
}

// route says from where to where a move went: the place once when it stayed there.
func route(names map[string]string, r store.LedgerRow) string {
	if r.FromLoc == r.ToLoc {
		return locationName(names, r.FromLoc) + ": " + r.FromBuck + " → " + r.ToBuck
	}
	end := func(loc, bucket string) string {
		if loc == "" {
			return bucket
		}
		return locationName(names, loc)
	}
	return end(r.FromLoc, r.FromBuck) + " → " + end(r.ToLoc, r.ToBuck)
}

func orderNumber(numbers map[string]string, id string) string {
	return firstOf(numbers[id], ui.ShortID(id))
}

// dateType shows a moment of a day with its clock.
func dateType(value string) string {
	if strings.Contains(value, "T") {
		return "datetime-local"
	}
	return "date"
}

func lowMeaning(low bool) ui.Meaning {
	if low {
		return ui.Danger
	}
	return ui.Done
}

func lowNote(r store.StockRow) string {
	s := ui.Number(r.OnHand) + " on hand, " + ui.Number(r.Reserved) + " reserved"
	if r.LowAt > 0 {
		s += ", low at " + ui.Number(r.LowAt)
	}
	return s
}

func qtyLabel(verb string) string {
	switch verb {
	case "adjust":
		return "Change (+ or −)"
	case "count":
		return "Counted"
	}
	return "Units"
}

// typed is what was typed into a form that was refused; other forms start empty.
func typed(v ledgerView, form, name string) string {
	if v.Form != form {
		return ""
	}
	return v.Values.Get(name)
}

func chosen(v ledgerView, form, name string) string {
	if s := typed(v, form, name); s != "" {
		return s
	}
	if name == "to" && len(v.Options) > 1 {
		return v.Options[1].Value
	}
	if name != "to" {
		return v.Location
	}
	return ""
}

// sellable leaves out the location that history is recorded against.
func sellable(ls []store.StockLevel) []store.StockLevel {
	return slices.DeleteFunc(slices.Clone(ls), func(l store.StockLevel) bool { return l.Location == stock.Opening })
}

// zoneOf names the zone of the shop's times.
func zoneOf(s Shop) string {
	if s.Zone == nil {
		return "UTC"
	}
	return s.Zone.String()
}

// listEnd is what follows the i-th of n things told in a row.
func listEnd(i, n int) string {
	if i < n-1 {
		return ","
	}
	return "."
}

// pastOrders says how a customer's orders ended.
func pastOrders(c *customer.Customer) string {
	var ends []string
	if c.Cancelled > 0 {
		ends = append(ends, ui.Number(c.Cancelled)+" cancelled")
	}
	if c.Returns > 0 {
		ends = append(ends, ui.Number(c.Returns)+" returned")
	}
	return strings.Join(ends, ", ")
}

// automations

// modeNow is the mode of an automation, or that it is stopped.
func modeNow(a automationView) string {
	if a.Stopped {
		return "stopped"
	}
	return a.Mode
}

func modeText(a automationView) string {
	if a.Stopped {
		return "Stopped"
	}
	if a.Mode == "canary" && a.Share > 0 {
		return fmt.Sprintf("Canary, %d %%", a.Share)
	}
	return title(a.Mode)
}

func sparkLabel(a automationView, days int) string {
	text := fmt.Sprintf("%d days: considered %d, fired %d", days, a.Considered, a.Fired)
	if a.Would > 0 {
		text += fmt.Sprintf(", would have fired %d", a.Would)
	}
	return text
}

func firedHref(r firedRow) string { return eventHref(r.Ev) }

func firedName(r firedRow) string {
	if r.Row != nil {
		return r.Row.Number
	}
	return ui.ShortID(firstOf(r.Ev.Subject, r.Ev.ID))
}

// eventOrder is the order that an event is about, or "".
func eventOrder(e store.EventRow) string {
	if strings.HasPrefix(e.Subject, "ord_") {
		return e.Subject
	}
	return ""
}

func eventHref(e store.EventRow) string {
	switch {
	case eventOrder(e) != "":
		return "/orders/" + e.Subject
	case strings.HasPrefix(e.Type, "stock."):
		return "/stock/" + pathEscape(e.Subject)
	case strings.HasPrefix(e.Type, "task."):
		return "/review/" + pathEscape(e.Subject)
	}
	return "/effects?tab=quarantine"
}

// effects

func effectHref(e store.EffectRow) string {
	if e.OrderID != "" {
		return "/orders/" + e.OrderID
	}
	return "/effects?tab=" + map[bool]string{true: "dead", false: "waiting"}[e.State == "dead"]
}

func nextEffects(v effectsView) string {
	if v.Next == "" {
		return ""
	}
	return "/effects?tab=" + v.Tab + "&after=" + queryEscape(v.Next)
}

// settings

func scopeText(s access.Scope) string {
	switch s {
	case access.EventsWrite:
		return "send events"
	case access.Read:
		return "read"
	}
	return "do everything"
}

func roleOptions() []ui.Option {
	var out []ui.Option
	text := map[access.Role]string{
		access.Viewer: "sees everything, changes nothing", access.Agent: "works reviews and orders",
		access.Operator: "stock, automations, dead letters", access.Admin: "people, tokens, settings",
	}
	for _, r := range access.Roles() {
		out = append(out, ui.Option{Value: string(r), Label: title(string(r)) + ": " + text[r]})
	}
	return out
}

func addressesDiffer(o *order.Order) addressDiff {
	s, b := o.Shipping, o.Billing
	d := addressDiff{
		Country: b.Country != "" && b.Country != s.Country,
		Postal:  b.Postal != "" && !strings.EqualFold(b.Postal, s.Postal),
		City:    b.City != "" && !strings.EqualFold(b.City, s.City),
		Line:    b.Line1 != "" && !strings.EqualFold(b.Line1, s.Line1),
	}
	d.Any = b != (event.Address{}) && (d.Country || d.Postal || d.City || d.Line)
	return d
}

// middle shortens a long order number in its middle, as numbers tend to differ at both ends;
// who shows it puts the whole text into the title.
func middle(text string) string {
	r := []rune(text)
	if len(r) <= 18 {
		return text
	}
	return string(r[:8]) + "…" + string(r[len(r)-8:])
}
