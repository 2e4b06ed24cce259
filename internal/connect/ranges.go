package connect

import (
	"errors"
	"net/netip"
)

// class of an address range.
type class uint8

const (
	public  class = iota
	private       // reachable when a connection allows private addresses
	never         // no destination at all, or one that gives secrets away
)

type addressRange struct {
	prefix netip.Prefix
	class  class
	name   string
}

func ranges(c class, name string, prefixes ...string) []addressRange {
	out := make([]addressRange, len(prefixes))
	for i, p := range prefixes {
		out[i] = addressRange{netip.MustParsePrefix(p), c, name}
	}
	return out
}

func join(lists ...[]addressRange) (out []addressRange) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// special are the ranges that are not the public Internet, after the IANA special-purpose
// registries for IPv4 and IPv6 (RFC 6890 and its updates). The first match counts.
var special = join(
	ranges(never, "a cloud's metadata address", "169.254.169.254/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128"),

	ranges(never, "an unspecified address", "0.0.0.0/8", "::/128"),
	ranges(never, "a link-local address", "169.254.0.0/16", "fe80::/10"),
	ranges(never, "a multicast address", "224.0.0.0/4", "ff00::/8"),
	ranges(never, "a reserved or broadcast address", "240.0.0.0/4"),
	ranges(never, "an address reserved for examples", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
	ranges(never, "an address reserved for protocols", "192.0.0.0/24", "192.88.99.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",
		"100::/64", "100:0:0:1::/64", "2001::/23", "2620:4f:8000::/48", "5f00::/16"),
	ranges(never, "a site-local address", "fec0::/10"),

	ranges(private, "a loopback address", "127.0.0.0/8", "::1/128"),
	ranges(private, "a private address", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
	ranges(private, "a carrier-grade NAT address", "100.64.0.0/10"),
	ranges(private, "a benchmarking address", "198.18.0.0/15"),
)

// Ranges of IPv6 that carry an IPv4 address: where it stands in the 16 bytes.
var carriers = []struct {
	prefix netip.Prefix
	at     int
	name   string
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12, "a NAT64 address"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12, "a NAT64 address"},
	{netip.MustParsePrefix("2002::/16"), 2, "a 6to4 address"},
	{netip.MustParsePrefix("::/96"), 12, "an IPv4-compatible address"},
}

// global is the only part of IPv6 that is assigned to the public Internet.
var global = netip.MustParsePrefix("2000::/3")

// rangeOf classes an address. An IPv4 address in IPv6 clothes is what it carries,
// but never public: nothing public needs to be reached that way.
func rangeOf(ip netip.Addr) addressRange {
	if ip.Zone() != "" {
		return addressRange{class: never, name: "a link-local address"}
	}
	ip = ip.Unmap()
	for _, r := range special {
		if r.prefix.Contains(ip) {
			return r
		}
	}
	if ip.Is4() {
		return addressRange{class: public}
	}
	for _, c := range carriers {
		if c.prefix.Contains(ip) {
			b := ip.As16()
			inner := rangeOf(netip.AddrFrom4([4]byte(b[c.at : c.at+4])))
			return addressRange{class: max(inner.class, private), name: c.name}
		}
	}
	if !ip.IsValid() || !global.Contains(ip) {
		return addressRange{class: never, name: "not an address of the public Internet"}
	}
	return addressRange{class: public}
}

// judge returns why the address must not be reached, or nil.
func judge(ip netip.Addr, allowPrivate bool) error {
	r := rangeOf(ip)
	switch {
	case r.class == never:
		return errors.New(r.name + ", which is never called")
	case r.class == private && !allowPrivate:
		return errors.New(r.name + "; the connection does not allow private addresses")
	}
	return nil
}
