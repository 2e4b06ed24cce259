package store_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/store/storetest"
)

// Placed orders written in groups of 200, all the rows an order has; fsync on.
func BenchmarkGroupSQLite(b *testing.B) {
	benchGroup(b, filepath.Join(b.TempDir(), "bench.db"), 200)
}

func BenchmarkGroupPostgres(b *testing.B) { benchGroup(b, pgtest.URL(b), 100) }

func benchGroup(b *testing.B, url string, size int) {
	ctx := context.Background()
	db, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	shop := storetest.Fill(b, db, 500, 0)
	orders := 0
	var cpu time.Duration // of this process: the figure that other programs on the machine disturb least
	for b.Loop() {
		b.StopTimer()
		g := shop.Orders(size)
		b.StartTimer()
		before := cpuTime()
		if err := db.Update(ctx, g.Write); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - before
		orders += size
	}
	b.ReportMetric(float64(cpu.Microseconds())/float64(orders), "cpu-us/order")
	b.ReportMetric(float64(orders)/b.Elapsed().Seconds(), "orders/s")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
