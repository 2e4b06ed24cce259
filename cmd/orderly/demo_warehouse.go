package main

import (
	"encoding/json"
	"hash/fnv"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/event"
	life "orderly.example/orderly/internal/sim/demo"
)

// warehouse is the sample warehouse of the demo: it takes fulfilment requests
// and ships them a little later, refusing a few. What it does follows from the
// request alone, so a request that comes twice changes nothing.
type warehouse struct {
	mu     sync.Mutex
	tasks  []warehouseTask
	busy   int // documents taken; the first ones are packed at once, so that a visitor sees parcels
	life   life.Life
	buyers *diary
}

type warehouseTask struct {
	at time.Time
	ev event.Event
}

func newWarehouse() *warehouse { return &warehouse{} }

// How long the sample warehouse packs, and the sample carrier drives.
const (
	packAtLeast = 15 * time.Second
	packedSoon  = 120
	packSpread  = 90 * time.Second
	driveTime   = 4 * time.Minute
)

// take reads one document; others than fulfilment requests (alerts) are only received.
func (w *warehouse) take(d fake.Document) {
	var doc struct {
		Type     string
		Location string
		Order    struct{ Channel, Number string }
		Lines    []struct{ SKU string }
	}
	if err := json.Unmarshal(d.Body, &doc); err != nil || doc.Type != "fulfilment" {
		return
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.ID)) // a hash never fails
	n := h.Sum32()
	at := d.At.Add(packAtLeast + time.Duration(n%uint32(packSpread/time.Second))*time.Second)
	o := doc.Order
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy++; w.busy < packedSoon {
		at = d.At.Add(time.Duration(1+n%8) * time.Second)
	}
	if n%41 == 3 {
		w.tasks = append(w.tasks, warehouseTask{at, event.Event{
			Source: "warehouse", Key: d.ID + ":rejected",
			Data: &event.ShipmentRejected{Channel: o.Channel, Number: o.Number, Location: doc.Location, Reason: "not found on the shelf (sample)"},
		}})
		return
	}
	w.tasks = append(w.tasks,
		warehouseTask{at, event.Event{
			Source: "warehouse", Key: d.ID + ":shipped",
			Data: &event.ShipmentShipped{Channel: o.Channel, Number: o.Number, Location: doc.Location, Tracking: "SAMPLE" + d.ID[len(d.ID)-8:], Carrier: "Sample Carrier"},
		}},
		warehouseTask{at.Add(driveTime), event.Event{
			Source: "warehouse", Key: "delivered:" + o.Channel + ":" + o.Number,
			Data: &event.OrderCompleted{Channel: o.Channel, Number: o.Number},
		}})
	if len(doc.Lines) > 0 {
		w.buyers.add(w.life.Unpacks(o.Channel, o.Number, doc.Location, doc.Lines[0].SKU, at.Add(driveTime))...)
	}
}

// due returns what is due, and forgets it.
func (w *warehouse) due(now time.Time) []event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var evs []event.Event
	rest := w.tasks[:0]
	for _, t := range w.tasks {
		if t.at.After(now) {
			rest = append(rest, t)
			continue
		}
		evs = append(evs, t.ev)
	}
	w.tasks = rest
	return evs
}
