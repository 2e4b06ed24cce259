package schema

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var dotted = regexp.MustCompile(`^[a-z]+(\.[a-z][a-z0-9_]*)+$`)

func TestCatalogueIsComplete(t *testing.T) {
	seen := map[string]bool{}
	check := func(f Field) {
		if f.Unit == "" || f.System == "" {
			t.Errorf("%s has no unit or no system of record", f.Name)
		}
		if len(f.Doc) < 10 || !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: the documentation %q is not a sentence", f.Name, f.Doc)
		}
		if f.Type.Noun() == String.Noun() && f.Type != String {
			t.Errorf("%s has the unknown type %q", f.Name, f.Type)
		}
		if seen[f.Name] {
			t.Errorf("%s stands twice", f.Name)
		}
		seen[f.Name] = true
		for _, e := range f.Events {
			if !KnownEvent(e) {
				t.Errorf("%s names the unknown event %q", f.Name, e)
			}
		}
		if f.Events != nil && len(f.Events) == 0 {
			t.Errorf("%s is available nowhere", f.Name)
		}
	}
	for _, f := range Fields("") {
		check(f)
		if !dotted.MatchString(f.Name) {
			t.Errorf("%q is not a dotted name", f.Name)
		}
		if got, ok := Lookup(f.Name); !ok || got.Name != f.Name {
			t.Errorf("%s is not found", f.Name)
		}
	}
	for _, f := range LineFields() {
		check(f)
	}
	if _, ok := Lookup("order.nothing"); ok {
		t.Error("a field that does not exist was found")
	}
}

// A field's name must not be the beginning of another's: order.x.y would then be two things.
func TestNamesAreUnambiguous(t *testing.T) {
	all := Fields("")
	for _, a := range all {
		for _, b := range all {
			if strings.HasPrefix(b.Name, a.Name+".") {
				t.Errorf("%s begins with the field %s", b.Name, a.Name)
			}
		}
	}
}

func TestFieldsPerEvent(t *testing.T) {
	names := func(event string) []string {
		var out []string
		for _, f := range Fields(event) {
			out = append(out, f.Name)
		}
		return out
	}
	if got, want := names("stock.low"), []string{"event.at", "event.mode", "event.type", "stock.available", "stock.low_at", "stock.sku"}; !slices.Equal(got, want) {
		t.Errorf("stock.low: got %q, want %q", got, want)
	}
	if got := names("order.placed"); !slices.Contains(got, "customer.orders") || slices.Contains(got, "stock.sku") || !slices.IsSorted(got) {
		t.Errorf("order.placed: got %q", got)
	}
	if names("nothing") != nil || KnownEvent("nothing") {
		t.Error("an unknown event has fields")
	}
	if len(names("")) <= len(names("order.placed")) {
		t.Error("the whole catalogue is not larger than a part")
	}
}

func TestNearest(t *testing.T) {
	var names []string
	for _, f := range Fields("order.placed") {
		names = append(names, f.Name)
	}
	for in, want := range map[string]string{
		"order.totl":             "order.total",
		"order.toatl":            "order.total",
		"Order.Total":            "order.total",
		"total":                  "order.total",
		"customer.emial_domain":  "customer.email_domain",
		"order.shiping.country":  "order.shipping.country",
		"weather":                "",
		"":                       "",
		strings.Repeat("x", 500): "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%.30q): got %q, want %q", in, got, want)
		}
	}
	if got := Nearest("wen", []string{"when", "why"}); got != "when" {
		t.Errorf("got %q", got)
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestEveryEventHasWords: no list shows the name of a type where a shop's words are expected.
func TestEveryEventHasWords(t *testing.T) {
	for _, typ := range append(Events(), "schedule", "absence") {
		if l := EventLabel(typ); strings.HasSuffix(l, " happens") || strings.Contains(l, ".") {
			t.Errorf("%s is called %q", typ, l)
		}
	}
	for _, f := range Fields("") {
		if l := Label(f.Name); strings.ContainsAny(l, "._") {
			t.Errorf("%s is called %q", f.Name, l)
		}
	}
}

func TestSortNearest(t *testing.T) {
	names := []string{"customer.orders", "order.billing.country", "order.lines", "order.shipping.country", "order.total", "order.subtotal", "order.units"}
	for word, first := range map[string]string{"order.totl": "order.total", "order.country": "order.billing.country", "order.unit": "order.units", "total": "order.total"} {
		got := slices.Clone(names)
		if SortNearest(word, got); got[0] != first {
			t.Errorf("nearest to %s is %v", word, got)
		}
	}
}
