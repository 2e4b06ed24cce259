package automation

import (
	"os"
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
)

const starterDir = "../../examples/shop/automations"

// TestStarterPack evaluates every automation of the sample shop on facts that
// make it fire, that do not, and that leave it unknown.
func TestStarterPack(t *testing.T) {
	eur := func(units int64) money.Amount { return money.New(units*100, "EUR") }
	velocity := func(by string, within time.Duration) string { return rule.VelocityFact("order.placed", by, within) }
	const day = 24 * time.Hour
	type facts = rule.Map
	cases := map[string]struct{ fires, not, unknown facts }{
		"hold-large-orders": {
			fires:   facts{"order.total": eur(1501)},
			not:     facts{"order.total": eur(1500)},
			unknown: facts{"order.total": money.New(900000, "USD")},
		},
		"hold-large-first-orders": {
			fires:   facts{"order.total": eur(500), "customer.orders": int64(0), "order.shipping.country": "FR", "order.billing.country": "DE"},
			not:     facts{"order.total": eur(500), "customer.orders": int64(1), "order.shipping.country": "FR"},
			unknown: facts{"order.total": eur(500), "customer.orders": int64(0), "order.shipping.country": "FR"},
		},
		"hold-velocity-customer": {
			fires:   facts{velocity("customer.email", day): int64(3)},
			not:     facts{velocity("customer.email", day): int64(2)},
			unknown: facts{},
		},
		"hold-velocity-address": {
			fires:   facts{velocity("order.address", 3*day): int64(3), "customer.orders": int64(0)},
			not:     facts{velocity("order.address", 3*day): int64(3), "customer.orders": int64(12)},
			unknown: facts{"customer.orders": int64(0)},
		},
		"hold-velocity-device": {
			fires:   facts{velocity("order.device", time.Hour): int64(5)},
			not:     facts{velocity("order.device", time.Hour): int64(0)},
			unknown: facts{},
		},
		"hold-velocity-ip": {
			fires:   facts{velocity("order.ip", time.Hour): int64(9), "customer.orders": int64(0)},
			not:     facts{velocity("order.ip", time.Hour): int64(8)},
			unknown: facts{"customer.orders": int64(0)},
		},
		"hold-address-mismatch": {
			fires:   facts{"order.addresses_differ": true, "customer.orders": int64(0), "order.total": eur(151)},
			not:     facts{"order.addresses_differ": false},
			unknown: facts{"order.addresses_differ": true, "order.total": eur(151)},
		},
		"hold-ip-country-mismatch": {
			fires:   facts{"ip.country": "US", "order.billing.country": "DE", "order.shipping.country": "DE", "order.total": eur(101)},
			not:     facts{"ip.country": "DE", "order.billing.country": "DE", "order.total": eur(101)},
			unknown: facts{"order.billing.country": "DE", "order.shipping.country": "DE", "order.total": eur(101)},
		},
		"hold-disposable-mail": {
			fires:   facts{"customer.email_disposable": true},
			not:     facts{"customer.email_disposable": false},
			unknown: facts{},
		},
		"delay-notice": {
			fires:   facts{"order.missing_units": int64(2)},
			not:     facts{"order.missing_units": int64(0)},
			unknown: facts{},
		},
		// Without a condition there is nothing that could be false or unknown.
		"order-confirmation": {fires: facts{}},
		"shipping-update":    {fires: facts{}},
		"low-stock-alert":    {fires: facts{}},
		"daily-report":       {fires: facts{}},
	}
	as, err := ParseFS(os.DirFS(starterDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(as) != len(cases) {
		t.Errorf("the folder has %d automations, the test knows %d", len(as), len(cases))
	}
	for _, a := range as {
		tc, ok := cases[a.Name]
		if !ok {
			t.Errorf("%s is not tested", a.File)
			continue
		}
		if a.File != a.Name+".yaml" {
			t.Errorf("%s holds %s; the file is named like the automation", a.File, a.Name)
		}
		if a.Mode != Active {
			t.Errorf("%s: mode %s, want active", a.Name, a.Mode)
		}
		for want, f := range map[rule.Outcome]facts{rule.True: tc.fires, rule.False: tc.not, rule.Unknown: tc.unknown} {
			if f == nil {
				continue
			}
			if got, err := a.Condition.Eval(f); got != want {
				t.Errorf("%s on %v: got %s (%v), want %s", a.Name, f, got, err, want)
			}
		}
	}
}
