package csvfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/stock"
)

const shopMapping = `
mapping: shop
kind: orders
channel: shop
dates: { formats: [YYYY-MM-DD] }
order:
  number: no
  placed_at: date
  currency: cur
  customer.email: mail
  status: { column: status, values: { sent: shipped, done: completed, off: cancelled, back: returned, open: placed, paid: paid } }
line: { sku: sku, title: title, quantity: qty, unit_price: price }
kinds:
  - { kind: return, when: { column: "no", prefix: [C] } }
  - { kind: adjustment, when: [ { column: qty, negative: true }, { column: price, zero: true } ] }
  - { kind: return, when: { column: qty, negative: true } }
reject:
  - { reason: a total line, when: { column: sku, is: [total] } }
services: [POST, "fee-*"]
`

const shopHead = "no,date,cur,mail,status,sku,title,qty,price\n"

func importShop(t testing.TB, sink *fakeSink, rows string, change func(*Options)) (Report, string) {
	t.Helper()
	rejects := filepath.Join(t.TempDir(), "r.csv")
	o := Options{Path: writeFile(t, "shop.csv", shopHead+rows), Mapping: mustMapping(t, shopMapping), Sink: sink, Rejects: rejects}
	if change != nil {
		change(&o)
	}
	rep := doImport(t, o)
	b, err := os.ReadFile(rejects)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return rep, string(b)
}

func TestOrderLinesAreGroupedWhereverTheyStand(t *testing.T) {
	sink := newSink(t)
	rep, _ := importShop(t, sink, `1,2024-01-05,EUR,a@example.com,open,MUG,Mug,2,1.50
2,2024-01-04,EUR,,open,CUP,Cup,1,3.00
1,,,,,CUP,Cup,1,3.00
1,2024-01-05,EUR,a@example.com,open,MUG,Mug,2,1.50
2,2024-01-04,EUR,b@example.com,open,POST,Postage,1,4.00
`, nil)
	if rep.Rows != 5 || rep.Accepted != 4 || rep.Duplicates != 1 || rep.Orders != 2 || rep.Units != 5 || rep.Amount != 1300 || rep.Currency != "EUR" {
		t.Errorf("%+v", rep)
	}
	placed := byType[*event.OrderPlaced](sink)
	if len(placed) != 2 || placed[0].Number != "2" || placed[0].Customer.Email != "b@example.com" || len(placed[1].Lines) != 2 {
		t.Errorf("%+v", placed)
	}
	if !sink.products["POST"].Untracked || sink.products["MUG"].Untracked || sink.products["MUG"].Title != "Mug" {
		t.Errorf("%+v", sink.products)
	}
	if sink.evs[0].Mode != event.History || sink.evs[0].Source != "import:shop" || !sink.evs[0].At.Equal(time.Date(2024, 1, 4, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", sink.evs[0])
	}
}

func TestEveryRejectedLineIsWrittenWithItsReason(t *testing.T) {
	rep, rejects := importShop(t, newSink(t), `1,2024-01-05,EUR,,open,MUG,Mug,x,1.50
2,2024-13-05,EUR,,open,MUG,Mug,1,1.50
,2024-01-05,EUR,,open,MUG,Mug,1,1.50
4,2024-01-05,EUR,,open,,Mug,1,1.50
5,2024-01-05,EUR,,open,MUG,Mug,0,1.50
6,2024-01-05,EUR,,open,MUG,Mug,1,-1.50
7,2024-01-05,EUR,,open,MUG,Mug,1,
8,2024-01-05,EURO,,open,MUG,Mug,1,1.50
9,2024-01-05,EUR,,open,MUG,Mug,1,1.505
10,2024-01-05,EUR,,open,total,,1,1.50
11,2024-01-05,EUR,,open,MUG,"two
lines",1
12,2024-01-05,EUR,,open,MUG,Mug,1,1.50,extra
13,2024-01-05,EUR,,open,MUG,Mug,9999999,1.50
14,2024-01-05,EUR,,open,MUG,Mug,1,99999999999
15,2024-01-05,EUR,,open,MUG,Mu`+"\x01"+`g,1,1
16,2024-01-05,EUR,,open,MUG,Mug,1,1
16,2024-01-05,USD,,open,MUG,Mug,1,1
17,,EUR,,open,MUG,Mug,1,1
18,2034-01-05,EUR,,open,MUG,Mug,1,1
C19,2024-01-05,EUR,,open,MUG,Mug,1,1
20,2024-01-05,EUR,"bad`+"\r\n"+`mail",open,MUG,Mug,1,1
21,2024-01-05,EUR,,open,`+strings.Repeat("S", 201)+`,Mug,1,1
22,2024-01-05,EUR,,open,MUG,"Mug"x,1,1
23,2024-01-05,EUR,,open,#REF!,Mug,1,1
`, nil)
	if rep.Accepted != 1 || rep.Orders != 1 {
		t.Errorf("%+v", rep)
	}
	for _, want := range []string{
		`2,"not a number: qty ""x""",1,2024-01-05`, `3,"not a date in any of the formats: date ""2024-13-05""",2,`, "4,no order number: no,", "5,no SKU: sku,4",
		"6,the quantity is zero,5", "7,the price is below zero: -1.50,6", "8,no price: price,7", `9,"not a currency: ""EURO""",8`,
		"10,the price has more digits than the currency: 1.505 EUR,9", "11,a total line,10", "12,malformed row: a quoted field runs over 2 lines",
		"14,\"too many fields: 10, the header has 9\",12", "15,the quantity is too large: 9999999,13", "16,the price is too large: 99999999999,14",
		"17,a control character: title contains 0x01,15", "19,\"another currency than the order's: USD, the order is in EUR\",16",
		"20,no date on any line of the order,17", "21,a date in the future: 2034-01-05,18", "22,a return with a positive quantity: 1,C19",
		"23,the order is not valid: customer/email must not contain a line break,20", "25,\"a text is too long: SKU has 201 bytes", "26,malformed row: text follows the closing quote of field 7",
		"27,no SKU: sku,23",
	} {
		if !strings.Contains(rejects, "\n"+want) {
			t.Errorf("the rejects lack %q", want)
		}
	}
	if !strings.HasPrefix(rejects, "line,reason,no,date,cur,mail,status,sku,title,qty,price\n") {
		t.Errorf("header: %.80s", rejects)
	}
	if t.Failed() {
		t.Log(rejects)
	}
}

func TestOneBadLineLeavesTheRestOfItsOrder(t *testing.T) {
	sink := newSink(t)
	rep, _ := importShop(t, sink, "1,2024-01-05,EUR,,open,MUG,Mug,1,1.50\n1,2024-01-05,EUR,,open,CUP,Cup,x,1.50\n1,2024-01-05,EUR,,open,BOX,Box,2,2.00\n", nil)
	placed := byType[*event.OrderPlaced](sink)
	if rep.Accepted != 2 || rep.Rejected != 1 || len(placed) != 1 || len(placed[0].Lines) != 2 || rep.Amount != 550 {
		t.Errorf("%+v %+v", rep, placed)
	}
}

func TestStatusesBecomeEventsInTheirOrder(t *testing.T) {
	for status, want := range map[string][]string{
		"open": {"order:1"},
		"paid": {"order:1", "order:1:paid"},
		"sent": {"order:1", "order:1:paid", "order:1:shipped"},
		"done": {"order:1", "order:1:paid", "order:1:shipped", "order:1:completed"},
		"back": {"order:1", "order:1:paid", "order:1:shipped", "order:1:completed", "return:1-return"},
		"off":  {"order:1", "order:1:cancelled"},
		"what": {"order:1"},
	} {
		sink := newSink(t)
		rep, _ := importShop(t, sink, "1,2024-01-05,EUR,,"+status+",MUG,Mug,2,1.50\n", nil)
		if !slices.Equal(sink.keys(), want) {
			t.Errorf("%s: %v, want %v", status, sink.keys(), want)
		}
		if status == "what" && rep.Notes["status what is not in the mapping: read as placed"] != 1 {
			t.Errorf("%v", rep.Notes)
		}
		for _, p := range byType[*event.OrderPaid](sink) {
			if p.Amount != money.New(300, "EUR") {
				t.Errorf("paid %s", p.Amount)
			}
		}
		for _, p := range byType[*event.ShipmentShipped](sink) {
			if p.Location != stock.Opening {
				t.Errorf("shipped from %s", p.Location)
			}
		}
	}
	// One cancelled line does not cancel the order.
	sink := newSink(t)
	importShop(t, sink, "1,2024-01-05,EUR,,off,MUG,Mug,2,1.50\n1,2024-01-05,EUR,,sent,CUP,Cup,2,1.50\n", nil)
	if want := []string{"order:1", "order:1:paid", "order:1:shipped"}; !slices.Equal(sink.keys(), want) {
		t.Errorf("%v", sink.keys())
	}
}

func TestOneInvoiceWithSalesReturnsAndWriteOffs(t *testing.T) {
	sink := newSink(t)
	rep, _ := importShop(t, sink, `1,2024-01-05,EUR,,done,MUG,Mug,5,2.00
1,2024-01-05,EUR,,done,CUP,Cup,-2,3.00
1,2024-01-05,EUR,,done,BOX,damaged,-7,0
1,2024-01-05,EUR,,done,BOX,lost,-1,0
C2,2024-01-06,EUR,,done,MUG,Mug,-1,2.00
`, nil)
	if rep.Units != 5-2-7-1-1 || rep.OrderUnits != 5 || rep.ReturnUnits != 3 || rep.AdjustedUnits != -8 || rep.Amount != 1000-600-200 {
		t.Errorf("%+v", rep)
	}
	if rep.Orders != 1 || rep.Returns != 2 || rep.Adjustments != 2 {
		t.Errorf("%+v", rep)
	}
	want := []string{"order:1", "order:1:paid", "order:1:shipped", "order:1:completed", "return:1-return", "adjustment:1:BOX:1", "adjustment:1:BOX:2", "return:C2"}
	if !slices.Equal(sink.keys(), want) {
		t.Errorf("%v", sink.keys())
	}
	rs := byType[*event.ReturnReceived](sink)
	if rs[0].Order != "1" || rs[0].Lines[0].Qty != 2 || rs[1].Order != "" || rs[1].Location != stock.Opening {
		t.Errorf("%+v", rs)
	}
	adj := byType[*event.StockAdjusted](sink)
	if adj[0].Delta != -7 || adj[0].Reason != "damaged" || adj[0].Location != stock.Opening {
		t.Errorf("%+v", adj[0])
	}
}

func TestASecondImportChangesNothingAndANewerExportIsAConflict(t *testing.T) {
	sink := newSink(t)
	rows := "1,2024-01-05,EUR,,open,MUG,Mug,5,2.00\n2,2024-01-05,EUR,,open,CUP,Cup,1,2.00\n"
	importShop(t, sink, rows, nil)
	rep, _ := importShop(t, sink, rows, nil)
	if rep.Events != (EventCounts{Duplicate: 2}) || rep.AlreadyKnown != 2 || rep.Changed != 0 {
		t.Errorf("%+v", rep)
	}
	// A later status of the same order only adds what happened.
	rep, _ = importShop(t, sink, strings.Replace(rows, "open", "sent", 1), nil)
	if rep.Events != (EventCounts{Decided: 2, Duplicate: 2}) {
		t.Errorf("%+v", rep.Events)
	}
	rep, _ = importShop(t, sink, strings.Replace(rows, "CUP,Cup,1", "CUP,Cup,3", 1), nil)
	if rep.Events.Conflict != 1 || len(rep.Conflicts) != 1 || rep.Conflicts[0].Key != "order:2" || rep.Conflicts[0].Line != 3 {
		t.Errorf("%+v", rep.Conflicts)
	}
}

func TestTotalsOfARowAreSplitToTheCent(t *testing.T) {
	m := mustMapping(t, strings.Replace(shopMapping, "unit_price: price", "line_total: price", 1))
	sink := newSink(t)
	rep, _ := importShop(t, sink, "1,2024-01-05,EUR,,open,MUG,Mug,3,10.00\n2,2024-01-06,EUR,,open,CUP,Cup,2,5.00\nC3,2024-01-07,EUR,,open,CUP,Cup,-3,-1.00\n", func(o *Options) { o.Mapping = m })
	placed := byType[*event.OrderPlaced](sink)
	if len(placed[0].Lines) != 2 || placed[0].Lines[0].Qty != 2 || placed[0].Lines[0].UnitPrice.Minor != 333 || placed[0].Lines[1].UnitPrice.Minor != 334 || len(placed[1].Lines) != 1 {
		t.Errorf("%+v", placed)
	}
	if rep.Amount != 1000+500-100 || rep.Units != 2 {
		t.Errorf("%+v", rep)
	}
}

func TestLiveNeedsAPlaceAndUsesIt(t *testing.T) {
	live := func(loc string) func(*Options) {
		return func(o *Options) { o.As, o.Location = event.Live, loc }
	}
	sink := newSink(t)
	importShop(t, sink, "1,2024-01-05,EUR,,done,MUG,Mug,5,2.00\n", live("main"))
	if p := byType[*event.ShipmentShipped](sink); len(p) != 1 || p[0].Location != "main" || sink.evs[0].Mode != event.Live {
		t.Errorf("%+v", p)
	}
	_, err := Import(context.Background(), Options{Path: writeFile(t, "x.csv", shopHead), Mapping: mustMapping(t, shopMapping), Sink: newSink(t), As: event.Live})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "--location") {
		t.Error(err)
	}
}

func TestDryRunHandsNothingOver(t *testing.T) {
	sink := newSink(t)
	rep, _ := importShop(t, sink, "1,2024-01-05,EUR,,done,MUG,Mug,5,2.00\n", func(o *Options) { o.DryRun = true })
	if sink.calls != 0 || sink.puts != 0 || rep.Orders != 1 || rep.Amount != 1000 || !rep.DryRun {
		t.Errorf("%+v, %d calls", rep, sink.calls)
	}
	if _, err := Import(context.Background(), Options{Path: writeFile(t, "y.csv", shopHead), Mapping: mustMapping(t, shopMapping), DryRun: true}); err != nil {
		t.Error("a dry run needs no sink:", err)
	}
}

func TestFilesThatCannotBeImported(t *testing.T) {
	m := mustMapping(t, shopMapping)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "is empty"},
		{"missing column", "no,date,cur,mail,status,sku,title,quantity,price\n", `no column "qty"`},
		{"near column", strings.Replace(shopHead, "title", "titel", 1), `did you mean "titel"?`},
		{"column twice", strings.Replace(shopHead, "title", "title,title", 1), "more than once"},
	} {
		_, err := Import(context.Background(), Options{Path: writeFile(t, "f.csv", c.text), Mapping: m, DryRun: true})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := Import(context.Background(), Options{Path: "does-not-exist.csv", Mapping: m, DryRun: true})
	if fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if _, err := Import(context.Background(), Options{Path: t.TempDir(), Mapping: m, DryRun: true}); fault.KindOf(err) != fault.Invalid {
		t.Error("a folder:", err)
	}
	if rep := doImport(t, Options{Path: writeFile(t, "h.csv", shopHead), Mapping: m, DryRun: true}); rep.Rows != 0 {
		t.Errorf("only a header: %+v", rep)
	}
	sink := newSink(t)
	sink.fail = fault.New(fault.Unavailable, "test", "the store is away")
	if _, err := Import(context.Background(), Options{Path: writeFile(t, "s.csv", shopHead+"1,2024-01-05,EUR,,done,MUG,Mug,5,2.00\n"), Mapping: m, Sink: sink}); fault.KindOf(err) != fault.Unavailable {
		t.Error("the sink's error is lost:", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Import(ctx, Options{Path: writeFile(t, "c.csv", shopHead+"1,2024-01-05,EUR,,done,MUG,Mug,5,2.00\n"), Mapping: m, Sink: newSink(t)}); err == nil {
		t.Error("a stopped import goes on")
	}
}

func TestRejectsFileComesAndGoes(t *testing.T) {
	rejects := filepath.Join(t.TempDir(), "r.csv")
	m := mustMapping(t, shopMapping)
	bad := doImport(t, Options{Path: writeFile(t, "b.csv", shopHead+"1,,,,,,,,\n"), Mapping: m, Sink: newSink(t), Rejects: rejects})
	if st, err := os.Stat(rejects); err != nil || bad.RejectsFile != rejects || st.Mode().Perm() != 0o600 {
		t.Error(err, bad.RejectsFile)
	}
	good := doImport(t, Options{Path: writeFile(t, "g.csv", shopHead), Mapping: m, Sink: newSink(t), Rejects: rejects})
	if _, err := os.Stat(rejects); !errors.Is(err, os.ErrNotExist) || good.RejectsFile != "" {
		t.Error("rejects of an earlier import stay:", err)
	}
	other := writeFile(t, "mine.csv", "do not touch\n")
	doImport(t, Options{Path: writeFile(t, "g.csv", shopHead), Mapping: m, Sink: newSink(t), Rejects: other})
	if b, _ := os.ReadFile(other); string(b) != "do not touch\n" {
		t.Error("a file that is not ours is gone")
	}
}

func TestSortingWindowIsBounded(t *testing.T) {
	rep := &Report{EventTypes: map[string]int{}}
	sink := newSink(t)
	out := newOutbox(context.Background(), sink, rep, false)
	out.limit = 10
	for i := range 100 {
		p := &event.OrderCancelled{Channel: "c", Number: fmt.Sprint(i)}
		at := testNow.Add(time.Duration(i^1) * time.Minute) // neighbours swapped
		if err := out.add(&item{ev: event.Event{Source: "s", Key: fmt.Sprint(i), Type: p.EventType(), Subject: p.EventSubject(), At: at, Data: p}}); err != nil {
			t.Fatal(err)
		}
		if len(out.win) > 10 {
			t.Fatalf("%d events are held", len(out.win))
		}
	}
	if err := out.finish(); err != nil {
		t.Fatal(err)
	}
	chronological(t, sink)
	if len(sink.evs) != 100 {
		t.Errorf("%d events", len(sink.evs))
	}
}

// Whatever a file holds: its rows are accounted for, the sums are those of the
// accepted rows, and a second import changes nothing.
func TestLawsHoldForAnyFile(t *testing.T) {
	m := mustMapping(t, shopMapping)
	rapid.Check(t, func(rt *rapid.T) {
		cell := func(name string, xs ...string) string { return rapid.SampledFrom(xs).Draw(rt, name) }
		var b strings.Builder
		b.WriteString(shopHead)
		n := rapid.IntRange(0, 40).Draw(rt, "rows")
		for range n {
			b.WriteString(strings.Join([]string{
				cell("no", "1", "2", "3", "C4", "C5", ""), cell("date", "2024-01-05", "2024-02-01", "2024-02-30", ""),
				cell("cur", "EUR", "EUR", "EUR", "USD", "", "nope"), "", cell("status", "open", "done", "off", "back", "?"),
				cell("sku", "MUG", "CUP", "", "total"), cell("title", "a", "\"b\nc\"", "\"d", "e\"\"f"),
				cell("qty", "1", "-1", "0", "3", "x", "-2"), cell("price", "1.00", "0", "-1", "2.5", "", "1.005"),
			}, ","))
			b.WriteString(cell("end", "\n", "\n", "\r\n", ",\n", ",x\n"))
		}
		dir, err := os.MkdirTemp("", "csvfile")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "f.csv")
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			rt.Fatal(err)
		}
		sink := newSink(t)
		o := Options{Path: path, Mapping: m, Sink: sink, Rejects: filepath.Join(dir, "r.csv"), Now: func() time.Time { return testNow }}
		rep, err := Import(context.Background(), o)
		if err != nil {
			rt.Fatal(err)
		}
		checkLaw(t, rep)
		var units, minor int64
		for _, e := range sink.evs {
			switch p := e.Data.(type) {
			case *event.OrderPlaced:
				for _, l := range p.Lines {
					units, minor = units+l.Qty, minor+l.Qty*l.UnitPrice.Minor
				}
			case *event.ReturnReceived:
				for _, l := range p.Lines {
					units, minor = units-l.Qty, minor-l.Qty*l.UnitPrice.Minor
				}
			case *event.StockAdjusted:
				units += p.Delta
			}
		}
		if len(rep.Amounts) == 0 && !returnsMixed(sink) && (units != rep.Units || minor != rep.Amount) {
			rt.Fatalf("events: %d units, %d; report: %d units, %d\n%s", units, minor, rep.Units, rep.Amount, b.String())
		}
		before := len(sink.evs)
		second, err := Import(context.Background(), o)
		if err != nil {
			rt.Fatal(err)
		}
		if len(sink.evs) != before || second.Events.Decided+second.Events.Conflict != 0 || second.AlreadyKnown != second.Accepted {
			rt.Fatalf("a second import: %+v known %d accepted %d", second.Events, second.AlreadyKnown, second.Accepted)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
}

// returnsMixed reports whether some return may follow from a status, of which the rows' sums know nothing.
func returnsMixed(s *fakeSink) bool {
	for _, p := range byType[*event.ReturnReceived](s) {
		if p.Order != "" {
			return true
		}
	}
	return false
}
