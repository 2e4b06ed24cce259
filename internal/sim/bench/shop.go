package bench

import (
	"context"
	"encoding/json"
	"io/fs"
	"strconv"
	"strings"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/store"
)

// Hook is the inbound connection that deliveries come through.
const Hook = "bench"

// units of each product at each location: more than any run sells.
const units = 100_000_000

// shopText is shop.yaml of the benchmark: mail and fulfilment leave, so every order has effects.
const shopText = `shop: Benchmark
time_zone: Europe/Berlin
mail: mail
fulfilment: warehouse
alert: warehouse
ops_owner: ops@shop.example
`

// Policy is the policy of the benchmark: the automations of examples/bench and the routing of examples/shop.
func Policy() ([]store.Text, error) {
	texts := []store.Text{{Kind: engine.KindShop, Name: "shop", Text: shopText}}
	routing, err := fs.ReadFile(examples.Shop(), "routing.yaml")
	if err != nil {
		return nil, err
	}
	texts = append(texts, store.Text{Kind: engine.KindRouting, Name: "routing", Text: string(routing)})
	files, err := fs.Glob(examples.Bench(), "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := fs.ReadFile(examples.Bench(), f)
		if err != nil {
			return nil, err
		}
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: strings.TrimSuffix(f, ".yaml"), Text: string(text)})
	}
	return texts, nil
}

// Prepare makes an empty store the shop of the benchmark. On one that is prepared it changes nothing.
func Prepare(ctx context.Context, db *store.DB, eng *engine.Engine, seed uint64) error {
	shop := sim.New(seed, "")
	err := db.Update(ctx, func(tx *store.Tx) error {
		if err := store.UpsertProducts(tx, shop.Products()); err != nil {
			return err
		}
		if err := store.UpsertLocations(tx, shop.Locations(), "bench"); err != nil {
			return err
		}
		var flat []any
		for _, p := range shop.Postal() {
			flat = append(flat, p.Country, p.Code, p.Lat, p.Lon)
		}
		return tx.PutPostal(flat)
	})
	if err != nil {
		return err
	}
	texts, err := Policy()
	if err != nil {
		return err
	}
	if _, err := eng.Apply(ctx, texts, "bench", "the benchmark's shop", false); err != nil {
		return err
	}
	var opening []event.Event
	for i, s := range shop.OpeningStock(units) {
		opening = append(opening, event.Event{Source: "bench-setup", Key: strconv.Itoa(i), Data: s})
	}
	_, err = eng.Submit(ctx, opening)
	return err
}

// Event is the delivery of order n as the engine gets it from the door.
func (b *Bodies) Event(n int64) (event.Event, error) {
	var doc struct {
		Type string
		Data json.RawMessage
	}
	if err := json.Unmarshal(b.Append(nil, n), &doc); err != nil {
		return event.Event{}, err
	}
	data, err := event.Decode(doc.Type, doc.Data)
	if err != nil {
		return event.Event{}, err
	}
	return event.Event{Source: Hook, Key: string(b.AppendID(nil, n)), Data: data}, nil
}

// CaptureGroup lets eng decide one group of size orders, the first of which has a number not used before, after another such
// group, and returns what it wrote.
func CaptureGroup(ctx context.Context, db *store.DB, eng *engine.Engine, b *Bodies, first int64, size int) (*Group, error) {
	submit := func(from int64) error {
		evs := make([]event.Event, size)
		for i := range evs {
			var err error
			if evs[i], err = b.Event(from + int64(i)); err != nil {
				return err
			}
		}
		out, err := eng.Submit(ctx, evs)
		if err != nil {
			return err
		}
		for _, o := range out {
			if o.Status != engine.Decided {
				return fault.New(fault.Internal, "bench.CaptureGroup", "an order was %s: %s", o.Status, o.Reason)
			}
		}
		return nil
	}
	if err := submit(first); err != nil {
		return nil, err
	}
	g, err := Capture(ctx, db, size, func() error { return submit(first + int64(size)) })
	if err == nil {
		g.seq += first << 40 // groups of one store have numbers and names of their own
		g.times = int(first << 20)
	}
	return g, err
}

// Stub takes every effect and says that it left: an outside that costs nothing.
type Stub struct{}

// Mailer implements engine.Ports.
func (Stub) Mailer(context.Context, string) (connect.Mailer, error) { return stub{}, nil }

// Hook implements engine.Ports.
func (Stub) Hook(context.Context, string) (connect.Hook, error) { return stub{}, nil }

type stub struct{}

func (stub) Send(context.Context, connect.Message) (connect.Receipt, error) {
	return connect.Receipt{Text: "250 taken by the stub"}, nil
}

func (stub) Post(context.Context, connect.Delivery) (connect.Receipt, error) {
	return connect.Receipt{Text: "204 taken by the stub"}, nil
}
