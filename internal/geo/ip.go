package geo

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"sort"
)

// IPTable tells the country of an IPv4 address. It is made by an IPBuilder, never changes and
// is safe for concurrent use. The nil *IPTable knows nothing.
type IPTable struct {
	from, to []uint32 // inclusive, ascending, without overlap
	country  []uint16 // index into codes
	codes    []string
}

// Country returns the country of an address in text form, ISO 3166-1 alpha-2.
// An IPv4 address written as IPv6 (::ffff:1.2.3.4) counts as IPv4; other IPv6
// addresses, and text that is no address, are unknown.
func (t *IPTable) Country(ip string) (string, bool) {
	if t == nil {
		return "", false
	}
	a, err := netip.ParseAddr(ip)
	if err != nil || !a.Unmap().Is4() {
		return "", false
	}
	b := a.Unmap().As4()
	v := binary.BigEndian.Uint32(b[:])
	i := sort.Search(len(t.from), func(i int) bool { return t.from[i] > v }) - 1
	if i < 0 || v > t.to[i] {
		return "", false
	}
	return t.codes[t.country[i]], true
}

// Len is the number of ranges; neighbours of one country are joined.
func (t *IPTable) Len() int {
	if t == nil {
		return 0
	}
	return len(t.from)
}

// Each calls f for every range, ascending; from and to are inclusive.
func (t *IPTable) Each(f func(from, to uint32, country string)) {
	if t == nil {
		return
	}
	for i := range t.from {
		f(t.from[i], t.to[i], t.codes[t.country[i]])
	}
}

// IPBuilder collects ranges for an IPTable. The zero value is ready.
type IPBuilder struct {
	rows []ipRow
}

type ipRow struct {
	from, to uint32
	country  string
}

// Add takes the range of addresses from and to, inclusive, of a country (ISO 3166-1
// alpha-2). It returns why it does not, or "".
func (b *IPBuilder) Add(from, to uint32, country string) string {
	switch {
	case from > to:
		return "the range ends before it begins"
	case len(country) != 2:
		return "no country"
	}
	b.rows = append(b.rows, ipRow{from, to, country})
	return ""
}

// Build makes the table. Where ranges overlap, the one that begins later counts: it is
// the part that was given away of a larger range.
func (b *IPBuilder) Build() *IPTable {
	rows := slices.Clone(b.rows)
	slices.SortFunc(rows, func(x, y ipRow) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to), cmp.Compare(x.country, y.country))
	})
	t := &IPTable{}
	index := map[string]uint16{}
	put := func(from, to uint64, country string) {
		if from > to {
			return
		}
		k, ok := index[country]
		if !ok {
			k = uint16(len(t.codes))
			index[country] = k
			t.codes = append(t.codes, country)
		}
		if n := len(t.to) - 1; n >= 0 && t.country[n] == k && uint64(t.to[n])+1 == from {
			t.to[n] = uint32(to)
			return
		}
		t.from, t.to, t.country = append(t.from, uint32(from)), append(t.to, uint32(to)), append(t.country, k)
	}
	// open are the ranges around the place reached, the innermost last; next is the first address not yet put.
	var open []ipRow
	var next uint64
	closeUntil := func(limit uint64) { // puts everything below limit
		for len(open) > 0 && next < limit {
			r := open[len(open)-1]
			if uint64(r.to) < next {
				open = open[:len(open)-1]
				continue
			}
			end := min(uint64(r.to), limit-1)
			put(next, end, r.country)
			next = end + 1
		}
	}
	for _, r := range rows {
		closeUntil(uint64(r.from))
		next = max(next, uint64(r.from))
		open = append(open, r)
	}
	closeUntil(1 << 32)
	t.from, t.to, t.country = slices.Clip(t.from), slices.Clip(t.to), slices.Clip(t.country)
	return t
}
