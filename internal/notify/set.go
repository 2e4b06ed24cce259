package notify

import (
	"embed"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

//go:embed templates/*.liquid
var files embed.FS

// builtin compiles the built-in templates once. A test holds them to be good, so a
// mistake here cannot ship.
var builtin = sync.OnceValues(func() (map[string]*Template, error) {
	out := map[string]*Template{}
	for _, k := range Kinds() {
		text, err := BuiltinSource(k.Name)
		if err != nil {
			return nil, err
		}
		t, err := Parse(k.Name, text)
		if err != nil {
			return nil, err
		}
		out[k.Name] = t
	}
	return out, nil
})

// BuiltinSource is the text of a built-in template, to begin a shop's own from; NotFound for another name.
func BuiltinSource(name string) ([]byte, error) {
	b, err := files.ReadFile("templates/" + name + ".liquid")
	if err != nil {
		return nil, fault.New(fault.NotFound, "notify.BuiltinSource", "there is no built-in template %q%s", name, didYouMean(name, names(Kinds())))
	}
	return b, nil
}

func names(ks []Kind) []string {
	out := make([]string, len(ks))
	for i, k := range ks {
		out[i] = k.Name
	}
	return out
}

// Set is the templates in force: the built-in ones, each replaced where the shop has
// its own of the same name, and those that only the shop has. It does not change.
type Set struct{ templates map[string]*Template }

// NewSet returns the built-in templates with the shop's own laid over them. Two of one name are Invalid.
func NewSet(own ...*Template) (*Set, error) {
	base, err := builtin()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "notify.NewSet", "a built-in template is broken")
	}
	s := &Set{templates: make(map[string]*Template, len(base)+len(own))}
	for name, t := range base {
		s.templates[name] = t
	}
	seen := map[string]bool{}
	for _, t := range own {
		if seen[t.Name] {
			return nil, fault.New(fault.Invalid, "notify.NewSet", "the template %q is given twice", t.Name)
		}
		seen[t.Name] = true
		s.templates[t.Name] = t
	}
	return s, nil
}

// Get returns a template by its name.
func (s *Set) Get(name string) (*Template, bool) {
	t, ok := s.templates[name]
	return t, ok
}

// Has reports whether there is a template of the name.
func (s *Set) Has(name string) bool { return s.templates[name] != nil }

// Names lists the templates by name.
func (s *Set) Names() []string { return keys(s.templates) }

// Check returns the problem of a template name that an automation uses, or "".
func (s *Set) Check(name string) string {
	if s.Has(name) {
		return ""
	}
	return "there is no template \"" + name + "\"" + didYouMean(name, s.Names()) + " (there are: " + strings.Join(s.Names(), ", ") + ")"
}

// Render writes the message of the template; NotFound when there is none of the name.
func (s *Set) Render(name string, d Data) (Rendered, error) {
	t, ok := s.templates[name]
	if !ok {
		return Rendered{}, fault.New(fault.NotFound, "notify.Render", "%s", s.Check(name))
	}
	return t.render(d)
}

// Sample is data with every part filled, visibly invented: for previews and for trying a
// template before it is taken.
func Sample() Data {
	eur := func(minor int64) money.Amount { return money.New(minor, "EUR") }
	placed := time.Date(2026, time.March, 2, 9, 30, 0, 0, time.UTC)
	lines := []Line{
		{SKU: "TEA-250", Title: "Sample green tea, 250 g", Qty: 2, Price: eur(895)},
		{SKU: "POT-1", Title: "Sample teapot", Qty: 1, Price: eur(3490)},
	}
	return Data{
		Shop: Shop{
			Name: "Sample Shop", URL: "https://shop.example", Email: "help@shop.example",
			Address: []string{"1 Sample Street", "10000 Sampletown"}, Zone: time.UTC,
		},
		Customer: Person{Name: "Pat Sample"},
		Order: Order{
			Number: "1001", PlacedAt: placed, Lines: slices.Clone(lines), Subtotal: eur(5280), Shipping: eur(490), Discount: eur(500), Total: eur(5270), Refunded: eur(895),
			Address: []string{"Pat Sample", "2 Example Road", "20000 Exampleton", "DE"}, Promise: placed.AddDate(0, 0, 4), URL: "https://shop.example/orders/1001",
		},
		Shipment: Shipment{Carrier: "Sample Post", Tracking: "SP123456789", URL: "https://post.example/track/SP123456789", Location: "north", Lines: slices.Clone(lines[:1])},
		Stock:    StockLevel{SKU: "TEA-250", Title: "Sample green tea, 250 g", Available: 4, LowAt: 10, Location: "north"},
		Report: Report{Date: "2026-03-02", Figures: []Figure{
			{Label: "Orders", Value: "128", Note: "12 more than a week before", Link: "https://console.shop.example/orders?from=2026-03-02"},
			{Label: "Order value, cancelled left out", Value: "€6,712.40"},
			{Label: "Held now", Value: "3", Link: "https://console.shop.example/review"},
		}},
		Incident: Trouble{
			Title: "Sending to warehouse failed for good", Detail: "warehouse.example answered 404 Not Found", Since: placed,
			Impact: "12 orders wait, 640.00 EUR", Next: "Mend the destination, then replay what failed on the page Effects.", Evidence: []string{"12 attempts failed within an hour", "the last one that arrived was at 08:12"},
		},
		Reason:   "The last teapots were damaged in our warehouse.",
		Missing:  "1 × POT-1",
		Question: "Is the house number 2 or 20?\nThe carrier could not find it.",
		Link:     "https://console.shop.example/orders/ord_sample",
	}
}
