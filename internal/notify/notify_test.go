package notify

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

func set(t testing.TB, own ...*Template) *Set {
	t.Helper()
	s, err := NewSet(own...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t testing.TB, tpl *Template, d Data) Rendered {
	t.Helper()
	r, err := Render(tpl, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// parse reads a template of one text and one HTML part.
func parse(t testing.TB, text, html string) *Template {
	t.Helper()
	src := "---\nsubject: s\n---\n" + text
	if html != "" {
		src += "\n--- html ---\n" + html
	}
	tpl, err := Parse("test", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func TestBuiltInTemplates(t *testing.T) {
	s := set(t)
	if diff := cmp.Diff(s.Names(), slices.Sorted(slices.Values(names(Kinds())))); diff != "" {
		t.Errorf("the built-in templates differ from Kinds (-have +listed):\n%s", diff)
	}
	all, err := files.ReadDir("templates")
	if err != nil || len(all) != len(Kinds()) {
		t.Errorf("%d files for %d kinds, %v", len(all), len(Kinds()), err)
	}
	for _, k := range Kinds() {
		for name, d := range map[string]Data{"with everything": Sample(), "with nothing": {}} {
			r, err := s.Render(k.Name, d)
			if err != nil {
				t.Errorf("%s %s: %v", k.Name, name, err)
				continue
			}
			if r.Subject == "" || strings.TrimSpace(r.Text) == "" || r.HTML == "" {
				t.Errorf("%s %s is incomplete: %+v", k.Name, name, r)
			}
			for _, left := range []string{"{{", "}}", "{%", "%}", "nil", "map[", "__", "\n\n\n"} {
				if strings.Contains(r.Subject+r.Text, left) {
					t.Errorf("%s %s: the text holds %q:\n%s", k.Name, name, left, r.Text)
				}
			}
		}
	}
}

var (
	hrefs  = regexp.MustCompile(`href="([^"]*)"`)
	markup = regexp.MustCompile(`<[^>]*>`)
	wordRE = regexp.MustCompile(`[^\s|:]+`)
)

// contents are the words a reader of the HTML part sees, and where its links lead.
func contents(page string) []string {
	page = page[strings.Index(page, "<body"):]
	var links []string
	for _, m := range hrefs.FindAllStringSubmatch(page, -1) {
		links = append(links, html.UnescapeString(m[1]))
	}
	return wordRE.FindAllString(html.UnescapeString(markup.ReplaceAllString(page, " "))+" "+strings.Join(links, " "), -1)
}

// TestTextAndHTMLSayTheSame: the same words, as often, in both parts of every built-in message.
func TestTextAndHTMLSayTheSame(t *testing.T) {
	s := set(t)
	bare := Sample()
	bare.Customer.Name, bare.Order.Promise, bare.Order.URL, bare.Reason, bare.Missing, bare.Question, bare.Link = "", time.Time{}, "", "", "", "", ""
	bare.Order.Address, bare.Order.Discount, bare.Order.Refunded, bare.Report.Figures = nil, money.Amount{}, money.Amount{}, nil
	bare.Shipment, bare.Incident.Detail, bare.Stock.Location, bare.Stock.Title = Shipment{}, "", "", ""
	for _, d := range []Data{Sample(), bare} {
		for _, name := range s.Names() {
			r, err := s.Render(name, d)
			if err != nil {
				t.Fatal(err)
			}
			text := wordRE.FindAllString(strings.Replace(r.Text, "-- \n", "", 1), -1)
			page := contents(r.HTML)
			slices.Sort(text)
			slices.Sort(page)
			if diff := cmp.Diff(text, page); diff != "" {
				t.Errorf("%s (-text +HTML):\n%s", name, diff)
			}
		}
	}
}

func TestConfirmation(t *testing.T) {
	d := Sample()
	d.Shop.Zone = time.FixedZone("X", 15*3600) // the order's day is the shop's day
	r, err := set(t).Render(OrderConfirmation, d)
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject != "We have your order 1001" {
		t.Errorf("subject %q", r.Subject)
	}
	for _, want := range []string{"Hello Pat Sample,", "of 3 March 2026", "2 × Sample green tea, 250 g", "€8.95 each", "€17.90", "Discount", "-€5.00", "€52.70", "20000 Exampleton", "https://shop.example/orders/1001"} {
		if !strings.Contains(r.Text, want) {
			t.Errorf("the text lacks %q:\n%s", want, r.Text)
		}
		if want != "https://shop.example/orders/1001" && !strings.Contains(r.HTML, want) {
			t.Errorf("the HTML lacks %q", want)
		}
	}
}

func TestHTMLIsWellFormed(t *testing.T) {
	s := set(t)
	for _, name := range s.Names() {
		r, err := s.Render(name, Sample())
		if err != nil {
			t.Fatal(err)
		}
		balanced(t, name, r.HTML)
		for _, bad := range []string{"<script", "<img", "<link", "@import", "javascript:", "url("} {
			if strings.Contains(strings.ToLower(r.HTML), bad) {
				t.Errorf("%s holds %s: a mail loads nothing", name, bad)
			}
		}
		for _, bare := range []string{"<h1>", "<h2>", "<p>", "<li>", "<a href"} {
			if strings.Contains(r.HTML, bare) {
				t.Errorf("%s has a bare %s", name, bare)
			}
		}
		if len(r.HTML) > 90<<10 {
			t.Errorf("%s has %d bytes: some mail programs cut above 100 KB", name, len(r.HTML))
		}
	}
}

var tagRE = regexp.MustCompile(`<(/?)([a-z0-9]+)[^>]*>`)

// balanced checks that every element is closed in order.
func balanced(t *testing.T, name, page string) {
	t.Helper()
	var open []string
	for _, m := range tagRE.FindAllStringSubmatch(page, -1) {
		switch {
		case slices.Contains([]string{"meta", "br"}, m[2]):
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Errorf("%s: </%s> closes %v", name, m[2], open)
			return
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: %v are not closed", name, open)
	}
}

// hostile is data as an attacker would order it.
func hostile() Data {
	evil := `"><script>alert(1)</script>{{ shop.name }}{% assign x = 1 %}'&`
	d := Sample()
	d.Customer.Name, d.Order.Number, d.Reason, d.Missing, d.Question = evil, evil, evil, evil, evil+"\n"+evil
	d.Order.Lines[0].Title, d.Order.Lines[0].SKU = evil, evil
	d.Order.Address = []string{evil, "two\r\nlines"}
	d.Shipment.Carrier, d.Shipment.Tracking, d.Shipment.Lines[0].Title = evil, evil, evil
	d.Stock.Title, d.Stock.SKU = evil, evil
	d.Incident.Title, d.Incident.Detail = evil, evil
	d.Report.Figures[0] = Figure{Label: evil, Value: evil, Note: evil, Link: "javascript:alert(1)"}
	d.Shop.Name, d.Shop.Address = evil, []string{evil}
	d.Order.URL, d.Shipment.URL, d.Link = "javascript:alert(1)", "https://x.example/\"onclick=\"alert(1)", "data:text/html,<script>"
	return d
}

func TestDataCannotBreakOut(t *testing.T) {
	s := set(t)
	own := parse(t, "{{ customer.name }}", `<p title="{{ customer.name | append: reason }}">{{ order.lines.first.title | upcase }} {{ question }}</p>{% for l in order.address %}<p>{{ l }}</p>{% endfor %}`)
	for _, tpl := range append(slices.Collect(mapValues(s.templates)), own) {
		r := written(t, tpl, hostile())
		if strings.Contains(r.HTML, "<script") || strings.Contains(r.HTML, "<SCRIPT") || strings.Contains(r.HTML, "javascript:") || strings.Contains(r.HTML, "data:text") || strings.Contains(r.HTML, `"onclick`) {
			t.Errorf("%s lets data through as HTML:\n%s", tpl.Name, r.HTML)
		}
		balanced(t, tpl.Name, r.HTML)
		if strings.Contains(r.Subject+r.Text+r.HTML, "{{ shop.name }}") && !strings.Contains(r.Subject+r.Text, "{{ shop.name }}{% assign x = 1 %}") {
			t.Errorf("%s ran data as a template", tpl.Name)
		}
		if strings.ContainsAny(r.Subject, "\r\n") {
			t.Errorf("%s: the subject has a line break: %q", tpl.Name, r.Subject)
		}
	}
}

func mapValues[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestAnyDataRenders(t *testing.T) {
	s := set(t)
	str := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "\r\nBcc: x", "<b>", "\xff\x00", strings.Repeat("long ", 2000), "\u2028", "{{ x }}"}))
	rapid.Check(t, func(rt *rapid.T) {
		line := rapid.Custom(func(rt *rapid.T) Line {
			return Line{SKU: str.Draw(rt, "sku"), Title: str.Draw(rt, "title"), Qty: rapid.Int64().Draw(rt, "qty"), Price: money.New(rapid.Int64().Draw(rt, "price"), rapid.SampledFrom([]string{"", "EUR", "JPY", "KWD"}).Draw(rt, "cur"))}
		})
		d := Data{
			Shop: Shop{Name: str.Draw(rt, "shop"), Address: []string{str.Draw(rt, "place")}}, Customer: Person{Name: str.Draw(rt, "name")},
			Order:  Order{Number: str.Draw(rt, "number"), Lines: rapid.SliceOfN(line, 0, 5).Draw(rt, "lines"), URL: str.Draw(rt, "url"), Discount: money.New(rapid.Int64().Draw(rt, "discount"), "EUR")},
			Reason: str.Draw(rt, "reason"), Question: str.Draw(rt, "question"), Incident: Trouble{Title: str.Draw(rt, "title"), Detail: str.Draw(rt, "detail")},
		}
		for _, name := range s.Names() {
			r, err := s.Render(name, d)
			if err != nil {
				rt.Fatalf("%s: %v", name, err)
			}
			if r.Subject == "" || strings.ContainsAny(r.Subject, "\r\n\x00") || len([]rune(r.Subject)) > 200 {
				rt.Fatalf("%s: subject %q", name, r.Subject)
			}
			for _, l := range []string{r.Subject, r.Text, r.HTML} {
				if strings.ContainsAny(l, "\x00\r") || !strings.Contains(strings.ToValidUTF8(l, "\x00"), "") {
					rt.Fatalf("%s holds control characters", name)
				}
			}
		}
	})
}

func TestLongOrders(t *testing.T) {
	d := Sample()
	for len(d.Order.Lines) < 10_000 {
		d.Order.Lines = append(d.Order.Lines, Line{SKU: fmt.Sprintf("S-%d", len(d.Order.Lines)), Title: strings.Repeat("x", 500), Qty: 1, Price: money.New(100, "EUR")})
	}
	r, err := set(t).Render(OrderConfirmation, d)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Text, "and 9800 more lines") || !strings.Contains(r.HTML, "and 9800 more lines") {
		t.Error("nothing says that lines are left out")
	}
}

func TestMoney(t *testing.T) {
	for want, a := range map[string]money.Amount{
		"€0.05":               money.New(5, "EUR"),
		"€1,234,567.89":       money.New(123456789, "EUR"),
		"-$5.00":              money.New(-500, "USD"),
		"¥1,200":              money.New(1200, "JPY"),
		"1.234 KWD":           money.New(1234, "KWD"),
		"999.00 CHF":          money.New(99900, "CHF"),
		"-£1,000.00":          money.New(-100000, "GBP"),
		"R$92,233,720,368.55": money.New(9223372036855, "BRL"),
	} {
		if got := Money(a); got != want {
			t.Errorf("Money(%v) = %q, want %q", a, got, want)
		}
	}
}

// TestBindingsAreTheTree: the data hold every variable the checker knows, and no other.
func TestBindingsAreTheTree(t *testing.T) {
	d := Sample()
	for range maxLines {
		d.Order.Lines = append(d.Order.Lines, d.Order.Lines[0])
		d.Shipment.Lines = append(d.Shipment.Lines, d.Shipment.Lines[0])
	}
	var walk func(name string, v *variable, have any)
	walk = func(name string, v *variable, have any) {
		switch v.shape {
		case group:
			m, ok := have.(map[string]any)
			if !ok {
				t.Errorf("%s is a %T", name, have)
				return
			}
			if diff := cmp.Diff(keys(v.fields), keys(m)); diff != "" {
				t.Errorf("%s (-known +there):\n%s", name, diff)
			}
			for f, fv := range v.fields {
				walk(name+"."+f, fv, m[f])
			}
		case list:
			l, ok := have.([]any)
			if !ok || len(l) == 0 {
				t.Errorf("%s is a %T of %d", name, have, len(l))
				return
			}
			walk(name+"[]", v.elem, l[0])
		default:
			switch have.(type) {
			case string, int:
			default:
				// Only the last figures have neither note nor link.
				t.Errorf("%s is %T (%v)", name, have, have)
			}
		}
		if v.doc == "" {
			t.Errorf("%s has no description", name)
		}
	}
	walk("", grp("all", root), any(d.bindings()))
	if n := len(Variables()); n < 40 || Variables()[0].Name != "customer.name" {
		t.Errorf("%d variables, the first is %v", n, Variables()[0])
	}
}

func TestFill(t *testing.T) {
	var d Data
	d.Fill(map[string]string{
		"reason": "r", "missing": "m", "question": "q", "location": "l", "tracking": "t", "carrier": "c", "sku": "s", "title": "T",
		"detail": "d", "date": "2026-03-02", "available": "4", "low_at": "10", "unknown": "x",
	})
	want := Data{
		Reason: "r", Missing: "m", Question: "q", Shipment: Shipment{Location: "l", Tracking: "t", Carrier: "c"},
		Stock: StockLevel{SKU: "s", Title: "T", Available: 4, LowAt: 10, Location: "l"}, Incident: Trouble{Title: "T", Detail: "d"}, Report: Report{Date: "2026-03-02"},
	}
	if diff := cmp.Diff(want, d, cmp.AllowUnexported(time.Location{})); diff != "" {
		t.Error(diff)
	}
	d.Fill(map[string]string{"available": "many"})
	if d.Stock.Available != 4 {
		t.Error("a word became a number")
	}
}

func TestSetOverlays(t *testing.T) {
	own, err := Parse(LowStock, []byte("---\nsubject: ours\n---\nours {{ stock.sku }}\n"))
	if err != nil {
		t.Fatal(err)
	}
	extra, err := Parse("thank-you", []byte("---\nsubject: thanks\n---\nthanks\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := set(t, own, extra)
	if r, err := s.Render(LowStock, Sample()); err != nil || r.Subject != "ours" || r.HTML != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if !s.Has("thank-you") || !s.Has(Incident) || len(s.Names()) != len(Kinds())+1 {
		t.Errorf("names %v", s.Names())
	}
	if r, err := set(t).Render(LowStock, Sample()); err != nil || r.Subject == "ours" {
		t.Errorf("another set changed: %+v, %v", r, err)
	}
	if _, err := NewSet(own, own); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one name twice: %v", err)
	}
	if _, err := s.Render("order-confirmatoin", Sample()); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "did you mean order-confirmation?") {
		t.Errorf("unknown name: %v", err)
	}
	if s.Check(Incident) != "" {
		t.Error("a known name has a problem")
	}
	if _, ok := s.Get(Incident); !ok {
		t.Error("Get finds nothing")
	}
	if _, err := BuiltinSource("../set"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a path as a name: %v", err)
	}
}

func BenchmarkConfirmation(b *testing.B) {
	s, d := set(b), Sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Render(OrderConfirmation, d); err != nil {
			b.Fatal(err)
		}
	}
}
