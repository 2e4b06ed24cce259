package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: automationName(f), Text: readFile(b, f)})
	}
	texts = append(texts, store.Text{Kind: engine.KindShop, Name: "shop", Text: "shop: Sample\nmail: mail\nfulfilment: warehouse\n"})
	r.apply(texts...)
	shop := sim.New(1, "b-")
	r.products(shop.Products()...)
	r.update(func(tx *store.Tx) error { return store.UpsertLocations(tx, shop.Locations(), "test") })
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
	before, wrote := cpu(b), written(b)
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
	b.ReportMetric(float64(cpu(b)-before)/float64(time.Microsecond)/float64(b.N), "cpu-us/order")
	b.ReportMetric(float64(written(b)-wrote)/1024/float64(b.N), "KiB-written/order")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric(float64(b.N)/float64(max(1, r.eng.Stats().Groups.Load())), "orders/group")
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// automationName is the name of an automation's file without its folder and ending.
func automationName(path string) string { return strings.TrimSuffix(filepath.Base(path), ".yaml") }

// cpu is the processor time this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// written is how many bytes this process has handed to the kernel to write; 0 where that is not told.
func written(b *testing.B) (n int64) {
	b.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "wchar: "); ok {
			if n, err = strconv.ParseInt(strings.TrimSpace(v), 10, 64); err != nil {
				b.Fatal(err)
			}
		}
	}
	return n
}
