package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

func (c *Console) stock(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := stockView{Search: strings.TrimSpace(q.Get("q")), Location: q.Get("location"), LowOnly: q.Get("low") != "", First: q.Get("after") == ""}
	v.All = !v.LowOnly && (q.Get("all") != "" || v.Search != "")
	var all, held store.Capped
	var n store.Counts
	err := c.forLists(r).View(r.Context(), func(tx *store.Tx) error {
		page, err := tx.StockPage(store.StockFilter{Search: v.Search, Location: v.Location, LowOnly: v.LowOnly, Held: !v.All, Cursor: q.Get("after")})
		if err != nil {
			return err
		}
		v.Rows, v.Next, v.Bounded = page.Rows, page.Next, page.Bounded
		if n, err = tx.Counts(c.Now()); err != nil {
			return err
		}
		if all, held, err = tx.StockCounts(); err != nil {
			return err
		}
		v.Locations, v.Names, err = locationOptions(tx)
		return err
	})
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Stock", "Stock"); err != nil {
		return err
	}
	v.NoStock = all.N == 0
	tab := func(label string, n store.Capped, low, all, current bool) tabView {
		search := v.Search
		if !low && !all { // a search looks through all products
			search = ""
		}
		t := tabView{Label: label, Href: "/stock" + stockQuery(search, v.Location, low, all, ""), Current: current}
		if n.N > 0 {
			t.Count = capped(n)
		}
		return t
	}
	v.Tabs = []tabView{
		tab("In stock", held, false, false, !v.LowOnly && !v.All), tab("Low", n.LowStock, true, false, v.LowOnly), tab("All products", all, false, true, v.All),
	}
	return c.show(w, r, http.StatusOK, stockPage(v))
}

func locationOptions(tx *store.Tx) ([]ui.Option, map[string]string, error) {
	ls, err := tx.LocationList()
	names := make(map[string]string, len(ls))
	out := make([]ui.Option, 0, len(ls))
	for _, l := range ls {
		names[l.ID] = firstOf(l.Name, l.ID)
		out = append(out, ui.Option{Value: l.ID, Label: names[l.ID]})
	}
	return out, names, err
}

func (c *Console) ledger(w http.ResponseWriter, r *http.Request) error {
	return c.showLedger(w, r, http.StatusOK, "", "", nil)
}

// showLedger shows one SKU; form names the form that was refused, with the reason and what was typed.
func (c *Console) showLedger(w http.ResponseWriter, r *http.Request, status int, form, problem string, values url.Values) error {
	q := r.URL.Query()
	u, _ := access.UserFrom(r.Context())
	v := ledgerView{
		Location: q.Get("location"), First: q.Get("after") == "", CanAct: access.Can(u.Role, access.ChangeStock),
		Form: form, FormError: problem, Values: values, Keys: [4]string{onceKey(), onceKey(), onceKey(), onceKey()},
	}
	if v.Values == nil {
		v.Values = url.Values{}
	}
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	sku := r.PathValue("sku")
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if v.Row, err = tx.StockOf(sku); err != nil {
			return err
		}
		page, err := tx.Ledger(sku, v.Location, q.Get("after"), 50)
		if err != nil {
			return err
		}
		v.Rows, v.Next = page.Rows, page.Next
		var orders []string
		for _, row := range page.Rows {
			orders = append(orders, row.OrderID)
		}
		if v.Orders, err = orderNumbers(tx, orders); err != nil {
			return err
		}
		if v.Options, v.Names, err = locationOptions(tx); err != nil {
			return err
		}
		for _, l := range sellable(v.Row.Levels) { // stock may stand where no location was ever described
			if _, known := v.Names[l.Location]; !known {
				v.Options = append(v.Options, ui.Option{Value: l.Location, Label: l.Location})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range v.Rows {
		if a := v.Rows[i].Actor; a != "" {
			v.Rows[i].Actor = firstOf(names[a], a)
		}
	}
	if v.Page, err = c.frame(w, r, firstOf(v.Row.Title, sku), "Stock"); err != nil {
		return err
	}
	return c.show(w, r, status, ledgerPage(v))
}

func (c *Console) actOnStock(w http.ResponseWriter, r *http.Request) error {
	sku, verb := r.PathValue("sku"), r.PathValue("action")
	problem := ""
	n, err := strconv.ParseInt(strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("qty"), "−", "-")), 10, 64)
	if err != nil {
		problem = "Units are a whole number."
	}
	reason, loc := strings.TrimSpace(r.PostFormValue("reason")), strings.TrimSpace(r.PostFormValue("location"))
	var data event.Payload
	var done string
	switch verb {
	case "receive":
		data, done = &event.StockReceived{SKU: sku, Location: loc, Qty: n, Note: reason}, "Received "+ui.Plural(n, "unit", "units")+"."
	case "adjust":
		data, done = &event.StockAdjusted{SKU: sku, Location: loc, Delta: n, Reason: reason}, "Adjusted by "+ui.Signed(n)+"."
		if reason == "" && problem == "" {
			problem = "Say why: the next person reads it."
		}
	case "count":
		data, done = &event.StockCounted{SKU: sku, Location: loc, OnHand: n, Note: reason}, "Booked the count of "+ui.Number(n)+"."
	case "transfer":
		data, done = &event.StockTransferred{SKU: sku, From: r.PostFormValue("from"), To: r.PostFormValue("to"), Qty: n}, "Moved "+ui.Plural(n, "unit", "units")+"."
	default:
		return notFound("such step")
	}
	if problem == "" {
		if problem, err = c.unknownPlace(r, sku, r.PostForm["location"], r.PostForm["from"], r.PostForm["to"]); err != nil {
			return err
		}
	}
	if problem != "" {
		return c.showLedger(w, r, http.StatusUnprocessableEntity, verb, problem, r.PostForm)
	}
	ev, err := c.act(r, r.PostFormValue("key"), data)
	if err == nil {
		err = c.submit(r.Context(), ev)
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict:
		if err != nil {
			return c.showLedger(w, r, http.StatusUnprocessableEntity, verb, problemText(err), r.PostForm)
		}
	}
	if err != nil {
		return err
	}
	return c.back(w, r, "/stock/"+pathEscape(sku), ui.Flash{Meaning: ui.Done, Text: done})
}

// unknownPlace says which of the places that a form names the shop does not have; "" when it has all.
func (c *Console) unknownPlace(r *http.Request, sku string, named ...[]string) (problem string, err error) {
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		all, err := tx.AllLocations()
		if err != nil {
			return err
		}
		row, err := tx.StockOf(sku)
		for _, place := range slices.Concat(named...) {
			_, known := all[place]
			if !known && !slices.ContainsFunc(sellable(row.Levels), func(l store.StockLevel) bool { return l.Location == place }) {
				problem = "There is no location " + strconv.Quote(shortText(place)) + ". Choose one of the list."
			}
		}
		return err
	})
	return problem, err
}

// orderNumbers returns the numbers of orders by id, of those there are; "" stands for no order.
func orderNumbers(tx *store.Tx, ids []string) (map[string]string, error) {
	out := map[string]string{}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
	os, err := tx.OrderRows(ids)
	for _, o := range os {
		out[o.ID] = o.Number
	}
	return out, err
}
