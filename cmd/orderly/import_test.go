package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runImport runs `orderly import` on a database of its own.
func runImport(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append(append([]string{"import"}, args...), "--data-dir", filepath.Join(dir, "data"), "--rejects", filepath.Join(dir, "rejects.csv"))
	code = Main(t.Context(), args, strings.NewReader(""), &out, &errs, nil)
	return code, out.String(), errs.String()
}

type importReport struct {
	Rows, Accepted, Rejected, Duplicates, Orders, Units, Amount, Changed int64
	Currency                                                             string
	AlreadyKnown                                                         int64 `json:"already_known"`
	Events                                                               struct{ Decided, Duplicate, Quarantined, Conflict int64 }
}

func importJSON(t *testing.T, dir string, args ...string) importReport {
	t.Helper()
	code, out, errs := runImport(t, dir, append(args, "--json", "--quiet")...)
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var rep importReport
	if err := json.Unmarshal([]byte(out), &rep); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if rep.Rows != rep.Accepted+rep.Rejected+rep.Duplicates {
		t.Errorf("%+v", rep)
	}
	return rep
}

// TestImportStopped holds that an import that a person stops says so plainly, keeps what it brought, and goes on when it is run again.
func TestImportStopped(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "orders.csv")
	const orders = 12_000
	text := []byte("order,date,currency,sku,quantity,price,status,email\n")
	for i := range orders {
		text = fmt.Appendf(text, "%d,2024-01-02,EUR,MUG,1,9.90,completed,a%d@example.com\n", i, i)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // as soon as something is written
		for ctx.Err() == nil {
			if st, err := os.Stat(filepath.Join(dir, "data", "orderly.db-wal")); err == nil && st.Size() > 1<<20 {
				stop()
			}
			<-time.Tick(time.Millisecond)
		}
	}()
	var out, errs bytes.Buffer
	args := []string{"import", "orders", file, "--quiet", "--data-dir", filepath.Join(dir, "data")}
	if code := Main(ctx, args, strings.NewReader(""), &out, &errs, nil); code != exitFailure {
		t.Fatalf("exit %d: %s%s", code, &out, &errs)
	}
	if s := errs.String(); !strings.Contains(s, "stopped before the end of the file") || !strings.Contains(s, "stays") || !strings.Contains(s, "again") || strings.Contains(s, "context") {
		t.Errorf("it says: %s", s)
	}
	rest := importJSON(t, dir, "orders", file)
	if rest.Orders != orders || rest.Events.Duplicate == 0 || rest.Events.Decided == 0 || rest.Events.Decided+rest.Events.Duplicate < orders || rest.Events.Conflict+rest.Events.Quarantined != 0 {
		t.Errorf("the second run: %+v", rest)
	}
	if again := importJSON(t, dir, "orders", file); again.Events.Decided != 0 || again.Changed != 0 {
		t.Errorf("the third run: %+v", again)
	}
}

func TestImportCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "orders.csv")
	if err := os.WriteFile(file, []byte("order,date,currency,sku,quantity,price,status,email\n"+
		"1,2024-01-02,EUR,MUG,2,9.90,completed,a@example.com\n1,2024-01-02,EUR,CUP,1,5.00,completed,a@example.com\n"+
		"2,2024-01-03,EUR,MUG,1,9.90,cancelled,b@example.com\n3,2024-01-04,EUR,MUG,x,9.90,paid,\n1,2024-01-02,EUR,CUP,1,5.00,completed,a@example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dry := importJSON(t, dir, "orders", file, "--dry-run")
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Error("a dry run made a database")
	}
	first := importJSON(t, dir, "orders", file)
	if first.Rows != 5 || first.Accepted != 3 || first.Rejected != 1 || first.Duplicates != 1 || first.Orders != 2 || first.Units != 4 || first.Amount != 3470 || first.Currency != "EUR" {
		t.Errorf("%+v", first)
	}
	if dry.Amount != first.Amount || dry.Accepted != first.Accepted || dry.Events.Decided != 0 {
		t.Errorf("dry %+v", dry)
	}
	if first.Events.Decided != 6 || first.Events.Quarantined+first.Events.Conflict != 0 || first.Changed != 2 {
		t.Errorf("%+v", first.Events)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "rejects.csv")); err != nil || !strings.Contains(string(b), "\n5,") {
		t.Errorf("%v %s", err, b)
	}
	second := importJSON(t, dir, "orders", file)
	if second.Events.Decided != 0 || second.Events.Duplicate != 6 || second.AlreadyKnown != 3 || second.Changed != 0 {
		t.Errorf("a second import: %+v", second)
	}
	code, out, _ := runImport(t, dir, "orders", file)
	if code != exitOK || !strings.Contains(out, "5 = 3 accepted + 1 rejected + 1 duplicates") || !strings.Contains(out, "34.70 EUR") {
		t.Errorf("%d %s", code, out)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"orders", file, "--mapping", "shopfy"}, exitUsage, `did you mean "shopify"?`},
		{[]string{"orders", filepath.Join(dir, "none.csv")}, exitFailure, "cannot open"},
		{[]string{"orders", file, "--as", "lively"}, exitFailure, "history or live"},
		{[]string{"stock", file, "--mapping", "shopify"}, exitUsage, "built in: generic"},
		{[]string{"orders"}, exitUsage, "orderly import orders FILE"},
		{[]string{"ordres", file}, exitUsage, ""},
	} {
		if code, _, errs := runImport(t, dir, c.args...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit %d: %s", c.args, code, errs)
		}
	}
}

// The same stock list twice changes nothing; a list that comes back after another one counts.
func TestImportStockGoesBack(t *testing.T) {
	dir := t.TempDir()
	write := func(name, qty string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("sku,quantity,location\nMUG,"+qty+",main\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	places := filepath.Join(dir, "places.csv")
	if err := os.WriteFile(places, []byte("id,name,country\nmain,Main,DE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	importJSON(t, dir, "locations", places)
	a, b := write("a.csv", "50"), write("b.csv", "47")
	for i, c := range []struct {
		file         string
		decided, dup int64
	}{{a, 1, 0}, {a, 0, 1}, {b, 1, 0}, {b, 0, 1}, {a, 1, 0}, {a, 0, 1}, {b, 1, 0}} {
		if rep := importJSON(t, dir, "stock", c.file, "--as", "live"); rep.Events.Decided != c.decided || rep.Events.Duplicate != c.dup {
			t.Errorf("import %d: %+v", i+1, rep.Events)
		}
	}
}

func TestImportKits(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "products.csv")
	write := func(text string) {
		if err := os.WriteFile(file, []byte("sku,title,components,backorder\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("SET,Set,MUG:2 TRAY:1,yes\nMUG,Mug,,no\nBIG,Big,SET:1,\nBAD,Bad,MUG:x,\nSELF,Self,SELF,\n")
	if rep := importJSON(t, dir, "products", file); rep.Accepted != 2 || rep.Rejected != 3 || rep.Changed != 2 {
		t.Errorf("%+v", rep)
	}
	b, err := os.ReadFile(filepath.Join(dir, "rejects.csv"))
	if err != nil || !strings.Contains(string(b), "a kit in a kit") || !strings.Contains(string(b), "\n5,") {
		t.Errorf("%v %s", err, b)
	}
	if rep := importJSON(t, dir, "products", file); rep.Changed != 0 {
		t.Errorf("again: %+v", rep)
	}
	write("BIG,Big,SET:1,\n")
	if code, _, errs := runImport(t, dir, "products", file); code == exitOK || !strings.Contains(errs, "which is a kit itself") {
		t.Errorf("%d %s", code, errs)
	}
}

// The real marketplace, through the real engine: everything is decided, nothing twice.
func TestImportOlistThroughTheEngine(t *testing.T) {
	data := os.Getenv("ORDERLY_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "..", "shared", "data")
	}
	olist := filepath.Join(data, "olist")
	if _, err := os.Stat(olist); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the real data: %s (set ORDERLY_DATA)", olist)
		}
		t.Skipf("no real data at %s (set ORDERLY_DATA)", olist)
	}
	ex := filepath.Join("..", "..", "examples", "olist")
	dir := t.TempDir()
	sellers := importJSON(t, dir, "locations", filepath.Join(olist, "olist_sellers_dataset.csv"), "--mapping", filepath.Join(ex, "sellers.yaml"))
	products := importJSON(t, dir, "products", filepath.Join(olist, "olist_products_dataset.csv"), "--mapping", filepath.Join(ex, "products.yaml"))
	if sellers.Changed != sellers.Rows || products.Changed != products.Rows || sellers.Rows == 0 {
		t.Errorf("%+v %+v", sellers, products)
	}
	args := []string{"orders", filepath.Join(olist, "olist_orders_dataset.csv"), "--mapping", filepath.Join(ex, "orders.yaml")}
	first := importJSON(t, dir, args...)
	if first.Accepted != first.Rows || first.Orders != first.Rows || first.Events.Decided < first.Rows || first.Events.Quarantined+first.Events.Conflict+first.Events.Duplicate != 0 {
		t.Errorf("%+v", first)
	}
	second := importJSON(t, dir, args...)
	if second.Events.Decided != 0 || second.Events.Duplicate != first.Events.Decided || second.Changed != 0 {
		t.Errorf("%+v", second)
	}
}
