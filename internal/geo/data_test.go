package geo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// data opens a file of the data folder. Without the folder the test is skipped; in CI it fails.
func data(tb testing.TB, path ...string) *os.File {
	tb.Helper()
	dir := os.Getenv("ORDERLY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	f, err := os.Open(filepath.Join(append([]string{dir}, path...)...))
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("CI needs the data folder: %v", err)
		}
		tb.Skipf("skipped without the data folder (ORDERLY_DATA): %v", err)
	}
	tb.Cleanup(func() { _ = f.Close() })
	return f
}

func TestRealPostalCodes(t *testing.T) {
	var b PostalBuilder
	files, err := filepath.Glob(filepath.Join(filepath.Dir(data(t, "geo", "zipcodes.at.csv.gz").Name()), "zipcodes.*"))
	if err != nil || len(files) != 13 {
		t.Fatalf("%v %v", files, err)
	}
	for _, name := range files {
		stats, err := ReadPostalCSV(&b, data(t, "geo", filepath.Base(name)), PostalMapping{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%-20s %s %v", filepath.Base(name), stats, stats.Rejected)
		// The codes of American forces abroad lie where the forces are: one in a hundred.
		if most := map[bool]int{true: 20, false: 1}[strings.Contains(name, ".us.")]; stats.Rows-stats.Kept > stats.Rows*most/1000 {
			t.Errorf("%s: more than %d rows in a thousand are rejected: %v", name, most, stats.Rejected)
		}
	}
	p := b.Build()
	t.Logf("%d codes in %d countries", p.Len(), len(p.Countries()))
	for _, c := range []struct {
		country, code string
		lat, lon      float64
	}{
		{"DE", "10115", 52.53, 13.38},
		{"US", "94110", 37.75, -122.42},
		{"GB", "SW1A 1AA", 51.50, -0.13},
		{"FR", "75001", 48.86, 2.34},
		{"NL", "1012 AB", 52.37, 4.89},
		{"CA", "M5V 2T6", 43.64, -79.40},
		{"IT", "118", 41.89, 12.48},
		{"ES", "8001", 41.38, 2.17},
	} {
		lat, lon, ok := p.Lookup(c.country, c.code)
		if km := DistanceKM(lat, lon, c.lat, c.lon); !ok || km > 15 {
			t.Errorf("%s %s: %f %f %t, %.0f km from where it is", c.country, c.code, lat, lon, ok, km)
		}
	}
}

func TestRealOlistPrefixes(t *testing.T) {
	for _, path := range []string{"olist/olist_geolocation_dataset.csv", "olist/full/geolocation_one_row_per_prefix.csv"} {
		var b PostalBuilder
		stats, err := ReadPostalCSV(&b, data(t, strings.Split(path, "/")...), Olist)
		if err != nil {
			t.Fatal(err)
		}
		p := b.Build()
		t.Logf("%s: %s %v, %d codes", path, stats, stats.Rejected, p.Len())
		if strings.Contains(path, "one_row") && (stats.Rejected["outside the country"] < 5 || stats.Rejected["outside the country"] > 20) {
			t.Errorf("%v, want about the 9 prefixes that lie outside Brazil", stats.Rejected)
		}
		lat, lon, ok := p.Lookup("BR", "01001-000")
		if km := DistanceKM(lat, lon, -23.55, -46.63); !ok || km > 10 {
			t.Errorf("São Paulo's cathedral is at %f %f %t", lat, lon, ok)
		}
	}
}

func TestRealIPRanges(t *testing.T) {
	var b IPBuilder
	stats, err := ReadIPRanges(&b, data(t, "fraud", "ip_ranges_to_country_partial.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	table := b.Build()
	t.Logf("%s %v, %d ranges", stats, stats.Rejected, table.Len())
	// A spreadsheet has rounded eight addresses to 1.02E+09: millions of addresses
	// could be meant, so the rows are refused. The European Union is no country.
	for why := range stats.Rejected {
		if why != "no IPv4 address" && why != "no country: European Union" {
			t.Errorf("rejected: %v", stats.Rejected)
		}
	}
	for ip, want := range map[string]string{"1.0.0.1": "AU", "8.8.8.8": "US", "198.184.161.5": "BR"} {
		if got, _ := table.Country(ip); got != want {
			t.Errorf("%s is in %q, want %q", ip, got, want)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	var pb PostalBuilder
	if _, err := ReadPostalCSV(&pb, data(b, "geo", "zipcodes.us.csv.gz"), PostalMapping{}); err != nil {
		b.Fatal(err)
	}
	p := pb.Build()
	b.ReportAllocs()
	for b.Loop() {
		p.Lookup("US", "94110")
	}
}

func BenchmarkCountry(b *testing.B) {
	var ib IPBuilder
	if _, err := ReadIPRanges(&ib, data(b, "fraud", "ip_ranges_to_country_partial.csv.gz")); err != nil {
		b.Fatal(err)
	}
	table := ib.Build()
	b.ReportAllocs()
	for b.Loop() {
		table.Country("198.184.161.5")
	}
}
