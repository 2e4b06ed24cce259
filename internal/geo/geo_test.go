package geo

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		name                   string
		lat1, lon1, lat2, lon2 float64
		km, tolerance          float64
	}{
		{"the same point", 52.52, 13.405, 52.52, 13.405, 0, 0},
		{"a degree along a meridian", 10, 20, 11, 20, 2 * math.Pi * EarthRadiusKM / 360, 1e-6},
		{"pole to pole", 90, 0, -90, 0, math.Pi * EarthRadiusKM, 1e-6},
		{"opposite points", 0, 0, 0, 180, math.Pi * EarthRadiusKM, 1e-6},
		{"across the date line", 0, 179.5, 0, -179.5, 2 * math.Pi * EarthRadiusKM / 360, 1e-6},
		{"Berlin to Paris", 52.5200, 13.4050, 48.8566, 2.3522, 878, 1},
		{"São Paulo to Manaus", -23.5505, -46.6333, -3.1190, -60.0217, 2690, 5},
	} {
		if km := DistanceKM(c.lat1, c.lon1, c.lat2, c.lon2); math.Abs(km-c.km) > c.tolerance {
			t.Errorf("%s: %f km, want %f", c.name, km, c.km)
		}
	}
}

func TestDistanceIsAMetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p [3][2]float64
		for i := range p {
			p[i] = [2]float64{rapid.Float64Range(-90, 90).Draw(t, "lat"), rapid.Float64Range(-180, 180).Draw(t, "lon")}
		}
		d := func(i, j int) float64 { return DistanceKM(p[i][0], p[i][1], p[j][0], p[j][1]) }
		if math.Abs(d(0, 1)-d(1, 0)) > 1e-9 {
			t.Fatalf("there %f, back %f", d(0, 1), d(1, 0))
		}
		// The formula loses digits near opposite points: some metres.
		if d(0, 2) > d(0, 1)+d(1, 2)+0.01 {
			t.Fatalf("%f is longer than %f + %f", d(0, 2), d(0, 1), d(1, 2))
		}
		if v := d(0, 1); v < 0 || v > math.Pi*EarthRadiusKM+1e-6 || math.IsNaN(v) {
			t.Fatalf("%f km", v)
		}
	})
}

func TestNormalizePostal(t *testing.T) {
	for _, c := range []struct{ country, in, want string }{
		{"BR", "1001", "01001"},
		{"BR", "01001-000", "01001"},
		{"BR", "1001000", "01001"},
		{"BR", "69945-000", "69945"},
		{"BR", "69945", "69945"},
		{"US", "501", "00501"},
		{"US", "2138", "02138"},
		{"US", "02138-1234", "02138"},
		{"US", "21381234", "02138"},
		{"US", "94110.0", "94110"},
		{"DE", "1067", "01067"},
		{"DE", "D-10115", "10115"},
		{"DE", "DE 10115", "10115"},
		{"DE", "10115", "10115"},
		{"IT", "118", "00118"},
		{"FR", "1000", "01000"},
		{"ES", "4001", "04001"},
		{"ES", "04001", "04001"},
		{"AU", "800", "0800"},
		{"GB", "sw1a 1aa", "SW1A1AA"},
		{"GB", " M1 ", "M1"},
		{"CA", "t0a-0a0", "T0A0A0"},
		{"NL", "1012 ab", "1012AB"},
		{"JP", "１００-０００１", "1000001"},
		{"DE", "", ""},
		{"DE", "unbekannt", ""},
		{"BR", "-", ""},
		{"XX", strings.Repeat("9", 40), strings.Repeat("9", 16)},
	} {
		if got := NormalizePostal(c.country, c.in); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.country, c.in, got, c.want)
		}
	}
}

func TestNormalizingTwiceChangesNothing(t *testing.T) {
	countries := rapid.SampledFrom([]string{"BR", "US", "DE", "GB", "CA", "NL", "JP", "XX", ""})
	rapid.Check(t, func(t *rapid.T) {
		c := countries.Draw(t, "country")
		once := NormalizePostal(c, rapid.String().Draw(t, "code"))
		if twice := NormalizePostal(c, once); twice != once {
			t.Fatalf("%s: %q becomes %q", c, once, twice)
		}
	})
}

func TestPostalLookup(t *testing.T) {
	var b PostalBuilder
	for _, r := range []struct {
		country, code string
		lat, lon      float64
	}{
		{"DE", "10115", 52.53, 13.38},
		{"DE", "10117", 52.51, 13.39},
		{"DE", "10119", 52.52, 13.40},
		{"GB", "M1", 53.48, -2.24},
		{"GB", "M11", 53.47, -2.18},
		{"GB", "SW1A", 51.50, -0.13},
		{"GB", "EC1", 51.52, -0.10},
		{"BR", "01001-000", -23.55, -46.63},
		// Three rows of one code: a wrong one does not move the median.
		{"BR", "2012", -23.50, -46.62},
		{"BR", "2012", -23.51, -46.61},
		{"BR", "2012", -3.1, -60},
	} {
		if why := b.Add(r.country, r.code, r.lat, r.lon); why != "" {
			t.Fatalf("%s %s: %s", r.country, r.code, why)
		}
	}
	p := b.Build()
	for _, c := range []struct {
		country, code string
		lat, lon      float64
		ok            bool
	}{
		{"DE", "10115", 52.53, 13.38, true},
		{"DE", "10199", 52.52, 13.39, true}, // the middle of 101..
		{"DE", "10999", 52.52, 13.39, true}, // the middle of 10...
		{"DE", "99999", 0, 0, false},
		{"DE", "", 0, 0, false},
		{"FR", "75001", 0, 0, false},
		{"GB", "M1 1AA", 53.48, -2.24, true}, // not M11
		{"GB", "M11 1AA", 53.47, -2.18, true},
		{"GB", "sw1a1aa", 51.50, -0.13, true},
		{"GB", "EC1A 1BB", 51.52, -0.10, true}, // district without its letter
		{"GB", "M60 1AA", 53.47, -2.24, true},  // the area: lower middle of two
		{"GB", "ZE1 0AA", 0, 0, false},
		{"BR", "1001", -23.55, -46.63, true},
		{"BR", "01001-999", -23.55, -46.63, true},
		{"BR", "02012", -23.50, -46.62, true},
	} {
		lat, lon, ok := p.Lookup(c.country, c.code)
		if ok != c.ok || lat != c.lat || lon != c.lon {
			t.Errorf("%s %s: %g %g %t, want %g %g %t", c.country, c.code, lat, lon, ok, c.lat, c.lon, c.ok)
		}
	}
	if p.Len() != 9 {
		t.Errorf("%d codes, want 9", p.Len())
	}
	var none *Postal
	if _, _, ok := none.Lookup("DE", "10115"); ok || none.Len() != 0 || len(none.Countries()) != 0 {
		t.Error("the nil table knows something")
	}
}

func TestPostalRefuses(t *testing.T) {
	var b PostalBuilder
	for _, c := range []struct {
		country, code string
		lat, lon      float64
		want          string
	}{
		{"", "1", 1, 1, "no country"},
		{"br", "1001", -23, -46, "no country"},
		{"DE", "none", 52, 13, "no postal code"},
		{"DE", "10115", 0, 0, "no point on Earth"},
		{"DE", "10115", 91, 13, "no point on Earth"},
		{"DE", "10115", math.NaN(), 13, "no point on Earth"},
		{"BR", "1001", 41.6, -8.4, "outside the country"}, // Portugal, as in the Olist data
	} {
		if why := b.Add(c.country, c.code, c.lat, c.lon); why != c.want {
			t.Errorf("%v: %q, want %q", c, why, c.want)
		}
	}
	if n := b.Build().Len(); n != 0 {
		t.Errorf("%d codes of refused rows", n)
	}
}

func TestTwoHundredThousandCodesAreSmall(t *testing.T) {
	before := heap()
	p := func() *Postal {
		var b PostalBuilder
		for i := range 200_000 {
			b.Add("XX", fmt.Sprintf("%06d", i*5), 40+float64(i%1000)/100, 10+float64(i%777)/100)
		}
		return b.Build()
	}()
	mb := float64(heap()-before) / (1 << 20)
	t.Logf("%d codes take %.1f MB", p.Len(), mb)
	if p.Len() != 200_000 || mb > 20 {
		t.Errorf("%d codes take %.1f MB, want 200,000 in less than 20 MB", p.Len(), mb)
	}
	if _, _, ok := p.Lookup("XX", "000005"); !ok {
		t.Error("a code is lost")
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestIPTable(t *testing.T) {
	const text = "lower_bound_ip_address,upper_bound_ip_address,country\n" +
		"16777216,16777471,Australia\n16777472.0,16777727,China\n16777728,16778239,CN\n" +
		"10.0.0.0,10.255.255.255,Korea Republic of\n4294967040,4294967295,Virgin Islands (U.S.)\n" +
		"5,4,France\nx,7,France\n1,2,Atlantis\n1,2\n0,0,FR\n"
	var b IPBuilder
	stats, err := ReadIPRanges(&b, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if stats.Rows != 10 || stats.Kept != 6 || stats.String() != "10 rows, 6 kept, 4 rejected" {
		t.Errorf("%s %v", stats, stats.Rejected)
	}
	table := b.Build()
	for ip, want := range map[string]string{
		"0.0.0.0": "FR", "0.0.0.1": "", "1.0.0.0": "AU", "1.0.0.255": "AU", "1.0.1.0": "CN", "1.0.3.255": "CN", "1.0.4.0": "",
		"10.1.2.3": "KR", "255.255.255.255": "VI", "255.255.254.255": "", "::ffff:1.0.0.1": "AU",
		"2001:db8::1": "", "": "", "1.0.0": "", "1.0.0.256": "", "localhost": "",
	} {
		if got, ok := table.Country(ip); got != want || ok != (want != "") {
			t.Errorf("%s: %q %t, want %q", ip, got, ok, want)
		}
	}
	if table.Len() != 5 { // the two Chinese neighbours are joined
		t.Errorf("%d ranges, want 5", table.Len())
	}
	var none *IPTable
	if _, ok := none.Country("1.0.0.1"); ok {
		t.Error("the nil table knows something")
	}
}

// TestOverlappingRanges compares the table with the definition: of the ranges around an
// address the one that begins last counts, of those the shortest.
func TestOverlappingRanges(t *testing.T) {
	codes := []string{"AA", "BB", "CC", "DD"}
	rapid.Check(t, func(t *rapid.T) {
		var b IPBuilder
		var rows []ipRow
		for range rapid.IntRange(1, 12).Draw(t, "rows") {
			from := rapid.Uint32Range(0, 40).Draw(t, "from")
			r := ipRow{from, from + rapid.Uint32Range(0, 20).Draw(t, "length"), rapid.SampledFrom(codes).Draw(t, "country")}
			rows = append(rows, r)
			b.Add(r.from, r.to, r.country)
		}
		table := b.Build()
		for v := range uint32(64) {
			var best *ipRow
			for i := range rows {
				r := &rows[i]
				if v < r.from || v > r.to {
					continue
				}
				if best == nil || r.from > best.from || (r.from == best.from && (r.to < best.to || (r.to == best.to && r.country > best.country))) {
					best = r
				}
			}
			got, ok := table.Country(fmt.Sprintf("0.0.0.%d", v))
			if ok != (best != nil) || (ok && got != best.country) {
				t.Fatalf("%d: %q %t, want %v of %v", v, got, ok, best, rows)
			}
		}
	})
}

func TestCountryCode(t *testing.T) {
	for name, want := range map[string]string{
		"Germany": "DE", "germany": "DE", "DE": "DE", "Korea Democratic People's Republic of": "KP", "Viet Nam": "VN",
		"Croatia (LOCAL Name: Hrvatska)": "HR", "Taiwan; Republic of China (ROC)": "TW", "St. Pierre and Miquelon": "PM",
		"Cote D'ivoire": "CI", "Côte d’Ivoire": "CI", "Congo": "CG", "Congo The Democratic Republic of The": "CD",
		"Virgin Islands (BRITISH)": "VG", "Bosnia & Herzegovina": "BA", "The Netherlands": "NL", "Iran (ISLAMIC Republic Of)": "IR",
		"European Union": "", "": "", "Atlantis": "", "the": "",
	} {
		if got, ok := CountryCode(name); got != want || ok != (want != "") {
			t.Errorf("%q: %q %t, want %q", name, got, ok, want)
		}
	}
}

func TestReadPostalMappings(t *testing.T) {
	var zipped bytes.Buffer
	zw := gzip.NewWriter(&zipped)
	fmt.Fprint(zw, "\xef\xbb\xbfcountry_code,zipcode,place,latitude,longitude\nDE,01067,Dresden,51.05,13.74\n")
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		m          PostalMapping
		country    string
		code       string
	}{
		{"gzip with a byte-order mark", zipped.String(), PostalMapping{}, "DE", "1067"},
		{"GeoNames", "DE\t01067\tDresden\t\t\t\t\t\t\t51.05\t13.74\t4\n", GeoNames, "DE", "01067"},
		{"Olist", "geolocation_zip_code_prefix,geolocation_lat,geolocation_lng\n1001,-23.55,-46.63\n", Olist, "BR", "01001"},
		{"semicolons, names, country by name", "Land;PLZ;B;L\nGermany;01067;51.05;13.74\n", PostalMapping{Country: "land", Code: "plz", Lat: "b", Lon: "l"}, "DE", "01067"},
	} {
		var b PostalBuilder
		stats, err := ReadPostalCSV(&b, strings.NewReader(c.text), c.m)
		if err != nil || stats.Kept != 1 || stats.Rows != 1 {
			t.Errorf("%s: %v %v", c.name, stats, err)
			continue
		}
		if _, _, ok := b.Build().Lookup(c.country, c.code); !ok {
			t.Errorf("%s: %s is not found", c.name, c.code)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"no coordinates", "country,zip\nDE,1\n", "no column for the latitude"},
		{"no country", "zip,lat,lon\n1,1,1\n", "no column for the country"},
		{"empty", "", "empty"},
		{"broken gzip", "\x1f\x8bxxxx", "gzip"},
	} {
		if _, err := ReadPostalCSV(new(PostalBuilder), strings.NewReader(c.text), PostalMapping{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzReadPostalCSV(f *testing.F) {
	f.Add([]byte("country_code,zipcode,latitude,longitude\nDE,01067,51.05,13.74\nGB,M1,53,-2\n"))
	f.Add([]byte("geolocation_zip_code_prefix;geolocation_lat;geolocation_lng\n\"1001;-23.5;-46\n"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	f.Add([]byte("country,zip,lat,lon\nAA,0,0,100\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b PostalBuilder
		stats, _ := ReadPostalCSV(&b, bytes.NewReader(text), PostalMapping{DefaultCountry: "BR"})
		checkStats(t, stats)
		p := b.Build()
		if p.Len() > stats.Kept {
			t.Fatalf("%d codes of %d rows", p.Len(), stats.Kept)
		}
		p.Each(func(country, code string, lat, lon float64) {
			if gotLat, gotLon, ok := p.Lookup(country, code); !ok || gotLat != lat || gotLon != lon || !validPoint(lat, lon) && (lat != 0 || lon != 0) {
				t.Fatalf("%s %q: %g %g %t, want %g %g", country, code, gotLat, gotLon, ok, lat, lon)
			}
		})
	})
}

func FuzzReadIPRanges(f *testing.F) {
	f.Add([]byte("lower,upper,country\n16777216,16777471,Australia\n0,4294967295,US\n"), "1.0.0.1")
	f.Add([]byte("1.0.0.0\t1.0.0.255\tDE\n"), "::1")
	f.Fuzz(func(t *testing.T, text []byte, ip string) {
		var b IPBuilder
		stats, err := ReadIPRanges(&b, bytes.NewReader(text))
		checkStats(t, stats)
		table := b.Build()
		if c, ok := table.Country(ip); ok && (len(c) != 2 || err != nil) {
			t.Fatalf("%q of a file with the error %v", c, err)
		}
		next := uint64(0)
		table.Each(func(from, to uint32, _ string) {
			if uint64(from) < next || from > to {
				t.Fatalf("range %d-%d after %d", from, to, next)
			}
			next = uint64(to) + 1
		})
	})
}

func FuzzCountryCode(f *testing.F) {
	f.Add("St. Pierre & Miquelon")
	f.Fuzz(func(t *testing.T, name string) {
		if c, ok := CountryCode(name); ok && len(c) != 2 {
			t.Fatalf("%q", c)
		}
	})
}

func checkStats(t *testing.T, s ReadStats) {
	t.Helper()
	n := s.Kept
	for _, c := range s.Rejected {
		n += c
	}
	if n != s.Rows {
		t.Fatalf("%s, but %d are accounted for", s, n)
	}
}
