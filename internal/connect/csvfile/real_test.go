package csvfile

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/stock"
)

// The counts below are written on purpose in another way than the importer:
// the standard library's CSV reader, rows as maps, rational numbers, no sharing of code.

// tally is an independent count of a file.
type tally struct {
	rows, accepted, rejected, duplicates int64
	orders                               map[string]bool
	units                                int64
	amount                               *big.Rat // in units of the currency
}

func newTally() *tally { return &tally{orders: map[string]bool{}, amount: new(big.Rat)} }

func (c *tally) minor() int64 {
	cents := new(big.Rat).Mul(c.amount, big.NewRat(100, 1))
	f, _ := strconv.ParseInt(cents.FloatString(0), 10, 64)
	return f
}

func (c *tally) agrees(t *testing.T, rep Report) {
	t.Helper()
	for _, x := range []struct {
		what      string
		got, want int64
	}{
		{"rows", rep.Rows, c.rows},
		{"accepted", rep.Accepted, c.accepted},
		{"rejected", rep.Rejected, c.rejected},
		{"duplicates", rep.Duplicates, c.duplicates},
		{"orders", rep.Orders, int64(len(c.orders))},
		{"units", rep.Units, c.units},
		{"amount in minor units", rep.Amount, c.minor()},
	} {
		if x.got != x.want {
			t.Errorf("%s: the import says %d, an independent count %d", x.what, x.got, x.want)
		}
	}
	if c.rows < 1000 {
		t.Errorf("only %d rows were counted", c.rows)
	}
}

// eachRow calls f with every row as a map, and whether an equal row came before.
func eachRow(t *testing.T, path string, f func(row map[string]string, again bool)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	cr := csv.NewReader(r)
	head, err := cr.Read()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for {
		fields, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		whole := strings.Join(fields, "\x1f")
		row := map[string]string{}
		for i, name := range head {
			row[name] = fields[i]
		}
		f(row, seen[whole])
		seen[whole] = true
	}
}

func rat(t *testing.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("not a number: %q", s)
	}
	return r
}

// again imports the same file once more: nothing may change.
func again(t *testing.T, sink *fakeSink, o Options, first Report) {
	t.Helper()
	events, products := len(sink.evs), len(sink.products)
	rep := doImport(t, o)
	if len(sink.evs) != events || len(sink.products) != products || rep.Changed != 0 || rep.Events.Decided != 0 || rep.Events.Conflict != 0 {
		t.Errorf("a second import changed something: %+v", rep.Events)
	}
	if rep.Events.Duplicate != first.Events.Decided || rep.AlreadyKnown != first.Accepted {
		t.Errorf("second import: %d duplicates of %d events, %d rows known of %d", rep.Events.Duplicate, first.Events.Decided, rep.AlreadyKnown, first.Accepted)
	}
	if rep.Accepted != first.Accepted || rep.Units != first.Units || rep.Amount != first.Amount {
		t.Errorf("a second import counts the file differently")
	}
}

func chronological(t *testing.T, sink *fakeSink) {
	t.Helper()
	for i := 1; i < len(sink.evs); i++ {
		if sink.evs[i].At.Before(sink.evs[i-1].At) {
			t.Fatalf("%s (%s) is decided after %s (%s)", sink.evs[i].Key, sink.evs[i].At, sink.evs[i-1].Key, sink.evs[i-1].At)
		}
	}
}

func TestOnlineRetailAgreesWithAnIndependentCount(t *testing.T) {
	path := dataFile(t, "online_retail/online_retail_2010-12_2011-06.csv.gz")
	want := newTally()
	returns, writeOffs := map[string]bool{}, int64(0)
	eachRow(t, path, func(row map[string]string, again bool) {
		want.rows++
		if again {
			want.duplicates++
			return
		}
		price := rat(t, row["UnitPrice"])
		if price.Sign() < 0 {
			want.rejected++
			return
		}
		qty := rat(t, row["Quantity"])
		want.accepted++
		want.units += qty.Num().Int64()
		want.amount.Add(want.amount, new(big.Rat).Mul(qty, price))
		switch {
		case strings.HasPrefix(row["InvoiceNo"], "C"):
			returns[row["InvoiceNo"]] = true
		case qty.Sign() < 0:
			writeOffs++
		default:
			want.orders[row["InvoiceNo"]] = true
		}
	})
	sink := newSink(t)
	o := Options{Path: path, Kind: Orders, Mapping: example(t, "online_retail/mapping.yaml", Orders), Sink: sink, Now: time.Now}
	rep := doImport(t, o)
	want.agrees(t, rep)
	if rep.Returns != int64(len(returns)) || rep.Adjustments != writeOffs || rep.Currency != "GBP" {
		t.Errorf("returns %d (count: %d), adjustments %d (count: %d), currency %s", rep.Returns, len(returns), rep.Adjustments, writeOffs, rep.Currency)
	}
	chronological(t, sink)

	// The events carry what the report says.
	var units, minor int64
	for _, p := range byType[*event.OrderPlaced](sink) {
		for _, l := range p.Lines {
			units += l.Qty
			minor += l.Qty * l.UnitPrice.Minor
		}
	}
	for _, p := range byType[*event.ReturnReceived](sink) {
		if p.Location != stock.Opening {
			t.Fatalf("history moves stock at %q", p.Location)
		}
		for _, l := range p.Lines {
			units -= l.Qty
			minor -= l.Qty * l.UnitPrice.Minor
		}
	}
	for _, p := range byType[*event.StockAdjusted](sink) {
		units += p.Delta
	}
	if units != rep.Units || minor != rep.Amount {
		t.Errorf("events: %d units, %d pence; report: %d units, %d pence", units, minor, rep.Units, rep.Amount)
	}
	for _, sku := range []string{"POST", "DOT", "BANK CHARGES", "M", "m", "gift_0001_20"} {
		if p, ok := sink.products[sku]; !ok || !p.Untracked {
			t.Errorf("%s is not a service: %+v", sku, p)
		}
	}
	if p := sink.products["85123A"]; p.Untracked || p.Title != "WHITE HANGING HEART T-LIGHT HOLDER" {
		t.Errorf("85123A: %+v", p)
	}
	if rep.RowsPerS < 50_000 {
		t.Logf("slow machine: %.0f rows/s", rep.RowsPerS)
	}
	again(t, sink, o, rep)
	t.Logf("%d rows, %.0f rows/s, £%s", rep.Rows, rep.RowsPerS, want.amount.FloatString(2))
}

func TestOlistAgreesWithAnIndependentCount(t *testing.T) {
	path := dataFile(t, "olist/olist_orders_dataset.csv")
	items := dataFile(t, "olist/olist_order_items_dataset.csv")
	want := newTally()
	eachRow(t, path, func(row map[string]string, again bool) {
		want.rows++
		if again {
			want.duplicates++
			return
		}
		want.accepted++
		want.orders[row["order_id"]] = true
	})
	freight := new(big.Rat)
	eachRow(t, items, func(row map[string]string, _ bool) {
		if want.orders[row["order_id"]] {
			want.units++
			want.amount.Add(want.amount, rat(t, row["price"]))
			freight.Add(freight, rat(t, row["freight_value"]))
		}
	})
	sink := newSink(t)
	sellers := doImport(t, Options{Path: dataFile(t, "olist/olist_sellers_dataset.csv"), Mapping: example(t, "olist/sellers.yaml", Locations), Sink: sink})
	products := doImport(t, Options{Path: dataFile(t, "olist/olist_products_dataset.csv"), Mapping: example(t, "olist/products.yaml", Products), Sink: sink})
	if sellers.Accepted != sellers.Rows || products.Accepted != products.Rows || len(sink.locations) != int(sellers.Rows) || len(sink.products) != int(products.Rows) {
		t.Errorf("sellers %+v, products %+v", sellers, products)
	}
	placed := 0
	for _, l := range sink.locations {
		if len(l.Postal) != 5 || l.Country != "BR" {
			t.Fatalf("seller %+v", l)
		}
		if l.Lat != 0 {
			placed++
			if l.Lat < -34 || l.Lat > 5.3 || l.Lon < -74 || l.Lon > -28 {
				t.Fatalf("seller outside Brazil: %+v", l)
			}
		}
	}
	if placed*100 < len(sink.locations)*99 {
		t.Errorf("only %d of %d sellers have coordinates", placed, len(sink.locations))
	}
	full := doImport(t, Options{Path: dataFile(t, "olist/full/olist_sellers_dataset.csv"), Mapping: example(t, "olist/sellers.yaml", Locations), DryRun: true})
	if full.Accepted != full.Rows || full.Rows <= sellers.Rows || full.Notes["no row in prefixes for the key"] > 20 {
		t.Errorf("all sellers: %+v", full)
	}
	o := Options{Path: path, Mapping: example(t, "olist/orders.yaml", Orders), Sink: sink}
	rep := doImport(t, o)
	want.agrees(t, rep)
	chronological(t, sink)
	total := new(big.Rat)
	empty := 0
	for _, p := range byType[*event.OrderPlaced](sink) {
		total.Add(total, big.NewRat(p.ShippingCost.Minor, 100))
		if len(p.Lines) == 0 {
			empty++
		}
		if len(p.Shipping.Postal) != 5 || p.Customer.ID == "" {
			t.Fatalf("order %s: %+v %+v", p.Number, p.Shipping, p.Customer)
		}
	}
	if total.Cmp(freight) != 0 {
		t.Errorf("freight of the orders %s, of the items %s", total.FloatString(2), freight.FloatString(2))
	}
	if empty == 0 || empty*100 > len(want.orders)*2 {
		t.Errorf("%d orders without lines of %d", empty, len(want.orders))
	}
	if rep.Changed != 0 {
		t.Errorf("an orders import changed %d products that were known", rep.Changed)
	}
	for _, p := range sink.products {
		if p.WeightG == 0 {
			t.Fatalf("the weight of %s is lost", p.SKU)
		}
	}
	again(t, sink, o, rep)
}

func TestAmazonIndiaAgreesWithAnIndependentCount(t *testing.T) {
	path := dataFile(t, "amazon_india/amazon_sale_report_a.csv.gz")
	want := newTally()
	days := map[string]int{}
	eachRow(t, path, func(row map[string]string, again bool) {
		want.rows++
		if again {
			want.duplicates++
			return
		}
		qty, err := strconv.ParseInt(row["Qty"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		cancelled := row["Status"] == "Cancelled"
		switch {
		case qty == 0 && cancelled:
		case qty == 0, row["Amount"] == "" && !cancelled:
			want.rejected++
			return
		default:
			want.units += qty
			if row["Amount"] != "" {
				want.amount.Add(want.amount, rat(t, row["Amount"]))
			}
		}
		want.accepted++
		if !want.orders[row["Order ID"]] {
			parts := strings.Split(row["Date"], "-")
			days[parts[0]+"-"+parts[1]]++
		}
		want.orders[row["Order ID"]] = true
	})
	sink := newSink(t)
	o := Options{Path: path, Mapping: example(t, "amazon_india/mapping.yaml", Orders), Sink: sink}
	rep := doImport(t, o)
	want.agrees(t, rep)
	chronological(t, sink)
	ist, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	var minor int64
	for _, p := range byType[*event.OrderPlaced](sink) {
		at := p.PlacedAt.In(ist)
		days[at.Format("01-02")]--
		if at.Year() != 2022 {
			t.Fatalf("order %s was placed in %d", p.Number, at.Year())
		}
		for _, l := range p.Lines {
			minor += l.Qty * l.UnitPrice.Minor
		}
	}
	for day, n := range days {
		if n != 0 {
			t.Errorf("orders of %s: %d too few", day, n)
		}
	}
	if minor != rep.Amount {
		t.Errorf("the lines add up to %d, the report says %d", minor, rep.Amount)
	}
	again(t, sink, o, rep)
}

func TestMerchantStockListSurvives(t *testing.T) {
	path := dataFile(t, "merchant_spreadsheets/stock by SKU (Sale Report).csv")
	sink := newSink(t)
	o := Options{Path: path, Mapping: example(t, "mappings/stock-by-sku.yaml", Stock), Sink: sink}
	rep := doImport(t, o)
	blank, sum := int64(0), int64(0)
	seen := map[string]bool{}
	repeats := int64(0)
	eachRow(t, path, func(row map[string]string, again bool) {
		sku := strings.TrimSpace(row["SKU Code"])
		switch {
		case again:
		case sku == "" || sku == "#REF!":
			blank++
		case row["Stock"] == "":
			blank++
		case seen[sku]:
			repeats++
		default:
			seen[sku] = true
			q := rat(t, row["Stock"])
			sum += q.Num().Int64()
		}
	})
	if rep.Rejected != blank+repeats || rep.Units != sum || rep.Accepted != int64(len(seen)) {
		t.Errorf("rejected %d (count %d+%d), units %d (count %d), accepted %d (count %d): %v", rep.Rejected, blank, repeats, rep.Units, sum, rep.Accepted, len(seen), rep.Reasons)
	}
	again(t, sink, o, rep)
	for _, name := range []string{"May-2022.csv", "P L March 2021.csv"} {
		p := dataFile(t, filepath.Join("merchant_spreadsheets", name))
		rep := doImport(t, Options{Path: p, Mapping: example(t, "mappings/price-list.yaml", Products), Sink: newSink(t)})
		if rep.Accepted < 1000 {
			t.Errorf("%s: %+v", name, rep)
		}
		t.Logf("%s: %d rows, %d accepted, %v", name, rep.Rows, rep.Accepted, rep.Reasons)
	}
}
