package geo

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
)

// Postal tells the coordinates of postal codes. It is made by a PostalBuilder, never
// changes, is safe for concurrent use, and takes about 20 bytes a code. The nil
// *Postal knows nothing.
type Postal struct {
	countries map[string]*postalTable
	codes     int
}

// postalTable holds the codes of a country, and the middle of all codes with the
// same beginning for codes that are not in the table.
type postalTable struct {
	exact    codeTable
	prefixes codeTable
}

// codeTable is a sorted list of codes in one piece of memory: code i is
// text[at[i]:at[i+1]], its point in millionths of a degree (a tenth of a metre).
type codeTable struct {
	text     []byte
	at       []uint32
	lat, lon []int32
}

func (t *codeTable) code(i int) string { return string(t.text[t.at[i]:t.at[i+1]]) }

func (t *codeTable) find(code string) (lat, lon float64, ok bool) {
	n := len(t.lat)
	i := sort.Search(n, func(i int) bool { return string(t.text[t.at[i]:t.at[i+1]]) >= code })
	if i == n || string(t.text[t.at[i]:t.at[i+1]]) != code {
		return 0, 0, false
	}
	return float64(t.lat[i]) / 1e6, float64(t.lon[i]) / 1e6, true
}

// shortestPrefix is the fewest characters of a code that still say where it is:
// a region of some hundred kilometres.
const shortestPrefix = 2

// Lookup returns the coordinates of a postal code, in degrees WGS 84. A code that
// is not in the table has the coordinates of the longest beginning that is: a
// British one its outward code, then its area; others the middle of all codes with the same
// first characters, at least two. Country is ISO 3166-1 alpha-2 in capitals.
func (p *Postal) Lookup(country, code string) (lat, lon float64, ok bool) {
	if p == nil {
		return 0, 0, false
	}
	t := p.countries[country]
	if t == nil {
		return 0, 0, false
	}
	code = NormalizePostal(country, code)
	if country == "GB" {
		return t.lookupGB(code)
	}
	if lat, lon, ok = t.exact.find(code); ok { // however short
		return lat, lon, true
	}
	for n := len(code); n >= shortestPrefix; n-- {
		if lat, lon, ok = t.exact.find(code[:n]); ok {
			return lat, lon, true
		}
		if lat, lon, ok = t.prefixes.find(code[:n]); ok {
			return lat, lon, true
		}
	}
	return 0, 0, false
}

func (t *postalTable) lookupGB(code string) (lat, lon float64, ok bool) {
	if lat, lon, ok = t.exact.find(code); ok {
		return lat, lon, true
	}
	district := outward(code)
	if lat, lon, ok = t.exact.find(district); ok {
		return lat, lon, true
	}
	// "EC1A" without its letter is "EC1"; the letters alone are the area.
	if short := strings.TrimRight(district, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"); short != "" && short != district {
		if lat, lon, ok = t.exact.find(short); ok {
			return lat, lon, true
		}
	}
	return t.prefixes.find(areaGB(district))
}

// areaGB is the leading letters of a British code.
func areaGB(code string) string {
	i := 0
	for i < len(code) && !isDigit(code[i]) {
		i++
	}
	return code[:i]
}

// Len is the number of codes.
func (p *Postal) Len() int {
	if p == nil {
		return 0
	}
	return p.codes
}

// Countries lists the countries in the table, sorted.
func (p *Postal) Countries() []string {
	if p == nil {
		return nil
	}
	out := make([]string, 0, len(p.countries))
	for c := range p.countries {
		out = append(out, c)
	}
	sort.Strings(out)
	return out
}

// Each calls f for every code, sorted by country and code.
func (p *Postal) Each(f func(country, code string, lat, lon float64)) {
	for _, c := range p.Countries() {
		t := &p.countries[c].exact
		for i := range t.lat {
			f(c, t.code(i), float64(t.lat[i])/1e6, float64(t.lon[i])/1e6)
		}
	}
}

// PostalBuilder collects rows for a Postal. Several rows per code are welcome:
// the code's point is the median of them, latitude and longitude apart, so that a few
// wrong ones do no harm. The zero value is ready.
type PostalBuilder struct {
	rows map[string][]postalRow
}

type postalRow struct {
	code     string
	lat, lon int32
}

// Add takes a row. It returns why it does not, or "": the code is empty, the point is
// not on Earth, or it lies outside the country.
func (b *PostalBuilder) Add(country, code string, lat, lon float64) string {
	code = NormalizePostal(country, code)
	switch {
	case len(country) != 2 || country[0] < 'A' || country[0] > 'Z' || country[1] < 'A' || country[1] > 'Z':
		return "no country"
	case code == "":
		return "no postal code"
	case !validPoint(lat, lon):
		return "no point on Earth"
	case !inside(country, lat, lon):
		return "outside the country"
	}
	if b.rows == nil {
		b.rows = map[string][]postalRow{}
	}
	b.rows[country] = append(b.rows[country], postalRow{
		code: code, lat: int32(math.Round(lat * 1e6)), lon: int32(math.Round(lon * 1e6)),
	})
	return ""
}

// Build makes the table. The builder may be filled further and built again.
func (b *PostalBuilder) Build() *Postal {
	p := &Postal{countries: make(map[string]*postalTable, len(b.rows))}
	for country, rows := range b.rows {
		slices.SortFunc(rows, func(x, y postalRow) int {
			return cmp.Or(strings.Compare(x.code, y.code), cmp.Compare(x.lat, y.lat), cmp.Compare(x.lon, y.lon))
		})
		t := &postalTable{exact: tableOf(rows, func(code string) string { return code })}
		p.codes += len(t.exact.lat)
		t.prefixes = t.exact.prefixTable(country)
		p.countries[country] = t
	}
	return p
}

// tableOf makes one code of every run of rows with the same key. The rows are sorted.
func tableOf(rows []postalRow, key func(string) string) codeTable {
	var t codeTable
	t.at = append(t.at, 0)
	var lats, lons []int32
	for i := 0; i < len(rows); {
		k := key(rows[i].code)
		lats, lons = lats[:0], lons[:0]
		for ; i < len(rows) && key(rows[i].code) == k; i++ {
			lats, lons = append(lats, rows[i].lat), append(lons, rows[i].lon)
		}
		if k == "" {
			continue
		}
		t.text = append(t.text, k...)
		t.at = append(t.at, uint32(len(t.text)))
		t.lat, t.lon = append(t.lat, median(lats)), append(t.lon, median(lons))
	}
	t.text, t.at = slices.Clip(t.text), slices.Clip(t.at)
	t.lat, t.lon = slices.Clip(t.lat), slices.Clip(t.lon)
	return t
}

// median is the middle value, the lower one of two. It sorts its argument.
func median(v []int32) int32 {
	slices.Sort(v)
	return v[(len(v)-1)/2]
}

// prefixTable holds the middle of all codes that begin alike.
func (t *codeTable) prefixTable(country string) codeTable {
	rows := make([]postalRow, len(t.lat))
	longest := 0
	for i := range rows {
		rows[i] = postalRow{t.code(i), t.lat[i], t.lon[i]}
		longest = max(longest, len(rows[i].code))
	}
	if country == "GB" {
		return tableOf(rows, areaGB)
	}
	var all []postalRow
	for n := shortestPrefix; n < longest; n++ {
		one := tableOf(rows, func(code string) string {
			if len(code) <= n {
				return ""
			}
			return code[:n]
		})
		for i := range one.lat {
			all = append(all, postalRow{one.code(i), one.lat[i], one.lon[i]})
		}
	}
	slices.SortFunc(all, func(x, y postalRow) int { return strings.Compare(x.code, y.code) })
	return tableOf(all, func(code string) string { return code })
}
