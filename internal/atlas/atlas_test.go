package atlas

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/schema"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func parse(t testing.TB, text string) *automation.Automation {
	t.Helper()
	a, err := automation.Parse("x.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rule is an automation with a mail that nobody reads.
func rule(t testing.TB, name, on, rest string) *automation.Automation {
	t.Helper()
	return parse(t, "automation: "+name+"\nowner: risk@shop.example\nwhy: a sample\non: "+on+"\nmode: active\n"+rest)
}

// sample is a shop with a web shop, a warehouse that answers, and a mail system.
func sample(t testing.TB) *Input {
	day := func(out bool, system, what, via string, n, minor int64) Flow {
		return Flow{Ago: 1, Out: out, System: system, What: what, Via: via, N: n, Orders: n, Minor: minor, Last: noon.Add(-24 * time.Hour)}
	}
	return &Input{
		At: noon, Shop: "Sample", Currency: "EUR", OpsOwner: "ops@shop.example", Mail: "mail", Fulfilment: "warehouse", Alerts: []string{"alerts"},
		Automations: []*automation.Automation{
			rule(t, "hold-large", "order.placed", "when: order.total > money(\"400\", \"EUR\") && customer.orders == 0\ndo:\n  - hold: { queue: risk, reason: large }\n"),
			rule(t, "confirm", "order.accepted", "do:\n  - message: { template: order-confirmation, to: customer }\n"),
			rule(t, "shipped", "shipment.shipped", "do:\n  - message: { template: shipping-update, to: customer }\n"),
			rule(t, "tell-crm", "order.placed", "do:\n  - webhook: { connection: crm }\n"),
		},
		Connections: []Connection{{Name: "mail", Kind: "smtp"}, {Name: "warehouse", Kind: "webhook"}, {Name: "alerts", Kind: "webhook"}, {Name: "counts", Kind: "inbound", EventType: "stock.counted"}},
		Flows: []Flow{
			day(false, "web-shop", "order.placed", "shop-token", 200, 2_000_000), day(false, "wms", "shipment.shipped", "", 180, 1_800_000),
			day(true, "warehouse", "fulfilment", "", 190, 1_900_000), day(true, "mail", "order-confirmation", "confirm", 195, 1_950_000), day(true, "mail", "shipping-update", "shipped", 180, 1_800_000),
		},
		Acts:   map[string]Activity{"hold-large": {Considered: 200, Fired: 10, Last: noon}, "confirm": {Considered: 195, Fired: 195, Last: noon}},
		Queues: map[string]int64{"risk": 3}, Accounts: map[string]bool{"risk@shop.example": true, "ops@shop.example": false}, Assigned: map[string]int64{"risk@shop.example": 2},
		Tokens:   []Token{{Name: "shop-token", By: "risk@shop.example", Writes: true}},
		Declared: &Declared{Systems: map[string]SystemDecl{"house": {Owner: "ops@shop.example", Sources: []string{"wms"}, Connections: []string{"warehouse"}}}},
	}
}

func edge(m *Map, from, to string, kind EdgeKind) *Edge {
	for _, e := range m.From(from) {
		if e.To == to && e.Kind == kind {
			return e
		}
	}
	return nil
}

func TestBuild(t *testing.T) {
	m := Build(sample(t))
	for _, c := range []struct {
		from, to string
		kind     EdgeKind
		n        int64
	}{
		{"system:web-shop", "datum:order", Sends, 200},
		{"system:web-shop", "datum:price", Sends, 200},
		{"system:house", "datum:shipment", Sends, 180}, // wms and warehouse are one system
		{"datum:document", "system:house", Leaves, 190},
		{"datum:order", "automation:hold-large", Triggers, 10},
		{"datum:customer", "automation:hold-large", Reads, 0},
		{"automation:hold-large", "datum:order state", Writes, 10},
		{"automation:hold-large", "datum:task", Writes, 10},
		{"datum:task", "queue:risk", Leaves, 10},
		{"automation:confirm", "datum:message", Writes, 195},
		{"datum:message", "system:mail", Leaves, 375},
		{"datum:document", "system:crm", Leaves, 0},
		{"system:counts", "datum:stock level", Sends, 0},
	} {
		e := edge(m, c.from, c.to, c.kind)
		if e == nil || e.Volume.N30 != c.n {
			t.Errorf("%s %s %s: %+v, want %d", c.from, c.kind, c.to, e, c.n)
		}
	}
	if m.Node("system:wms") != nil || m.Node("system:warehouse") != nil {
		t.Error("the warehouse stands on the map under its other names too")
	}
	if m.Days != 2 || m.Node("system:web-shop").In.PerDay != 100 {
		t.Errorf("%d days, %v a day", m.Days, m.Node("system:web-shop").In.PerDay)
	}
	a, _ := Build(sample(t)).Structure().Encode()
	if b, _ := m.Structure().Encode(); a != b {
		t.Error("the same input gave another map")
	}
}

func TestImpact(t *testing.T) {
	m := Build(sample(t))
	find := func(name string) *Impact {
		n, err := m.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return m.Impact(n)
	}
	share := func(i *Impact, key string) float64 {
		for _, s := range i.Stops {
			if s.Key == key {
				return s.Share
			}
		}
		return 0
	}
	shop := find("web-shop")
	for _, key := range []string{"datum:order", "automation:hold-large", "automation:confirm", "automation:tell-crm", "queue:risk", "system:mail", "system:house", "automation:shipped"} {
		if share(shop, key) != 1 {
			t.Errorf("without the web shop %s goes on: %v", key, share(shop, key))
		}
	}
	if share(shop, "datum:stock level") == 1 || shop.Orders != 100 || shop.Minor != 1_000_000 || shop.Events != 190 {
		t.Errorf("at stake: %+v", shop)
	}
	house := find("house")
	if share(house, "automation:shipped") != 1 || share(house, "automation:hold-large") != 0 || house.Orders != 95 {
		t.Errorf("without the warehouse: %+v", house)
	}
	mail := find("system:mail")
	if share(mail, "automation:confirm") != 1 || share(mail, "datum:order") != 0 || mail.Effects != 187.5 {
		t.Errorf("without the mail system: %+v", mail)
	}
	if i := find("risk"); share(i, "automation:hold-large") != 1 {
		t.Errorf("without the reviewers: %+v", i)
	}
	if i := find("Orderly"); share(i, "automation:confirm") != 1 || i.Orders != 100 {
		t.Errorf("without Orderly: %+v", i)
	}
}

func TestQuestions(t *testing.T) {
	m := Build(sample(t))
	if _, err := m.Find("warehuose"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if _, err := m.Find("web-shp"); err == nil || !strings.Contains(err.Error(), `did you mean "web-shop"`) {
		t.Error(err)
	}
	d, err := m.Find("shipment", Datum)
	if err != nil {
		t.Fatal(err)
	}
	if ws := m.Writers(d); len(ws) != 1 || ws[0].Name != "house" || !slices.Equal(ws[0].By, []string{"shipment.shipped"}) {
		t.Errorf("shipments are written by %+v", ws)
	}
	var unowned []string
	for _, n := range m.Unowned() {
		unowned = append(unowned, n.Key)
	}
	for _, key := range []string{"system:web-shop", "system:mail", "system:house", "datum:order", "queue:risk"} { // house: its owner's account is closed
		if !slices.Contains(unowned, key) {
			t.Errorf("%s is not among what has no owner: %v", key, unowned)
		}
	}
	if slices.Contains(unowned, "automation:confirm") {
		t.Error("confirm has an owner")
	}
	p, err := m.PersonOf("risk@shop.example")
	if err != nil || len(p.Owns) != 4 || p.Tasks != 2 || !slices.Equal(p.Tokens, []string{"shop-token"}) || p.Account != "open" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := m.PersonOf("rsk@shop.example"); err == nil || !strings.Contains(err.Error(), "did you mean") {
		t.Error(err)
	}
}

func kinds(m *Map) map[GapKind][]Gap {
	out := map[GapKind][]Gap{}
	for _, g := range m.Gaps {
		out[g.Kind] = append(out[g.Kind], g)
	}
	return out
}

func TestGaps(t *testing.T) {
	in := sample(t)
	if g := kinds(Build(in)); len(g[TwoWriters])+len(g[Circle])+len(g[Foreign]) != 0 || len(g[Unreachable]) != 1 || len(g[Unwatched]) != 2 {
		t.Errorf("a plain shop has %+v", g)
	}
	// A second system counts stock, too.
	in.Flows = append(in.Flows, Flow{System: "erp", What: "stock.received", N: 5, Last: noon})
	// What the CRM sends sets off what sends to the CRM.
	in.Connections = append(in.Connections, Connection{Name: "crm", Kind: "webhook"})
	in.Flows = append(in.Flows, Flow{System: "crm", What: "order.placed", N: 1, Orders: 1, Last: noon})
	// Another system is said to be right about tags of orders.
	in.Automations = append(in.Automations, rule(t, "vip", "order.placed", "do:\n  - tag: { tag: vip }\n"))
	in.Declared.Data = map[string]DatumDecl{"tag": {System: "crm"}}
	// Somebody expects order.placed.
	in.Watched = map[string]string{"order.placed": "hold-large"}
	g := kinds(Build(in))
	if len(g[TwoWriters]) != 1 || !strings.Contains(g[TwoWriters][0].Message, "counts and erp") {
		t.Errorf("two writers: %+v", g[TwoWriters])
	}
	if len(g[Circle]) != 1 || !slices.Contains(g[Circle][0].Nodes, "automation:tell-crm") {
		t.Errorf("circles: %+v", g[Circle])
	}
	if len(g[Foreign]) != 1 || !strings.Contains(g[Foreign][0].Message, "vip writes tag") {
		t.Errorf("foreign records: %+v", g[Foreign])
	}
	for _, x := range g[Unwatched] {
		if strings.Contains(x.Message, "order.placed") {
			t.Errorf("watched all the same: %s", x.Message)
		}
	}
	// The watch has learned how often two of them send.
	silent := func(name string) bool {
		return slices.ContainsFunc(kinds(Build(in))[Unwatched], func(x Gap) bool { return slices.Contains(x.Nodes, "system:"+name) })
	}
	if !silent("erp") {
		t.Errorf("nobody watches erp, and nothing says so: %+v", g[Unwatched])
	}
	in.Heard = map[string]bool{"erp": true}
	if silent("erp") {
		t.Error("the watch knows how often erp sends")
	}
	shared := true
	in.Declared.Data["stock level"] = DatumDecl{Shared: &shared}
	if g := kinds(Build(in)); len(g[TwoWriters]) != 0 {
		t.Errorf("shared, and found all the same: %+v", g[TwoWriters])
	}
}

func TestDiff(t *testing.T) {
	before := Build(sample(t)).Structure()
	doc, _ := before.Encode()
	read, err := DecodeStructure(doc)
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(read, before); len(d) != 0 {
		t.Errorf("a map differs from itself: %v", d)
	}
	in := sample(t)
	in.Automations = in.Automations[1:]
	in.Automations = append(in.Automations, rule(t, "new-one", "order.paid", "do:\n  - tag: { tag: paid }\n"))
	in.Flows = append(in.Flows, Flow{System: "web-shop", What: "order.cancelled", N: 1, Last: noon})
	in.Declared.Systems["house"] = SystemDecl{Owner: "risk@shop.example", Sources: []string{"wms"}, Connections: []string{"warehouse"}}
	var texts []string
	for _, c := range Diff(before, Build(in).Structure()) {
		texts = append(texts, c.What+" "+c.Text)
	}
	for _, want := range []string{
		"added automation new-one is new, owned by risk@shop.example", "gone automation hold-large is gone, owned by risk@shop.example",
		"changed system house: owner was ops@shop.example, is risk@shop.example", "added system web-shop sends datum order (order.cancelled) is new",
	} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is missing from %s", want, strings.Join(texts, "\n"))
		}
	}
}

// crowd is a shop with many automations and systems.
func crowd(t testing.TB) *Input {
	in := sample(t)
	types := []string{"order.placed", "order.paid", "shipment.shipped", "return.received", "stock.low", "order.accepted"}
	for i := range 60 {
		do := []string{"tag: { tag: a }", "hold: { queue: risk, reason: large }", "message: { template: order-confirmation, to: customer }", fmt.Sprintf("webhook: { connection: partner-%d }", i%12)}[i%4]
		on := types[i%len(types)]
		if strings.HasPrefix(on, "stock") {
			do = "message: { template: low-stock, to: owner }"
		}
		name := fmt.Sprintf("a-rather-long-name-of-a-rule-%d", i)
		in.Automations = append(in.Automations, rule(t, name, on, "do:\n  - "+do+"\n"))
		in.Acts[name] = Activity{Considered: 1000, Fired: int64(i * i), Last: noon}
	}
	for i := range 8 {
		in.Flows = append(in.Flows, Flow{System: fmt.Sprintf("channel-%d", i), What: types[i%4], N: int64(1 + i*i*300), Orders: 10, Last: noon})
	}
	return in
}

// Nothing lies on anything else, and every label stays in its box.
func TestDrawing(t *testing.T) {
	for name, in := range map[string]*Input{"sample": sample(t), "crowd": crowd(t), "empty": {At: noon, Shop: "Empty"}} {
		m := Build(in)
		l := lay(m)
		drawn := map[string]bool{}
		for layer, col := range l.cols {
			for i, b := range col {
				if b.node != nil {
					drawn[b.node.Key] = true
				}
				if b.y < -0.01 || b.y+b.h > l.h+0.01 {
					t.Errorf("%s: a box of column %d lies outside", name, layer)
				}
				if i > 0 && b.y < col[i-1].y+col[i-1].h {
					t.Errorf("%s: two boxes of column %d lie on each other", name, layer)
				}
			}
		}
		for _, n := range m.Nodes {
			if !drawn[n.Key] {
				t.Errorf("%s: %s is not drawn", name, n.Key)
			}
		}
		for _, d := range []Drawing{{Standalone: true}, {Href: func(n *Node) string { return "/map?node=" + n.Key }, Select: "system:web-shop", Hurt: map[string]float64{"datum:order": 1}}} {
			var b bytes.Buffer
			if err := m.SVG(&b, d); err != nil {
				t.Fatal(err)
			}
			links := 0
			for dec := xml.NewDecoder(&b); ; {
				tok, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: not well formed: %v", name, err)
				}
				if el, ok := tok.(xml.StartElement); ok && el.Name.Local == "a" {
					links++
				}
			}
			if d.Href != nil && links < len(m.Nodes) {
				t.Errorf("%s: %d links for %d nodes", name, links, len(m.Nodes))
			}
		}
	}
}

func TestFit(t *testing.T) {
	if got := fit("hold-address-mismatch-of-large-orders", 11.5, 100); textWidth(got, 11.5) > 100 || !strings.HasPrefix(got, "hold-") || !strings.HasSuffix(got, "ers") || !strings.Contains(got, "…") {
		t.Errorf("%q is %.0f wide", got, textWidth(got, 11.5))
	}
	if got := fit("short", 11.5, 100); got != "short" {
		t.Errorf("%q", got)
	}
}

func TestDeclared(t *testing.T) {
	d, err := ParseDeclared("map.yaml", []byte("systems:\n  erp: { owner: a@shop.example, sources: [sap, sap-2] }\ndata:\n  price: { system_of_record: erp, shared: false }\n"))
	if err != nil || d.Systems["erp"].Sources[1] != "sap-2" || d.Data["price"].System != "erp" {
		t.Errorf("%+v, %v", d, err)
	}
	for text, want := range map[string]string{
		"systems:\n  erp: { onwer: a }\n":                          "map.yaml:2",
		"systems:\n  erp: { owner: nobody }\n":                     "is not a mail address",
		"data:\n  prise: { owner: a@shop.example }\n":              `did you mean "price"`,
		"systems:\n  a: { sources: [x] }\n  b: { sources: [x] }\n": `"x" is said to be a already`,
		"- a\n": "map.yaml",
	} {
		_, err := ParseDeclared("map.yaml", []byte(text))
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || len(f.Problems) == 0 || !strings.Contains(f.Problems[0].Pointer+" "+f.Problems[0].Message, want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseDeclared(f *testing.F) {
	for _, s := range []string{"", "systems: {}", "systems:\n  a: { owner: a@b.example, sources: [x], connections: [y] }\ndata: { price: { shared: true } }", "data: [", "&a *a", "systems: { ? : }", "queues: {x: !!binary y}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseDeclared("map.yaml", text)
		if err != nil {
			if e, _ := errors.AsType[*fault.Error](err); e == nil || e.Kind != fault.Invalid || len(e.Problems) == 0 {
				t.Fatalf("got %v", err)
			}
			return
		}
		m := Build(&Input{At: noon, Shop: "x", Declared: d})
		if err := m.SVG(io.Discard, Drawing{Standalone: true}); err != nil {
			t.Fatal(err)
		}
	})
}

// The built-in decisions are declared by hand: their data must be there.
func TestCoreNamesData(t *testing.T) {
	for _, name := range append(slices.Clone(coreReads), coreWrites...) {
		if !slices.ContainsFunc(schema.Data(), func(d schema.Datum) bool { return d.Name == name }) {
			t.Errorf("there is no datum %q", name)
		}
	}
}
