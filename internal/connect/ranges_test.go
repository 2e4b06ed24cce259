package connect

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		want      class
		addresses string
	}{
		{public, "1.1.1.1 8.8.8.8 93.184.216.34 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255"},
		{public, "2606:4700:4700::1111 2001:4860:4860::8888 2a00:1450:4001:81b::200e 2001:200:: 2003::1 3ffe::1"},
		{public, "::ffff:8.8.8.8"},
		{private, "127.0.0.1 127.255.255.255 ::1 10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255"},
		{private, "100.64.0.0 100.127.255.255 198.18.0.0 198.19.255.255 fc00::1 fd12:3456:789a::1 fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{private, "::ffff:127.0.0.1 ::ffff:10.1.2.3 ::ffff:c0a8:1"},
		// NAT64 and 6to4 are private at best: nothing public needs them from here.
		{private, "64:ff9b::8.8.8.8 64:ff9b::7f00:1 64:ff9b:1::10.0.0.1 2002:808:808:: 2002:7f00:1:: 2002:a00:1::1 ::8.8.8.8"},
		{never, "64:ff9b::169.254.169.254 64:ff9b:1::169.254.169.254 2002:a9fe:a9fe:: ::169.254.169.254 64:ff9b::224.0.0.1"},
		{never, "0.0.0.0 0.255.255.255 :: 169.254.0.1 169.254.169.254 169.254.255.255 fe80::1 febf::1"},
		{never, "224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1 ff0e::1"},
		{never, "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1 192.0.0.1 192.0.0.192 192.88.99.1 100.100.100.200 168.63.129.16"},
		{never, "2001::1 2001:10::1 2001:1ff:: 100::1 5f00::1 fec0::1 fd00:ec2::254 fd20:ce::254"},
		{never, "4000::1 1::1 8000::1 ::ffff:0:0 ::ffff:169.254.169.254 fe80::1%eth0 2606:4700::1%eth0"},
	} {
		for a := range strings.FieldsSeq(c.addresses) {
			ip := netip.MustParseAddr(a)
			if got := rangeOf(ip).class; got != c.want {
				t.Errorf("rangeOf(%s) = %d (%s), want %d", a, got, rangeOf(ip).name, c.want)
			}
			strict, lax := judge(ip, false) == nil, judge(ip, true) == nil
			if strict != (c.want == public) || lax != (c.want != never) {
				t.Errorf("judge(%s) takes it %v, with private allowed %v", a, strict, lax)
			}
		}
	}
	if judge(netip.Addr{}, true) == nil {
		t.Error("the zero address is reachable")
	}
}

// TestMappedIsWhatItCarries: ::ffff:a.b.c.d is judged as a.b.c.d, and NAT64, 6to4
// and IPv4-compatible addresses never more leniently than what they carry.
func TestMappedIsWhatItCarries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(rt, "ipv4"))
		v4 := netip.AddrFrom4(b)
		if a, m := rangeOf(v4), rangeOf(netip.AddrFrom16(v4.As16())); a.class != m.class {
			rt.Fatalf("%s is %d, mapped %d", v4, a.class, m.class)
		}
		wrap := func(prefix string, at int) netip.Addr {
			w := netip.MustParseAddr(prefix).As16()
			copy(w[at:], b[:])
			return netip.AddrFrom16(w)
		}
		for _, w := range []netip.Addr{wrap("64:ff9b::", 12), wrap("64:ff9b:1::", 12), wrap("2002::", 2), wrap("::", 12)} {
			carries := w != netip.IPv6Loopback() // ::1 is an address of its own
			if got := rangeOf(w).class; got == public || carries && got < rangeOf(v4).class {
				rt.Fatalf("%s carries %s (%d) but is %d", w, v4, rangeOf(v4).class, got)
			}
		}
	})
}

// TestNetipAgrees: whatever the standard library knows as not global unicast is not public here.
func TestNetipAgrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ip := netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "ip")))
		if rapid.Bool().Draw(rt, "v4") {
			b := ip.As16()
			ip = netip.AddrFrom4([4]byte(b[:4]))
		}
		u := ip.Unmap()
		if (!u.IsGlobalUnicast() || u.IsPrivate()) && rangeOf(ip).class == public {
			rt.Fatalf("%s counts as public", ip)
		}
	})
}
