package decide_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
)

// TestTagsOfCustomers: the newest order that tells them counts, and conditions read them on that very order.
func TestTagsOfCustomers(t *testing.T) {
	s := newShop(t, "automation: wholesale\nowner: ops@shop.example\nwhy: pallets\non: order.placed\nwhen: '\"wholesale\" in customer.tags'\ndo:\n  - tag: pallet\n")
	s.product(catalog.Product{SKU: "MUG", Untracked: true})
	for i, c := range []struct {
		at     time.Duration // of the order
		tells  []string
		want   string // tags of the customer afterwards
		pallet bool
	}{
		{time.Hour, nil, "", false},
		{2 * time.Hour, []string{"wholesale", "vip"}, "wholesale vip", true},
		{3 * time.Hour, nil, "wholesale vip", true},           // a channel that tells nothing takes nothing away
		{time.Minute, []string{"old"}, "wholesale vip", true}, // an older order that comes late
		{4 * time.Hour, []string{"vip"}, "vip", false},        // what is told replaces
		{5 * time.Hour, []string{}, "", false},                // an empty list takes away
	} {
		p := placed(string(rune('1'+i)), event.Line{SKU: "MUG", Qty: 1})
		p.Customer.Tags, p.PlacedAt = c.tells, noon.Add(c.at-24*time.Hour)
		s.do(p)
		got := strings.Join(s.snap.Customers["cus_buyer@example.com"].Tags, " ")
		if pallet := slices.Contains(s.order(string(rune('1'+i))).Tags, "pallet"); got != c.want || pallet != c.pallet {
			t.Errorf("order %d: the customer has %q, pallet %v; want %q, %v", i+1, got, pallet, c.want, c.pallet)
		}
	}
}
