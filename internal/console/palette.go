package console

import (
	"net/http"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/store"
)

// found is one line of the palette.
type found struct {
	Group string `json:"group"`
	Label string `json:"label"`
	Note  string `json:"note,omitempty"`
	Href  string `json:"href,omitempty"`
	Do    string `json:"do,omitempty"` // what the script does itself: theme, keys, signout
}

var palettePages = []found{
	{Label: "Today", Note: "g t", Href: "/"},
	{Label: "Orders", Note: "g o", Href: "/orders"},
	{Label: "Held orders", Href: "/orders?state=held"},
	{Label: "Unfillable orders", Href: "/orders?state=unfillable"},
	{Label: "Review", Note: "g r", Href: "/review"},
	{Label: "My tasks", Href: "/review?mine=1"},
	{Label: "Incidents", Note: "g i", Href: "/incidents"},
	{Label: "Stock", Note: "g s", Href: "/stock"},
	{Label: "Low stock", Href: "/stock?low=1"},
	{Label: "Automations", Note: "g a", Href: "/automations"},
	{Label: "Mails", Href: "/mails"},
	{Label: "Effects", Note: "g e", Href: "/effects"},
	{Label: "Map of systems", Note: "g m", Href: "/map"},
	{Label: "Settings", Note: "g p", Href: "/settings"},
	{Label: "Your account", Href: "/profile"},
	{Label: "People", Href: "/settings/people"},
	{Label: "Audit log", Href: "/audit"},
}

var paletteActions = []found{
	{Label: "Make an API token", Href: "/settings#tokens"},
	{Label: "Export orders as CSV", Href: "/orders.csv"},
	{Label: "Switch theme", Do: "theme"},
	{Label: "Keyboard shortcuts", Note: "?", Do: "keys"},
	{Label: "Sign out", Do: "signout"},
}

// palette answers what fits a few letters: pages, steps on the order that is open, orders, products.
func (c *Console) palette(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	at := r.URL.Query().Get("at")
	u, _ := access.UserFrom(r.Context())
	var out []found
	fits := func(label string) bool {
		for _, word := range strings.Fields(strings.ToLower(q)) {
			if !strings.Contains(strings.ToLower(label), word) {
				return false
			}
		}
		return true
	}
	add := func(group string, fs []found) {
		for _, f := range fs {
			if fits(f.Label) && mayOpen(u, f.Href) {
				f.Group = group
				out = append(out, f)
			}
		}
	}
	if id, ok := strings.CutPrefix(at, "/orders/"); ok && strings.HasPrefix(id, "ord_") && access.Can(u.Role, access.ChangeOrder) {
		add("This order", []found{
			{Label: "Release this order", Href: at + "#do-release"},
			{Label: "Hold this order", Href: at + "#do-hold"},
			{Label: "Route this order again", Href: at + "#do-reroute"},
			{Label: "Cancel this order", Href: at + "#do-cancel"},
		})
	}
	if len(q) >= 2 {
		f, err := c.storeFilter(filterView{Q: q}, "")
		if err != nil {
			return err
		}
		var rows []store.OrderRow
		var products store.StockPage
		err = c.Read.View(r.Context(), func(tx *store.Tx) error {
			page, err := tx.OrdersPage(f)
			if err != nil {
				return err
			}
			rows = page.Rows[:min(len(page.Rows), 6)]
			products, err = tx.StockPage(store.StockFilter{Search: q, Limit: 5})
			return err
		})
		if err != nil {
			return err
		}
		if err := c.nameRows(r, rows); err != nil {
			return err
		}
		for _, o := range rows {
			note := ui.Amount(o.Total) + " " + o.Total.Currency + " · " + stateLabel(o.State)
			out = append(out, found{Group: "Orders", Label: strings.TrimSpace(o.Number + "  " + o.Customer), Note: note, Href: "/orders/" + o.ID})
		}
		if len(rows) == 6 {
			out = append(out, found{Group: "Orders", Label: "All orders that fit «" + q + "»", Href: "/orders?q=" + queryEscape(q)})
		}
		for _, p := range products.Rows {
			out = append(out, found{Group: "Products", Label: firstOf(p.Title, p.SKU), Note: p.SKU + " · " + ui.Number(p.Available()) + " available", Href: "/stock/" + pathEscape(p.SKU)})
		}
	}
	add("Pages", palettePages)
	add("Actions", paletteActions)
	if out == nil {
		out = []found{}
	}
	answerJSON(w, http.StatusOK, out)
	return nil
}

// mayOpen reports whether a person may open a page whose address names nothing.
func mayOpen(u access.User, href string) bool {
	path, _, _ := strings.Cut(href, "?")
	need, ok := access.NeedOf("GET " + path)
	return !ok || need.Act == "" || access.Can(u.Role, need.Act)
}
