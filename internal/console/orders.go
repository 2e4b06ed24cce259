package console

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/store"
)

// filterOf reads a filter from a URL.
func filterOf(q url.Values) filterView {
	return filterView{
		Q: strings.TrimSpace(q.Get("q")), State: q.Get("state"), Channel: q.Get("channel"), Country: q.Get("country"),
		Payment: q.Get("payment"), From: q.Get("from"), To: q.Get("to"), Sort: q.Get("sort"),
	}
}

const clockFormat = "2006-01-02T15:04"

// storeFilter reads the filter's words; dates are days of the shop, "to" is the last of them.
func (c *Console) storeFilter(f filterView, after string) (store.OrderFilter, error) {
	const op = "console.orders"
	zone := c.Shop().Zone
	if strings.Contains(f.Q, "@") { // a mail address is never stored in clear: its customer is found by a keyed hash
		if mail := risk.Email(f.Q); mail != "" {
			f.Q = "cus_" + c.Keys.Hash("email", mail)
		}
	}
	out := store.OrderFilter{
		Search: f.Q, Channel: f.Channel, Country: f.Country, Payment: f.Payment, Sort: store.OrderSort(f.Sort), Cursor: after,
	}
	for _, s := range strings.FieldsFunc(f.State, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(order.States(), order.State(s)) {
			return out, fault.New(fault.Invalid, op, "there is no order state %q", s)
		}
		out.States = append(out.States, order.State(s))
	}
	var err error
	if out.From, _, err = moment(f.From, zone); err != nil {
		return out, err
	}
	to, isDay, err := moment(f.To, zone)
	if err != nil {
		return out, err
	}
	if isDay {
		to = to.AddDate(0, 0, 1)
	}
	out.To = to
	switch out.Sort {
	case "", store.SortNewest, store.SortOldest, store.SortTotal:
	default:
		return out, fault.New(fault.Invalid, op, "orders sort by newest, oldest or total, not by %q", f.Sort)
	}
	return out, nil
}

func moment(s string, zone *time.Location) (t time.Time, isDay bool, err error) {
	if s == "" {
		return time.Time{}, false, nil
	}
	if t, err = time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		return t, true, nil
	}
	if t, err = time.ParseInLocation(clockFormat, s, zone); err == nil {
		return t, false, nil
	}
	return t, false, fault.New(fault.Invalid, "console.orders", "%q is not a date like 2026-01-31", s)
}

func (c *Console) orders(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := ordersView{Filter: filterOf(q), First: q.Get("after") == "", Key: onceKey(), Self: r.URL.RequestURI()}
	f, err := c.storeFilter(v.Filter, q.Get("after"))
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Orders", "Orders"); err != nil {
		return err
	}
	u, _ := access.UserFrom(r.Context())
	v.CanAct = access.Can(u.Role, access.ChangeOrder)
	var n store.Counts
	err = c.forLists(r).View(r.Context(), func(tx *store.Tx) error {
		page, err := tx.OrdersPage(f)
		if err != nil {
			return err
		}
		v.Rows, v.Next, v.Looked, v.Back = page.Rows, page.Next, page.Looked, page.Back
		if n, err = tx.Counts(c.Now()); err != nil {
			return err
		}
		if v.Channels, v.Countries, err = tx.OrderFacets(); err != nil {
			return err
		}
		v.Saved, err = tx.SavedFilters("orders", u.ID)
		return err
	})
	if err != nil {
		return err
	}
	if err := c.nameRows(r, v.Rows); err != nil {
		return err
	}
	v.NoOrders = len(v.Rows) == 0 && !v.Filter.any() && v.First
	v.Tabs = orderTabs(v.Filter, n)
	return c.show(w, r, http.StatusOK, ordersPage(v))
}

func orderTabs(f filterView, n store.Counts) []tabView {
	tab := func(label, state string, c *store.Capped) tabView {
		g := f
		g.State = ""
		t := tabView{Label: label, Href: "/orders" + g.query("state", state), Current: f.State == state}
		if c != nil && c.N > 0 {
			t.Count = capped(*c)
		}
		return t
	}
	tabs := []tabView{
		tab("All", "", nil),
		tab("Held", "held", &n.Held),
		tab("Unfillable", "unfillable", &n.Unfillable),
		tab("Backordered", "backordered", &n.Backordered),
		tab("Awaiting payment", "awaiting_payment", &n.AwaitingPayment),
		tab("Ready", "ready", &n.Ready),
		tab("Shipped", "shipped,partially_shipped", nil),
		tab("Completed", "completed", nil),
		tab("Cancelled", "cancelled", nil),
	}
	if f.State == uncancelled() { // what is behind Today's worth
		tabs = append(tabs, tab("Not cancelled", f.State, nil))
	}
	return tabs
}

// uncancelled are all states but cancelled, as the list's address names them.
func uncancelled() string {
	var out []string
	for _, s := range order.Uncancelled() {
		out = append(out, string(s))
	}
	return strings.Join(out, ",")
}

// exportCap is the most rows of one export; the file says when it was reached.
const exportCap = 50_000

// ordersCSV writes what the list shows, page by page, so that memory stays small.
func (c *Console) ordersCSV(w http.ResponseWriter, r *http.Request) error {
	fv := filterOf(r.URL.Query())
	f, err := c.storeFilter(fv, "")
	if err != nil {
		return err
	}
	f.Limit = 500
	u, _ := access.UserFrom(r.Context())
	personal := access.Can(u.Role, access.SeePersonal)
	var cw *csv.Writer
	zone := c.Shop().Zone
	written := 0
	for {
		var page store.OrderPage
		if err := c.forLists(r).View(r.Context(), func(tx *store.Tx) (err error) { page, err = tx.OrdersPage(f); return err }); err != nil {
			return err // before the first row: an error page; afterwards the file ends short
		}
		if personal {
			if err := c.nameRows(r, page.Rows); err != nil {
				return err
			}
		}
		if cw == nil {
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
			w.Header().Set("Content-Disposition", `attachment; filename="orders-`+c.Now().In(zone).Format("2006-01-02-1504")+`.csv"`)
			cw = csv.NewWriter(w)
			_ = cw.Write([]string{"id", "channel", "number", "placed_at", "state", "payment", "customer", "country", "units", "total", "currency", "mode"})
		}
		for _, o := range page.Rows {
			_ = cw.Write([]string{
				o.ID, cell(o.Channel), cell(o.Number), o.PlacedAt.In(zone).Format(time.RFC3339), string(o.State), o.Payment, cell(o.Customer),
				o.Country, strconv.FormatInt(o.Units, 10), o.Total.Decimal(), o.Total.Currency, string(o.Mode),
			})
		}
		written += len(page.Rows)
		if page.Next == "" {
			break
		}
		if written >= exportCap {
			_ = cw.Write([]string{"", "", "the export stops at " + strconv.Itoa(exportCap) + " orders; narrow the filter for the rest"})
			break
		}
		f.Cursor = page.Next
	}
	cw.Flush()
	return nil
}

// cell keeps a spreadsheet from reading a text as a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

const bulkCap = 200

// bulk shows what a bulk action would do; with confirm it does it.
func (c *Console) bulk(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(err, fault.Invalid, "console.bulk", "the form could not be read")
	}
	ids := slices.Compact(slices.Sorted(slices.Values(r.PostForm["id"])))
	back := local(firstOf(r.PostFormValue("back"), "/orders"))
	if len(ids) == 0 {
		return c.back(w, r, back, ui.Flash{Meaning: ui.Attention, Text: "Select orders first."})
	}
	if len(ids) > bulkCap {
		return fault.New(fault.Invalid, "console.bulk", "one bulk action takes at most %d orders", bulkCap)
	}
	v := bulkView{Verb: r.PostFormValue("verb"), Key: r.PostFormValue("key"), Back: back, Reason: strings.TrimSpace(r.PostFormValue("reason"))}
	var rows []store.OrderRow
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) { rows, err = tx.OrderRows(ids); return err })
	if err != nil {
		return err
	}
	for _, o := range rows {
		if why, ok := bulkFits(v.Verb, o.State); ok {
			v.Do = append(v.Do, bulkRow{o, why})
			v.Sum = addTo(v.Sum, o.Total)
		} else {
			v.Skip = append(v.Skip, bulkRow{o, why})
		}
	}
	switch v.Verb {
	case "release":
		v.Label, v.Button = "Release orders", "Release "+ui.Plural(int64(len(v.Do)), "order", "orders")
		v.Consequence = "They go on: stock is reserved where it is not yet, and customers are told. " +
			"The message that follows can hold those again that have not shipped; mail that left stays sent."
	case "hold":
		v.Label, v.Button, v.NeedsReason = "Hold orders", "Hold "+ui.Plural(int64(len(v.Do)), "order", "orders"), true
		v.Consequence = "They stop, and a review task is opened for each. The message that follows can undo it."
	case "cancel":
		v.Label, v.Button, v.NeedsReason = "Cancel orders", "Cancel "+ui.Plural(int64(len(v.Do)), "order", "orders"), true
		v.Consequence = "What is reserved is given back, and where money was captured a refund task is opened. This cannot be undone: a cancelled order does not come back."
	default:
		return fault.New(fault.Invalid, "console.bulk", "there is no bulk action %q", v.Verb)
	}
	if r.PostFormValue("confirm") != "yes" || (v.NeedsReason && v.Reason == "") {
		if v.Page, err = c.frame(w, r, v.Label, "Orders"); err != nil {
			return err
		}
		return c.show(w, r, http.StatusOK, bulkPage(v))
	}
	return c.bulkDo(w, r, v)
}

func (c *Console) bulkDo(w http.ResponseWriter, r *http.Request, v bulkView) error {
	evs := make([]event.Event, 0, len(v.Do))
	step := lastStep{Key: v.Key, Verb: v.Verb, Reason: v.Reason, Back: v.Back}
	for _, row := range v.Do {
		ev, err := c.act(r, v.Key+":"+row.Row.ID, orderPayload(v.Verb, row.Row.ID, row.Row.Channel, row.Row.Number, v.Reason))
		if err != nil {
			return err
		}
		evs, step.Orders = append(evs, ev), append(step.Orders, row.Row.ID)
	}
	done, bad, err := c.submitAll(r, evs)
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: ui.Plural(int64(done), "order", "orders") + " " + pastOf[v.Verb] + "."}
	if bad != "" {
		f = ui.Flash{Meaning: ui.Danger, Text: f.Text + " Not all of them: " + bad}
	}
	if f, err = c.keepStep(r, f, step); err != nil {
		return err
	}
	return c.back(w, r, v.Back, f)
}

// bulkFits says what a step would do with an order in a state, or why it cannot be taken.
func bulkFits(verb string, s order.State) (string, bool) {
	switch verb {
	case "release":
		if s == order.Held {
			return "is released and goes on", true
		}
		return "is not held", false
	case "hold":
		if s.CanGo(order.Held) && s != order.Expected {
			return "stops until a person decides", true
		}
		if s == order.Held {
			return "is held already", false
		}
	case "cancel":
		if s.CanGo(order.Cancelled) && s != order.Expected {
			return "is cancelled; its stock is given back", true
		}
	}
	return "is " + strings.ToLower(stateLabel(s)) + ", which allows no such step", false
}

func addTo(sum []money.Amount, a money.Amount) []money.Amount {
	for i := range sum {
		if sum[i].Currency == a.Currency {
			sum[i] = sum[i].Add(a)
			return sum
		}
	}
	return append(sum, a)
}

func (c *Console) saveFilter(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	name, query := strings.TrimSpace(r.PostFormValue("name")), r.PostFormValue("query")
	page := r.PostFormValue("page")
	if page != "orders" {
		return fault.New(fault.Invalid, "console.saveFilter", "filters are kept for the list of orders only")
	}
	if name == "" || len(name) > 60 || len(query) > 1000 {
		return fault.New(fault.Invalid, "console.saveFilter", "a filter needs a name of at most 60 letters")
	}
	q, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil {
		return fault.New(fault.Invalid, "console.saveFilter", "the filter could not be read")
	}
	query = filterOf(q).query() // nothing but the words of a filter
	s := store.SavedFilter{ID: "flt_" + uuid.NewString(), Page: page, Name: name, Query: query, UserID: u.ID}
	if err := c.Write.Update(r.Context(), func(tx *store.Tx) error { return tx.PutSavedFilter(s) }); err != nil {
		return err
	}
	return c.back(w, r, "/orders"+query, ui.Flash{Meaning: ui.Done, Text: "The filter «" + name + "» is kept for you."})
}

func (c *Console) deleteFilter(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	id := r.PathValue("id")
	if err := c.Write.Update(r.Context(), func(tx *store.Tx) error { return tx.DeleteSavedFilter(id, u.ID) }); err != nil {
		return err
	}
	return c.back(w, r, "/orders", ui.Flash{Meaning: ui.Neutral, Text: "The filter is removed."})
}
