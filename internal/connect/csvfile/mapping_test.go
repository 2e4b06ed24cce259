package csvfile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
)

func TestMappingProblemsSayWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "must hold one YAML document"},
		{"kind: [", "t.yaml:1:7: "},
		{"- a", "t.yaml:1:1: a mapping must be a list of key: value"},
		{"mapping: x", "kind is required"},
		{"kind: order", `t.yaml:1:7: kind must be one of orders, stock, products, locations, got "order" (did you mean "orders"?)`},
		{"kind: stock\nstok: {}", `t.yaml:2:1: a mapping of stock has no "stok" (did you mean "stock"?)`},
		{"kind: stock\nstock: { sku: A, quantiti: B }", `t.yaml:2:18: stock has no "quantiti" (did you mean "quantity"?)`},
		{"kind: stock\nstock: { sku: A }", "stock.quantity is required"},
		{"kind: stock\nkind: stock\n", "t.yaml:2:1"},
		{"kind: stock\nstock: { sku: { colum: A }, quantity: B }", `a field has no "colum" (did you mean "column"?)`},
		{"kind: stock\nstock: { sku: { column: A, const: B }, quantity: B }", "either const or a column"},
		{"kind: stock\nstock: { sku: {}, quantity: B }", "a field needs column"},
		{"kind: stock\nstock: { sku: \"\", quantity: B }", "names no column"},
		{"kind: stock\nstock: { sku: { from: x, column: A }, quantity: B }", `there is no join "x"`},
		{"kind: stock\nstock: { sku: A, quantity: { column: B, sum: true } }", "sum needs from"},
		{"kind: stock\nstock: { sku: A, quantity: { column: B, unit: kg } }", "unit is only for weights"},
		{"kind: products\nproduct: { sku: A, weight: { column: B, unit: t } }", "unit must be one of g, kg, oz, lb"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nchannel: x", `has no "channel"`},
		{"kind: stock\nstock: { sku: A, quantity: B }\nrepeat: twice", "repeat must be one of"},
		{"kind: products\nproduct: { sku: A }\nrepeat: sum", "only stock can be summed"},
		{"kind: stock\nstock: { sku: A, quantity: B }\ndates: { formats: [DD.MM], zone: Mars/Olympus }", "needs a year, a month and a day"},
		{"kind: stock\nstock: { sku: A, quantity: B }\ndates: { zone: Mars/Olympus }", "is not a time zone"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nnumbers: { decimal: \",\", thousands: \",\" }", "must differ"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nnumbers: { decimal: x }", "decimal must be one of"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nfile: { encoding: morse }", "unknown encoding"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nfile: { header_row: 0 }", "header_row must be a whole number from 1 to 1000"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nreject: [ { reason: x } ]", "a reject rule needs when and reason"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nreject: [ { reason: x, when: { column: A } } ]", "a test needs a column and one of"},
		{"kind: stock\nstock: { sku: A, quantity: B }\nreject: [ { reason: x, when: { column: A, empty: maybe } } ]", "empty must be true or false"},
		{"kind: stock\nstock: { sku: A, quantity: B }\njoins: { x: { file: f } }", "a join needs file and key"},
		{"kind: orders\nchannel: c\norder: { number: a, placed_at: b, currency: { const: EURO } }\nline: { sku: a, quantity: b, unit_price: c }", `"EURO" is not a currency`},
		{"kind: orders\nchannel: c\norder: { number: a, placed_at: b, currency: c }\nline: { sku: a, quantity: b }", "either unit_price or line_total"},
		{"kind: orders\norder: { number: a, placed_at: b, currency: c }\nline: { sku: a, quantity: b, unit_price: c }", "channel is required"},
		{"kind: orders\nchannel: c\norder: { number: a, placed_at: b, currency: c, status: { column: s, values: { x: shiped } } }\nline: { sku: a, quantity: b, unit_price: c }", `"shiped" is not a meaning of status (did you mean "shipped"?)`},
		{"kind: orders\nchannel: c\nlines_from: items\norder: { number: a, placed_at: b, currency: c }\nline: { sku: a, quantity: b, unit_price: c }", `there is no join "items"`},
		{"kind: &a stock\nstock: { sku: *a, quantity: B }", "t.yaml:1:7"},
		{strings.Repeat("#", maxMappingBytes+1), "is larger than"},
	} {
		_, err := ParseMapping("t.yaml", []byte(c.text))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestPresetsAreValid(t *testing.T) {
	n := 0
	for _, kind := range []string{Orders, Stock, Products, Locations} {
		for _, name := range Presets(kind) {
			n++
			if m, err := LoadMapping(name, kind); err != nil || m.Name != name || m.Kind != kind {
				t.Errorf("%s %s: %v", name, kind, err)
			}
		}
	}
	if n < 7 {
		t.Errorf("only %d presets", n)
	}
	if _, err := LoadMapping("shopfy", Orders); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), `did you mean "shopify"?`) {
		t.Error(err)
	}
	if _, err := LoadMapping(filepath.Join("presets", "generic-stock.yaml"), Orders); fault.KindOf(err) != fault.Invalid {
		t.Error("a stock mapping is taken for orders:", err)
	}
	if _, err := LoadMapping("./nope.yaml", Orders); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

func TestExamplesAreValid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "examples", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range files {
		dir := filepath.Base(filepath.Dir(f))
		if dir != "olist" && dir != "online_retail" && dir != "amazon_india" && dir != "mappings" {
			continue
		}
		n++
		if _, err := LoadMapping(f, ""); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if b, err := os.ReadFile(f); err != nil || !strings.HasPrefix(string(b), "# ") {
			t.Errorf("%s does not say what it does", f)
		}
	}
	if n < 8 {
		t.Errorf("only %d examples found", n)
	}
}

func preset(t *testing.T, name, kind string) *Mapping {
	t.Helper()
	m, err := LoadMapping(name, kind)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShopifyExport(t *testing.T) {
	sink := newSink(t)
	rep := doImport(t, Options{Path: writeFile(t, "orders_export.csv", `Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Id,Tags,Risk Level,Source
#1001,ann@example.com,paid,2025-10-07 09:50:26 +0200,fulfilled,2025-10-08 14:21:21 +0200,yes,EUR,40.00,4.90,7.00,42.90,TEN,2.00,Standard,2025-10-07 09:50:20 +0200,2,Blue Mug,10.00,,MUG-B,true,true,fulfilled,Ann Sample,1 Sample St,1 Sample St,,,Paris,'01234,,FR,,Ann Sample,1 Sample St,1 Sample St,Flat 2,,Paris,'01234,,FR,+33600000000,"ring
twice",,,Card,ref1,0.00,Shop,741,"vip, gift",Low,web
#1001,ann@example.com,,,,,,,,,,,,,,2025-10-07 09:50:20 +0200,1,Red Cup,20.00,,,true,true,fulfilled,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,
#1002,bob@example.com,voided,,unfulfilled,,no,EUR,10.00,0.00,0.00,10.00,,0.00,Standard,2025-10-07 10:50:20 +0200,1,Blue Mug,10.00,,MUG-B,true,true,pending,Bob Sample,,,,,Berlin,10115,,DE,,Bob Sample,,,,,Berlin,10115,,DE,,,,2025-10-07 11:00:00 +0200,Card,,0.00,Shop,742,,Low,web
`), Mapping: preset(t, "shopify", Orders), Sink: sink})
	if rep.Accepted != 3 || rep.Orders != 2 || rep.Units != 4 || rep.Amount != 5000 || len(rep.Notes) != 0 {
		t.Errorf("%+v", rep)
	}
	placed := byType[*event.OrderPlaced](sink)
	p := placed[0]
	if p.Number != "1001" || len(p.Lines) != 2 || p.Lines[1].SKU != "Red Cup" || p.Shipping.Postal != "01234" || p.Total != money.New(4290, "EUR") ||
		p.Discount != money.New(200, "EUR") || p.Note != "ring\ntwice" || !reflect.DeepEqual(p.Tags, []string{"vip", "gift"}) || p.Attributes["taxes"] != "7.00" || p.Shipping.Line2 != "Flat 2" {
		t.Errorf("%+v", p)
	}
	paid := byType[*event.OrderPaid](sink)
	if len(paid) != 1 || paid[0].Amount != money.New(4290, "EUR") || paid[0].Reference != "ref1" {
		t.Errorf("%+v", paid)
	}
	if c := byType[*event.OrderCancelled](sink); len(c) != 1 || c[0].Number != "1002" {
		t.Errorf("%+v", c)
	}
	if s := byType[*event.ShipmentShipped](sink); len(s) != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWooCommerceExport(t *testing.T) {
	sink := newSink(t)
	rep := doImport(t, Options{Path: writeFile(t, "woo.csv", `order_id,order_number,date,status,shipping_total,discount_total,order_total,order_currency,payment_method,customer_id,billing_first_name,billing_last_name,billing_email,shipping_first_name,shipping_last_name,shipping_address_1,shipping_city,shipping_postcode,shipping_country,item_name,item_sku,item_quantity,item_subtotal
71,71,2024-05-01 10:00:00,completed,5.00,0.00,35.00,USD,stripe,0,Ann,Sample,ann@example.com,Ann,Sample,1 Sample St,Springfield,00501,US,Mug,MUG,3,30.00
72,72,2024-05-02 10:00:00,failed,0.00,0.00,10.00,USD,stripe,9,Bob,Sample,bob@example.com,Bob,Sample,2 Sample St,Springfield,00501,US,Cup,,1,10.00
`), Mapping: preset(t, "woocommerce", Orders), Sink: sink})
	if rep.Accepted != 2 || rep.Units != 4 || rep.Amount != 4000 || rep.Currency != "USD" {
		t.Errorf("%+v", rep)
	}
	p := byType[*event.OrderPlaced](sink)[0]
	if p.Lines[0].UnitPrice != money.New(1000, "USD") || p.Customer.ID != "" || p.Customer.Name != "Ann Sample" || p.Shipping.Postal != "00501" || p.ShippingCost != money.New(500, "USD") {
		t.Errorf("%+v", p)
	}
	if c := byType[*event.OrderCancelled](sink); len(c) != 1 || c[0].Number != "72" {
		t.Errorf("%+v", c)
	}
}

func TestAmazonReport(t *testing.T) {
	sink := newSink(t)
	rep := doImport(t, Options{Path: writeFile(t, "amazon.txt", strings.ReplaceAll(`order-id|order-item-id|purchase-date|payments-date|buyer-email|buyer-name|buyer-phone-number|sku|product-name|quantity-purchased|currency|item-price|item-tax|shipping-price|shipping-tax|ship-service-level|recipient-name|ship-address-1|ship-address-2|ship-address-3|ship-city|ship-state|ship-postal-code|ship-country
058-0000000-0000001|1|2024-07-14T18:54:21+00:00|2024-07-14T18:55:21+00:00|a@example.com|Ann||MUG|Mug|2|GBP|20.00|0|3.00|0|Standard|Ann Sample|1 Sample St|||London||SW1A 1AA|GB
058-0000000-0000001|2|2024-07-14T18:54:21+00:00|2024-07-14T18:55:21+00:00|a@example.com|Ann||CUP|Cup|3|GBP|10.00|0|0.00|0|Standard|Ann Sample|1 Sample St|||London||SW1A 1AA|GB
`, "|", "\t")), Mapping: preset(t, "amazon", Orders), Sink: sink})
	if rep.Accepted != 2 || rep.Orders != 1 || rep.Units != 5 || rep.Amount != 3000 || rep.Currency != "GBP" {
		t.Errorf("%+v", rep)
	}
	p := byType[*event.OrderPlaced](sink)[0]
	if len(p.Lines) != 3 || p.Lines[0].UnitPrice != money.New(1000, "GBP") || p.ShippingCost != money.New(300, "GBP") {
		t.Errorf("%+v", p)
	}
	if paid := byType[*event.OrderPaid](sink); len(paid) != 1 || paid[0].Amount != money.New(3300, "GBP") {
		t.Errorf("%+v", paid)
	}
}

func TestGermanShop(t *testing.T) {
	text := "Bestellnummer;Datum;Name;E-Mail;Stra\xdfe;PLZ;Ort;Versand;Status;Artikel;Bezeichnung;Menge;Preis\r\n" +
		"A1;31.01.2024 18:30;J\xfcrgen Muster;j@example.com;Musterstr. 1;01067;Dresden;4,90 \x80;bezahlt;T1;\"Tasse \"\"gro\xdf\"\"\";2;1.234,50 \x80\r\n"
	sink := newSink(t)
	rep := doImport(t, Options{Path: writeFile(t, "shop.csv", text), Mapping: example(t, "mappings/german-shop.yaml", Orders), Sink: sink, As: event.Live})
	if rep.Accepted != 1 || rep.Amount != 246900 || rep.Units != 2 {
		t.Fatalf("%+v", rep)
	}
	p := byType[*event.OrderPlaced](sink)[0]
	want := time.Date(2024, 1, 31, 17, 30, 0, 0, time.UTC)
	if p.Customer.Name != "Jürgen Muster" || p.Lines[0].Title != `Tasse "groß"` || !p.PlacedAt.Equal(want) || p.Shipping.Postal != "01067" || p.ShippingCost.Minor != 490 {
		t.Errorf("%+v", p)
	}
}

func TestStockProductsAndLocations(t *testing.T) {
	sink := newSink(t)
	path := writeFile(t, "stock.csv", "sku,quantity,location\nMUG,5.0,main\nMUG,3,shop\nCUP,2,main\nCUP,4,main\nBAD,-1,main\nBAD2,1.5,main\nMUG,5.0,main\n")
	o := Options{Path: path, Mapping: preset(t, "generic", Stock), Sink: sink, As: event.Live}
	rep := doImport(t, o)
	if rep.Accepted != 3 || rep.Duplicates != 1 || rep.Rejected != 3 || rep.Units != 10 || rep.Reasons["the same key on an earlier line"] != 1 {
		t.Errorf("%+v", rep)
	}
	again(t, sink, o, rep)
	// A newer list with the same number counts anew; history goes to the opening location.
	o.Path = writeFile(t, "stock2.csv", "sku,quantity,location\nMUG,5,main\n")
	if rep := doImport(t, o); rep.Events.Decided != 1 {
		t.Errorf("%+v", rep.Events)
	}
	o.As = event.History
	doImport(t, o)
	if got := sink.evs[len(sink.evs)-1].Data.(*event.StockCounted); got.Location != "opening" {
		t.Errorf("%+v", got)
	}
	sum := mustMapping(t, "kind: stock\nrepeat: sum\nstock: { sku: sku, quantity: quantity }")
	o = Options{Path: path, Mapping: sum, Sink: newSink(t), As: event.Live, Location: "main"}
	if rep := doImport(t, o); rep.Accepted != 4 || rep.Units != 14 {
		t.Errorf("%+v", rep)
	}

	sink = newSink(t)
	o = Options{Path: writeFile(t, "products.csv", "sku,title,weight,backorder,low_at,untracked\nMUG,Mug,350.4,yes,5,no\nFEE,Fee,,,,true\nX,X,-1,,,\nY,Y,,maybe,,\n"), Mapping: preset(t, "generic", Products), Sink: sink}
	rep = doImport(t, o)
	if p := sink.products["MUG"]; rep.Accepted != 2 || p.WeightG != 350 || !p.Backorder || p.LowAt != 5 || !sink.products["FEE"].Untracked {
		t.Errorf("%+v %+v", rep, sink.products)
	}
	if rep := doImport(t, o); rep.Changed != 0 {
		t.Errorf("a second import changed %d", rep.Changed)
	}

	sink = newSink(t)
	rep = doImport(t, Options{Path: writeFile(t, "locations.csv", `id,name,country,postal,lat,lon,rank,ships_to,capacity,cut_off,time_zone,closed
main,Main,Germany,01067,51.05,13.74,1,"DE, Austria",200,15:00,Europe/Berlin,no
opening,Bad,DE,,,,,,,,,
far,Far,Atlantis,,,,,,,,,
x,X,DE,,91,0,,,,,,
y,Y,DE,,,,,,,25:00,,
`), Mapping: preset(t, "generic", Locations), Sink: sink})
	if l := sink.locations["main"]; rep.Accepted != 1 || rep.Rejected != 4 || l.Country != "DE" || l.Postal != "01067" || l.Lat != 51.05 || l.Capacity != 200 || !reflect.DeepEqual(l.ShipsTo, []string{"DE", "AT"}) {
		t.Errorf("%+v %+v", rep, sink.locations)
	}
}

func TestJoins(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	main := write("orders.csv", "id,at,who\n1,2024-01-01,7\n2,2024-01-02,8\n3,2024-01-03,9\n")
	write("i.csv", "order,sku,price,ship\n1,MUG,2.00,1.00\n1,MUG,2.00,0.50\n2,CUP,x,1.00\n4,CUP,1.00,1.00\n,CUP,1.00,1.00\n")
	people := write("people.csv", "id,zip\n07,1067\n8,99\n")
	m := mustMapping(t, `
kind: orders
channel: c
dates: { formats: [YYYY-MM-DD] }
joins:
  items: { file: sub/i.csv, key: order, on: id }
  people: { file: nowhere.csv, key: { column: id, pad: 2 }, on: { column: who, pad: 2 } }
lines_from: items
order:
  number: id
  placed_at: at
  currency: { const: EUR }
  shipping_cost: { from: items, column: ship, sum: true }
  shipping.postal: { from: people, column: zip, pad: 5 }
line: { sku: sku, quantity: { const: "1" }, unit_price: price }
`)
	sink := newSink(t)
	rep := doImport(t, Options{Path: main, Mapping: m, Sink: sink, With: map[string]string{"people": people}})
	if rep.Accepted != 2 || rep.Rejected != 1 || rep.Units != 2 || rep.Amount != 400 || rep.Notes["no row in people for the key"] != 1 {
		t.Errorf("%+v", rep)
	}
	if j := rep.Joins[0]; j.Rows != 5 || j.Unreadable != 1 || j.Unused != 1 {
		t.Errorf("%+v", j)
	}
	placed := byType[*event.OrderPlaced](sink)
	if len(placed) != 2 || placed[0].ShippingCost.Minor != 150 || placed[0].Shipping.Postal != "01067" || len(placed[1].Lines) != 0 {
		t.Errorf("%+v", placed)
	}
	for _, with := range []map[string]string{{"peple": people}, {"people": filepath.Join(dir, "nope.csv")}, nil} {
		if _, err := Import(t.Context(), Options{Path: main, Mapping: m, Sink: sink, With: with}); err == nil || !strings.Contains(err.Error(), "people") {
			t.Errorf("with %v: %v", with, err)
		}
	}
}

func TestReportForPeopleAndProgress(t *testing.T) {
	var b strings.Builder
	rep := doImport(t, Options{
		Path:    writeFile(t, "s.csv", shopHead+"1,2024-01-05,EUR,,done,MUG,Mug,5,2.00\n2,2024-01-05,EUR,,done,MUG,Mug,x,2.00\n"),
		Mapping: mustMapping(t, shopMapping), Sink: newSink(t), Progress: Bar(&b, true),
	})
	if !strings.Contains(b.String(), "done") || !strings.Contains(b.String(), "2 of 2 rows") || !strings.Contains(b.String(), "\r") {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	rep.WriteText(&b)
	for _, want := range []string{"2 = 1 accepted + 1 rejected + 0 duplicates", "10.00 EUR", "not a number", "4 decided"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
	b.Reset()
	Bar(&b, false)(Progress{Phase: "mapping", Rows: 1234567, Elapsed: time.Minute})
	if got := b.String(); got != "mapping   1,234,567 rows, 20,576/s\n" {
		t.Errorf("%q", got)
	}
}

func FuzzMapping(f *testing.F) {
	for _, kind := range []string{Orders, Stock, Products, Locations} {
		for _, name := range Presets(kind) {
			b, _ := PresetText(name, kind)
			f.Add(b)
		}
	}
	f.Add([]byte(shopMapping))
	f.Add([]byte("kind: stock\nstock: {sku: {column: a, min: '1'}, quantity: *x}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMapping("fuzz.yaml", b)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		// A mapping that is valid can be used: against a file of the columns it names.
		var cols []string
		seen := map[string]bool{}
		m.eachField(func(s *fieldSpec) {
			for _, c := range s.columns {
				if k := strings.ToLower(strings.TrimSpace(c)); !seen[k] && s.from == "" && !strings.Contains(k, "#") {
					seen[k] = true
					cols = append(cols, c)
				}
			}
		})
		if len(m.joins) > 0 || len(cols) == 0 {
			return
		}
		bd, err := newBinder(m, newHeader(cols), &m.numbers, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(cols))
		for i := range row {
			row[i] = "1"
		}
		if m.Kind == Orders {
			p := bd.bindOrders()
			if len(bd.ps) == 0 {
				d := newDraft("1")
				p.again(d, row1(row))
				_ = p.take(d)
			}
			return
		}
		p := bd.bindSimple()
		if len(bd.ps) == 0 {
			p.ctx.set(row)
			_, _ = p.key.value(p.ctx)
		}
	})
}

func row1(fields []string) row { return row{line: 2, fields: fields} }

func TestMappingsOfTheManualAreValid(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "import.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for part := range strings.SplitSeq(string(b), "```yaml\n") {
		text, _, ok := strings.Cut(part, "\n```")
		if !ok || !strings.Contains(text, "kind: ") || strings.HasPrefix(text, "# Importing") {
			continue
		}
		n++
		if _, err := ParseMapping("import.md", []byte(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	if n != 2 {
		t.Errorf("%d mappings found in the manual", n)
	}
	for kind, secs := range sections { // the manual names every field
		for _, fields := range secs {
			for _, f := range fields {
				name := f.name[strings.IndexByte(f.name, '.')+1:]
				if !strings.Contains(string(b), name) {
					t.Errorf("the manual does not name %s of %s", f.name, kind)
				}
			}
		}
	}
}

func BenchmarkImport(b *testing.B) {
	path := dataFile(b, "online_retail/online_retail_2010-12_2011-06.csv.gz")
	m := example(b, "online_retail/mapping.yaml", Orders)
	var rows int64
	for b.Loop() {
		rep, err := Import(b.Context(), Options{Path: path, Mapping: m, DryRun: true})
		if err != nil {
			b.Fatal(err)
		}
		rows += rep.Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
