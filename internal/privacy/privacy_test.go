package privacy

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/doctor"
	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// theirs is what must be nowhere after the erasure, in any case of letters.
var theirs = []string{"Zacharias", "Quillfeather", "zq@buyers.example", "+49 30 5550123", "Marmelade Lane 77", "Back Entrance 5", "203.0.113.77", "fingerprint-of-zq", "ring twice"}

func buyer(number string) *event.OrderPlaced {
	return &event.OrderPlaced{
		Channel: "web", Number: number, PlacedAt: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC), Currency: "EUR",
		Lines:    []event.Line{{SKU: "MUG", Qty: 1, UnitPrice: money.New(950, "EUR")}},
		Customer: event.Buyer{Email: "ZQ@buyers.example", Name: "Zacharias Quillfeather", Phone: "+49 30 5550123"},
		Shipping: event.Address{Name: "Zacharias Quillfeather", Line1: "Marmelade Lane 77", Line2: "Back Entrance 5", Postal: "69001", City: "Lyon", Country: "FR"},
		Payment:  event.Payment{Status: event.PaymentPaid}, IP: "203.0.113.77", Device: "fingerprint-of-zq",
		Note: "please ring twice", Attributes: map[string]string{"gift": "from Zacharias"},
	}
}

// TestErasure: a customer about whom much was written is given out, and erased. Nothing in the
// database says who they were; orders, money and stock are as they were; the doctor is content.
func TestErasure(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { erasure(t, filepath.Join(t.TempDir(), "shop.db")) })
	t.Run("postgres", func(t *testing.T) { erasure(t, pgtest.URL(t)) })
}

func erasure(t *testing.T, url string) {
	ctx := t.Context()
	keys, err := store.NewKeyring(bytes.Repeat([]byte{7}, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, url, store.Options{Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = eng.Close(ctx) })
	office := &Office{DB: db, Keys: keys, Audit: access.New(people{db}, nil, nil)}
	if _, err := eng.Apply(ctx, []store.Text{{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\nmail: mail\n"}}, "test", "", false); err != nil {
		t.Fatal(err)
	}
	n := 0
	submit := func(p event.Payload) {
		t.Helper()
		n++
		out, err := eng.Submit(ctx, []event.Event{{Source: "console", Key: string(rune('a' + n)), Actor: "usr_1", Data: p}})
		if err != nil || out[0].Status != engine.Decided {
			t.Fatalf("%s: %+v, %v", p.EventType(), out, err)
		}
	}
	other := buyer("2")
	other.Customer, other.Shipping.Name, other.Shipping.Line1, other.Shipping.Line2 = event.Buyer{Email: "other@buyers.example", Name: "Other Person"}, "Other Person", "Else Road 1", ""
	other.Device, other.IP, other.Note, other.Attributes = "d2", "203.0.113.2", "", nil
	submit(buyer("1"))
	submit(other)
	id, err := office.Find(ctx, " zq@BUYERS.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{id, "web:1", event.OrderID("web", "1")} {
		if got, err := office.Find(ctx, ref); err != nil || got != id {
			t.Errorf("%s finds %s, %v", ref, got, err)
		}
	}
	if _, err := office.Find(ctx, "nobody@buyers.example"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
	if _, err := office.Erase(ctx, id); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "on their way") {
		t.Errorf("an open order: %v", err)
	}
	submit(&event.OrderCancelled{Channel: "web", Number: "1", Reason: "Mr QUILLFEATHER (zq@buyers.example) called from +49 30 5550123"})
	// What a mail server said, a search that somebody kept, and a clerk's words on another order.
	err = db.Update(ctx, func(tx *store.Tx) error {
		var cause string
		oid, key := event.OrderID("web", "1"), "mail:order-cancelled:1"
		if err := tx.QueryRow("SELECT id FROM event WHERE order_id = $1 ORDER BY seq LIMIT 1", oid).Scan(&cause); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO effect (id, key, kind, destination, order_id, event_id, purpose, payload, state, last_error, created, due)
			VALUES ($1, $2, 'mail', 'mail', $3, $4, 'order-cancelled', '{"Purpose":"order-cancelled","Recipient":"customer"}', 'dead', '550 5.1.1 <zq@buyers.example>: no such user', 1, 1)`,
			effect.ID(key, oid), key, oid, cause); err != nil {
			return err
		}
		return tx.PutSavedFilter(store.SavedFilter{ID: "flt_1", Page: "orders", Name: "zq@buyers.example", Query: "?q=zq%40buyers.example", UserID: "usr_1"})
	})
	if err != nil {
		t.Fatal(err)
	}
	submit(&event.OrderCancelled{Channel: "web", Number: "2", Reason: "the same as zq@buyers.example"})

	doc, err := office.Export(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range theirs {
		if !strings.Contains(strings.ToLower(string(whole)), strings.ToLower(v)) {
			t.Errorf("the export does not hold %q", v)
		}
	}
	if strings.Contains(string(whole), "Other Person") || len(doc.List) != 1 || len(doc.Search) != 2 {
		t.Errorf("the export is %s", whole)
	}

	before := ledger(t, db)
	res, err := office.Erase(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Left) != 0 || res.Orders != 1 || res.Texts < 4 || res.Already {
		t.Errorf("%+v", res)
	}
	if after := ledger(t, db); after != before {
		t.Errorf("the ledger was changed:\n%s\n%s", before, after)
	}
	err = db.View(ctx, func(tx *store.Tx) error {
		held, err := tx.WhereHeld(theirs)
		for _, h := range held {
			t.Errorf("%d rows of %s.%s still hold something of theirs", h.Rows, h.Table, h.Column)
		}
		for sql, want := range map[string]int64{
			"SELECT count(*) FROM customer WHERE key = ''":  1,
			"SELECT count(*) FROM customer WHERE key <> ''": 1,
			"SELECT count(*) FROM customer_search":          2, // the other's
			"SELECT count(*) FROM orders WHERE sealed = ''": 1,
			"SELECT count(*) FROM effect WHERE state IN ('pending', 'dead') AND kind = 'mail' AND order_id = '" + event.OrderID("web", "1") + "'": 0,
			"SELECT count(*) FROM velocity WHERE ref = '" + event.OrderID("web", "1") + "'":                                                       0,
			"SELECT count(*) FROM audit WHERE action IN ('customer.erase', 'customer.export')":                                                    2,
		} {
			var got int64
			if err := tx.QueryRow(sql).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %d, want %d, %v", sql, got, want, err)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if doc, err = office.Export(ctx, id); err != nil || !doc.Erased || doc.List[0].Personal.Name != "" || doc.List[0].Shipping.Postal != "69001" {
		t.Errorf("after the erasure: %+v, %v", doc, err)
	}
	check := func() {
		t.Helper()
		rep, err := doctor.Check(ctx, db, keys)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range rep.Laws {
			if !l.OK {
				t.Errorf("law %s: %s", l.Name, l.Offender)
			}
		}
	}
	check()

	// Erasing again is no error; who buys again is taken in as anybody is, and what was erased stays erased.
	if res, err = office.Erase(ctx, id); err != nil || !res.Already {
		t.Errorf("%+v, %v", res, err)
	}
	submit(buyer("3"))
	doc, err = office.Export(ctx, id)
	if err != nil || doc.Erased || len(doc.List) != 2 {
		t.Fatalf("%+v, %v", doc, err)
	}
	for _, o := range doc.List {
		if (o.Personal.Name != "") != (o.Number == "3") {
			t.Errorf("order %s has the name %q", o.Number, o.Personal.Name)
		}
	}
	check()
	if path, ok := strings.CutSuffix(url, ".db"); ok {
		submit(&event.OrderCancelled{Channel: "web", Number: "3"})
		if _, err := office.Erase(ctx, id); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil { // the log is folded into the file
			t.Fatal(err)
		}
		for _, name := range []string{path + ".db", path + ".db-wal"} {
			raw, err := os.ReadFile(name)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			low := bytes.ToLower(raw)
			for _, v := range theirs {
				if bytes.Contains(low, []byte(strings.ToLower(v))) {
					t.Errorf("%s holds %q in its bytes", name, v)
				}
			}
		}
	}
}

// ledger is the stock, the money and the states, as text.
func ledger(t *testing.T, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	err := db.View(t.Context(), func(tx *store.Tx) error {
		for _, sql := range []string{
			"SELECT sku || ' ' || qty || ' ' || from_bucket || ' ' || to_bucket || ' ' || order_id FROM stock_move ORDER BY seq, ord",
			"SELECT id || ' ' || state || ' ' || total || ' ' || captured || ' ' || refunded || ' ' || customer_id FROM orders ORDER BY id",
			"SELECT type || ' ' || id || ' ' || hash FROM event ORDER BY seq",
			"SELECT id || ' ' || orders FROM customer ORDER BY id",
		} {
			err := tx.Each(func(scan func(...any) error) error {
				var s string
				err := scan(&s)
				b.WriteString(s + "\n")
				return err
			}, sql)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// people lets access keep its records in the store.
type people struct{ db *store.DB }

func (p people) View(ctx context.Context, fn func(access.Tx) error) error {
	return p.db.View(ctx, func(tx *store.Tx) error { return fn(tx) })
}

func (p people) Update(ctx context.Context, fn func(access.Tx) error) error {
	return p.db.Update(ctx, func(tx *store.Tx) error { return fn(tx) })
}

func TestRedact(t *testing.T) {
	x := redactor{values: []string{"anna ready", "anna@x.example"}, words: []string{"ready", "anna"}}
	for in, want := range map[string]string{
		`{"state":"ready","note":"Anna Ready wrote"}`:              `{"state":"ready","note":"[erased] wrote"}`,
		`{"note": "call ANNA, hanna is someone else",  "n": 1.50}`: `{"note": "call [erased], hanna is someone else",  "n": 1.50}`,
		`{"anna ready":"x","to":["a","<anna@x.example> \"no\""]}`:  `{"anna ready":"x","to":["a","<[erased]> \"no\""]}`,
		`{"attributes":{"a":"b","c":["d"]},"own":"gone","e":"f"}`:  `{"attributes":{"a":"[erased]","c":["[erased]"]},"own":"[erased]","e":"f"}`,
		`{"broken":"anna`: `{"broken":"anna`,
		`plain`:           `plain`,
	} {
		if got := x.json(in, map[string]bool{"attributes": true, "own": true}); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add(`{"a":"b","c":["d \"e\"",{"f":1}]}`, "d")
	f.Add(`{"İ":"İ anna"}`, "anna")
	f.Fuzz(func(t *testing.T, doc, value string) {
		x := redactor{values: []string{strings.ToLower(value)}}
		out := x.json(doc, map[string]bool{"a": true})
		if json.Valid([]byte(doc)) != json.Valid([]byte(out)) {
			t.Errorf("%q with %q becomes %q", doc, value, out)
		}
	})
}
