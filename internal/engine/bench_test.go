package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/store"
)

// BenchmarkSubmit decides sample orders with twenty automations active, from 128 concurrent callers.
func BenchmarkSubmit(b *testing.B) {
	r := newRig(b)
	files, err := filepath.Glob("../../examples/bench/*.yaml")
	if err != nil || len(files) == 0 {
		b.Fatal("no automations", err)
	}
	var texts []store.Text
	for _, f := range files {
		t, err := os.ReadFile(f)
		if err != nil {
			b.Fatal(err)
		}
		name := filepath.Base(f)
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: name[:len(name)-5], Text: string(t)})
	}
	texts = append(texts, store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\nmail: mail\nfulfilment: warehouse\n"})
	r.apply(texts...)
	shop := sim.New(1, "b-")
	r.products(shop.Products()...)
	r.update(func(tx *store.Tx) error { return store.UpsertLocations(tx, shop.Locations()) })
	var opening []event.Event
	for i, s := range shop.OpeningStock(1_000_000) {
		opening = append(opening, event.Event{Source: "b", Key: "o" + strconv.Itoa(i), Data: s})
	}
	r.submit(opening...)
	evs := make([]event.Event, b.N)
	for i := range evs {
		evs[i] = event.Event{Source: "shop", Key: strconv.Itoa(i), Data: shop.Order(time.Now())}
	}
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 128 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if _, err := r.eng.Submit(context.Background(), evs[i:i+1]); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(b.N)/float64(max(1, r.eng.Stats().Groups.Load())), "orders/group")
}
