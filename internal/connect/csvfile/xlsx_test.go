package csvfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

func workbook(t testing.TB, rows [][]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, r := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWorkbook(t *testing.T) {
	day := time.Date(2024, 3, 1, 9, 30, 0, 0, time.UTC)
	b := workbook(t, [][]any{
		{"order", "date", "currency", "sku", "quantity", "price", "note"},
		{"1001", day, "EUR", "MUG", 2, 2.55, "first"},
		{}, // an empty row counts for the numbers only
		{"1002", "2024-03-02", "EUR", "0042", 1, 0.1 + 0.2, ""},
		{"1003", day, "EUR", "CUP", "x", 1},
		{"1002", "2024-03-02", "EUR", "#REF!", 1, 3},
	})
	p := filepath.Join(t.TempDir(), "orders.xlsx")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := LoadMapping("generic", Orders)
	if err != nil {
		t.Fatal(err)
	}
	sink := newSink(t)
	rejects := filepath.Join(t.TempDir(), "r.csv")
	rep := doImport(t, Options{Path: p, Mapping: m, Sink: sink, Rejects: rejects})
	if rep.Rows != 4 || rep.Accepted != 2 || rep.Units != 3 || rep.Amount != 540 || rep.Currency != "EUR" {
		t.Errorf("%+v", rep)
	}
	placed := byType[*event.OrderPlaced](sink)
	if len(placed) != 2 || !placed[0].PlacedAt.Equal(day) || placed[1].Lines[0].SKU != "0042" {
		t.Errorf("%+v", placed)
	}
	got, err := os.ReadFile(rejects)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5,\"not a number: quantity \"\"x\"\"\",1003", "6,no SKU: sku,1002"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("the rejects lack %q:\n%s", want, got)
		}
	}
}

func TestWorkbookCells(t *testing.T) {
	for in, want := range map[string]string{
		"2.5499999999999998": "2.55", "0.30000000000000004": "0.3", "5": "5", "2.55": "2.55", "1E-3": "0.001", "12345678901234567": "12345678901234567",
		"hello world 1234567890": "hello world 1234567890", "44562.520833333336": "44562.5208333333", "1.5E+20": "1.5E+20", "-2.5499999999999998": "-2.55",
	} {
		if got := cleanCell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHostileWorkbooks(t *testing.T) {
	bomb := func() []byte {
		var buf bytes.Buffer
		w := zip.NewWriter(&buf)
		f, err := w.Create("xl/worksheets/sheet1.xml")
		if err != nil {
			t.Fatal(err)
		}
		zeros := make([]byte, 1<<20)
		for range 64 {
			if _, err := f.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		return buf.Bytes()
	}()
	good := workbook(t, [][]any{{"sku", "quantity"}, {"A", 1}})
	for name, b := range map[string][]byte{
		"bomb": bomb, "cut off": good[:len(good)/2], "only the mark": []byte("PK\x03\x04"), "garbage": append([]byte("PK\x03\x04"), bytes.Repeat([]byte{0xaa}, 500)...),
	} {
		if _, err := newXLSX(bytes.NewReader(b), int64(len(b)), FileFormat{}); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := newXLSX(bytes.NewReader(good), int64(len(good)), FileFormat{Sheet: "Nope"}); err == nil || !strings.Contains(err.Error(), "Sheet1") {
		t.Errorf("a missing sheet: %v", err)
	}
	old := filepath.Join(t.TempDir(), "old.xls")
	if err := os.WriteFile(old, []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1}, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openRows(old, FileFormat{}); err == nil || !strings.Contains(err.Error(), ".xlsx") {
		t.Errorf("an old workbook: %v", err)
	}
}

func FuzzWorkbook(f *testing.F) {
	f.Add(workbook(f, [][]any{{"sku", "quantity"}, {"A", 1.5}, {"B", "x"}}))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		x, err := newXLSX(bytes.NewReader(b), int64(len(b)), FileFormat{})
		if err != nil {
			return
		}
		defer x.Close()
		for range 10_000 {
			if _, err := x.next(); errors.Is(err, io.EOF) || err != nil {
				return
			}
		}
	})
}
