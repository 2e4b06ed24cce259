package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/pgtest"
)

// TestKitsAndTheirPartsAreLockedInOneOrder: orders of a kit and another's part, beside orders of that kit and the first
// one's part. Were parts locked after what the orders name, two groups would wait for each other in a circle; here nobody
// would notice for a minute.
func TestKitsAndTheirPartsAreLockedInOneOrder(t *testing.T) {
	r := openRig(t, pgtest.URL(t)+"&deadlock_timeout=60s", engine.Options{})
	var products []catalog.Product
	for i := range 2 {
		part := fmt.Sprintf("PART-%d", i)
		products = append(products, catalog.Product{SKU: part, Title: "Sample part"},
			catalog.Product{SKU: fmt.Sprintf("KIT-%d", i), Title: "Sample kit", Components: []catalog.Component{{SKU: part, Qty: 1}}})
	}
	r.products(products...)
	second, err := engine.New(t.Context(), engine.Options{DB: r.db, Keyring: r.key})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(context.WithoutCancel(t.Context()))
	engines := []*engine.Engine{r.eng, second}
	for i := range 2 {
		r.decided(&event.StockReceived{SKU: fmt.Sprintf("PART-%d", i), Location: "a", Qty: 1000})
		r.decided(placed(fmt.Sprint("first", i), fmt.Sprintf("KIT-%d", i), 1))
		p := placed(fmt.Sprint("second", i), fmt.Sprintf("KIT-%d", i), 1)
		if _, err := second.Submit(t.Context(), []event.Event{{Source: "shop", Key: p.Number, Data: p}}); err != nil { // from now on both know the parts
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 15 {
				p := placed(fmt.Sprintf("%d-%d", w, i), fmt.Sprintf("KIT-%d", w%2), 1)
				p.Lines = append(p.Lines, event.Line{SKU: fmt.Sprintf("PART-%d", 1-w%2), Qty: 1, UnitPrice: money.New(100, "EUR")})
				p.IP, p.Shipping.Line1 = "", fmt.Sprintf("Sample Street %d-%d", w, i)
				out, err := engines[w%2].Submit(ctx, []event.Event{{Source: "shop", Key: p.Number, Data: p}})
				if err != nil || out[0].Status != engine.Decided {
					t.Errorf("%s: %v %v", p.Number, out, err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal("groups wait for each other")
	}
}
