package routingbench

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestOlist(t *testing.T) {
	dir := os.Getenv("ORDERLY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "olist")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the data folder: %v", err)
		}
		t.Skipf("skipped without the data folder (ORDERLY_DATA): %v", err)
	}
	table, err := BenchOlist(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table)
	if table.Orders < 2900 || table.Sellers != 3095 || len(table.Rows) != 3 {
		t.Fatalf("%+v", table)
	}
	ours := table.Rows[0]
	for _, simple := range table.Rows[1:] {
		if ours.ParcelsPerOrder > simple.ParcelsPerOrder || ours.Unfillable > simple.Unfillable {
			t.Errorf("%+v is worse than %+v in what it promises first", ours, simple)
		}
	}
	if ours.KMPerParcel > table.Rows[2].KMPerParcel {
		t.Errorf("%+v is farther than the ranked list", ours)
	}
	again, err := BenchOlist(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again.Rows, table.Rows) {
		t.Errorf("the same seed gives other figures: %+v", again.Rows)
	}
}

func TestMissingFilesAreNamed(t *testing.T) {
	if _, err := BenchOlist(t.TempDir(), 1); err == nil {
		t.Error("an empty folder is no market")
	}
}
