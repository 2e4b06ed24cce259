package decide_test

import (
	"testing"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
)

const told = `automation: told-of-arrival
owner: ops@shop.example
why: buyers want to know
on: shipment.delivered
do:
  - message: { template: shipping-update, to: customer, purpose: arrived }
`

func TestAParcelsWayIsRecordedAndTheLastArrivalCompletes(t *testing.T) {
	s := newShop(t, told)
	s.receive("MUG", "a", 1)
	s.receive("CUP", "b", 1)
	s.do(placed("1", line("MUG", 1), line("CUP", 1)))
	s.do(&event.ShipmentLabelled{Channel: "web", Number: "1", Location: "a", Tracking: "T1", Carrier: "post"})
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a", Tracking: "T1"})
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "b"})
	s.do(&event.ShipmentScanned{Channel: "web", Number: "1", Tracking: "T1", Place: "Berlin"})
	s.do(&event.ShipmentScanned{Channel: "web", Number: "1", Tracking: "T2"})
	s.do(&event.ShipmentDelivered{Channel: "web", Number: "1", Tracking: "T1"})
	o := s.order("1")
	if len(o.Tracks) != 2 || o.State != order.Shipped {
		t.Fatalf("%s with parcels %+v", o.State, o.Tracks)
	}
	if p := o.Tracks[0]; p.Tracking != "T1" || p.Carrier != "post" || p.Labelled.IsZero() || p.Shipped.IsZero() || p.Scanned.IsZero() || p.Delivered.IsZero() {
		t.Errorf("the first parcel is %+v", p)
	}
	if p := o.Tracks[1]; p.Tracking != "T2" || p.Location != "b" || p.Shipped.IsZero() {
		t.Errorf("the parcel that got its number from the carrier is %+v", p)
	}
	s.do(&event.ShipmentDelivered{Channel: "web", Number: "1", Tracking: "T1"}) // told twice
	if n := countKeys(s.keys(), "mail:arrived:"); n != 1 {
		t.Errorf("%d mails for one parcel: %v", n, s.keys())
	}
	s.do(&event.ShipmentDelivered{Channel: "web", Number: "1", Tracking: "T2"})
	if o = s.order("1"); o.State != order.Completed || countKeys(s.keys(), "mail:arrived:") != 2 {
		t.Errorf("it is %s with %v", o.State, s.keys())
	}
	s.check()
}

func TestACarrierMayTellBeforeTheShop(t *testing.T) {
	s := newShop(t)
	s.receive("MUG", "a", 1)
	s.do(&event.ShipmentDelivered{Channel: "web", Number: "1", Tracking: "T1"})
	s.do(placed("1", line("MUG", 1)))
	if o := s.order("1"); o.State != order.Ready || len(o.Tracks) != 1 {
		t.Fatalf("%s %+v", o.State, o.Tracks)
	}
	s.do(&event.ShipmentShipped{Channel: "web", Number: "1", Location: "a", Tracking: "T1"})
	if o := s.order("1"); o.State != order.Shipped {
		t.Fatalf("%s", o.State)
	}
	s.check()
}
