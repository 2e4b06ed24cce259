package geo

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/fault"
)

// PostalMapping says where a file of postal codes keeps what. Columns are named by the
// header, in any case; with NoHeader by their number, from 1. The zero mapping
// finds the columns by the names that known files use.
type PostalMapping struct {
	Country string // column; "" = every row is of DefaultCountry
	Code    string
	Lat     string
	Lon     string

	DefaultCountry string // ISO 3166-1 alpha-2
	Comma          rune   // between columns; 0 = the most frequent of , ; tab in the first line
	NoHeader       bool
}

// GeoNames is the mapping of the files that geonames.org publishes: tabs, no header.
var GeoNames = PostalMapping{Country: "1", Code: "2", Lat: "10", Lon: "11", Comma: '\t', NoHeader: true}

// Olist is the mapping of the Olist marketplace's geolocation table, whose prefixes lost their leading zeros.
var Olist = PostalMapping{
	Code: "geolocation_zip_code_prefix", Lat: "geolocation_lat", Lon: "geolocation_lng", DefaultCountry: "BR",
}

// known are names of columns by what they hold, for files without a mapping.
var known = [4][]string{
	{"country_code", "country", "iso2", "country code"},
	{"zipcode", "postal_code", "postalcode", "postcode", "zip", "zip_code", "postal code", "plz", "code", "geolocation_zip_code_prefix"},
	{"latitude", "lat", "geolocation_lat"},
	{"longitude", "lon", "lng", "long", "geolocation_lng"},
}

// ReadStats counts the rows of a file: Rows = Kept + the sum of Rejected. Postal codes that
// several rows name, and ranges that touch, are one in the table.
type ReadStats struct {
	Rows     int
	Kept     int
	Rejected map[string]int // by reason
}

func (s *ReadStats) reject(why string) {
	if s.Rejected == nil {
		s.Rejected = map[string]int{}
	}
	if _, ok := s.Rejected[why]; !ok && len(s.Rejected) >= maxReasons {
		why = "other"
	}
	s.Rejected[why]++
}

// maxReasons bounds what a hostile file can make us remember.
const maxReasons = 50

// maxGeoBytes bounds what is read of one file after unpacking: the largest public
// file of postal codes has about 200 MB.
const maxGeoBytes = 1 << 30

// open unpacks gzip and drops a byte-order mark.
func open(r io.Reader) (*bufio.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "geo.open", "the file begins like gzip but is not")
		}
		br = bufio.NewReaderSize(&bounded{zr, maxGeoBytes}, 64<<10)
	}
	if bom, _ := br.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = br.Discard(3)
	}
	return br, nil
}

// bounded fails when more than left bytes are read: a small gzip file can unpack to anything.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fault.New(fault.Invalid, "geo.open", "the file unpacks to more than %d MB", maxGeoBytes>>20)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// rows gives every record of the text to f. A line that is no CSV is counted, not fatal.
func rows(br *bufio.Reader, comma rune, stats *ReadStats, f func(rec []string)) error {
	c := csv.NewReader(br)
	c.Comma = comma
	c.FieldsPerRecord = -1
	c.LazyQuotes = true
	c.ReuseRecord = true
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if _, ok := errors.AsType[*csv.ParseError](err); ok {
			stats.Rows++
			stats.reject("no table row")
			continue
		}
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "geo.rows", "the file cannot be read to its end; %d rows were", stats.Rows)
		}
		f(rec)
	}
}

// separator guesses what stands between the columns from the first line.
func separator(br *bufio.Reader) rune {
	head, _ := br.Peek(4 << 10)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// ReadPostalCSV adds the rows of a file of postal codes to the builder, gzip or plain.
// Rows that cannot be used are counted by reason. An error means that the file as a
// whole is not usable; the rows before it are in the builder.
func ReadPostalCSV(b *PostalBuilder, r io.Reader, m PostalMapping) (ReadStats, error) {
	const op = "geo.ReadPostalCSV"
	var stats ReadStats
	br, err := open(r)
	if err != nil {
		return stats, err
	}
	if m.Comma == 0 {
		m.Comma = separator(br)
	}
	var cols [4]int // country, code, lat, lon; -1 = none
	ready := false
	var bad error
	if m.NoHeader {
		if cols, bad = m.numbered(); bad != nil {
			return stats, bad
		}
		ready = true
	}
	err = rows(br, m.Comma, &stats, func(rec []string) {
		switch {
		case bad != nil:
			return
		case !ready:
			cols, bad = m.named(rec)
			ready = true
			return
		}
		stats.Rows++
		if why := addPostal(b, rec, cols, m.DefaultCountry); why != "" {
			stats.reject(why)
			return
		}
		stats.Kept++
	})
	if err == nil {
		err = bad
	}
	if err == nil && !ready {
		err = fault.New(fault.Invalid, op, "the file is empty")
	}
	return stats, err
}

func addPostal(b *PostalBuilder, rec []string, cols [4]int, country string) string {
	for _, c := range cols {
		if c >= len(rec) {
			return "too few columns"
		}
	}
	if cols[0] >= 0 {
		if c := strings.ToUpper(strings.TrimSpace(rec[cols[0]])); len(c) == 2 {
			country = c
		} else {
			country, _ = CountryCode(rec[cols[0]])
		}
	}
	lat, err1 := strconv.ParseFloat(strings.TrimSpace(rec[cols[2]]), 64)
	lon, err2 := strconv.ParseFloat(strings.TrimSpace(rec[cols[3]]), 64)
	if err1 != nil || err2 != nil || math.IsNaN(lat) || math.IsNaN(lon) {
		return "no coordinates"
	}
	return b.Add(strings.Clone(country), strings.Clone(rec[cols[1]]), lat, lon)
}

// named finds the columns in the header.
func (m PostalMapping) named(header []string) (cols [4]int, err error) {
	cols = [4]int{-1, -1, -1, -1}
	wanted := [4]string{m.Country, m.Code, m.Lat, m.Lon}
	auto := m.Code == "" && m.Lat == "" && m.Lon == ""
	find := func(names ...string) int {
		for _, name := range names {
			for i, h := range header {
				if strings.EqualFold(strings.TrimSpace(h), name) {
					return i
				}
			}
		}
		return -1
	}
	for k := range cols {
		switch {
		case wanted[k] != "":
			cols[k] = find(wanted[k])
		case auto:
			cols[k] = find(known[k]...)
		}
	}
	names := [4]string{"country", "postal code", "latitude", "longitude"}
	for k := range cols {
		if cols[k] < 0 && (k > 0 || (wanted[0] != "" || m.DefaultCountry == "")) {
			return cols, fault.New(fault.Invalid, "geo.ReadPostalCSV", "no column for the %s; the columns are %s", names[k], excerpt(header))
		}
	}
	return cols, nil
}

// excerpt shows a header in an error without its full length.
func excerpt(header []string) string {
	text := strings.Join(header, ", ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + " …"
	}
	return strconv.Quote(text)
}

// numbered reads the columns of a file without a header.
func (m PostalMapping) numbered() (cols [4]int, err error) {
	for k, s := range [4]string{m.Country, m.Code, m.Lat, m.Lon} {
		if k == 0 && s == "" && m.DefaultCountry != "" {
			cols[k] = -1
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return cols, fault.New(fault.Invalid, "geo.ReadPostalCSV", "%q is not a column number; a file without a header needs the numbers of all columns, from 1", s)
		}
		cols[k] = n - 1
	}
	return cols, nil
}

// ReadIPRanges adds the rows of a file of IPv4 ranges to the builder, gzip or plain:
// first address, last address, country. Addresses are whole numbers or dotted;
// countries are ISO codes or English names. A first row that holds no addresses is a header.
func ReadIPRanges(b *IPBuilder, r io.Reader) (ReadStats, error) {
	var stats ReadStats
	br, err := open(r)
	if err != nil {
		return stats, err
	}
	first := true
	err = rows(br, separator(br), &stats, func(rec []string) {
		header := first
		first = false
		if len(rec) < 3 {
			stats.Rows++
			stats.reject("too few columns")
			return
		}
		from, ok1 := ipNumber(rec[0])
		to, ok2 := ipNumber(rec[1])
		if header && !ok1 && !ok2 {
			return
		}
		stats.Rows++
		if !ok1 || !ok2 {
			stats.reject("no IPv4 address")
			return
		}
		country, ok := CountryCode(rec[2])
		if !ok {
			stats.reject("no country: " + strings.ToValidUTF8(rec[2][:min(len(rec[2]), 40)], ""))
			return
		}
		if why := b.Add(from, to, country); why != "" {
			stats.reject(why)
			return
		}
		stats.Kept++
	})
	if err == nil && stats.Kept == 0 {
		err = fault.New(fault.Invalid, "geo.ReadIPRanges", "no row of the file is an address range with a country; %s", stats)
	}
	return stats, err
}

// String sums up in words.
func (s ReadStats) String() string {
	n := 0
	for _, c := range s.Rejected {
		n += c
	}
	return fmt.Sprintf("%d rows, %d kept, %d rejected", s.Rows, s.Kept, n)
}

// ipNumber reads an IPv4 address: "16777216", the same as a float "16777216.0", or "1.0.0.0".
func ipNumber(s string) (uint32, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		if a = a.Unmap(); !a.Is4() {
			return 0, false
		}
		v := a.As4()
		return binary.BigEndian.Uint32(v[:]), true
	}
	whole, frac, _ := strings.Cut(s, ".")
	if strings.Trim(frac, "0") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 32)
	return uint32(n), err == nil
}
