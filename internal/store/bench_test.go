package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/risk"
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
		if err := db.UpdateBulk(ctx, g.Write); err != nil {
			b.Fatal(err)
		}
		cpu += cpuTime() - before
		orders += size
	}
	b.ReportMetric(float64(cpu.Microseconds())/float64(orders), "cpu-us/order")
	b.ReportMetric(float64(orders)/b.Elapsed().Seconds(), "orders/s")
}

// What a group of 200 orders asks before it is decided, in a shop of 20,000 orders.
func BenchmarkReadSQLite(b *testing.B) {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(b.TempDir(), "bench.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	storetest.Fill(b, db, 500, 20_000)
	var ids, cus, skus []string
	var pairs []store.KeyPair
	var qs []risk.VelocityQuery
	for i := range 200 { // all orders are new, every second customer is known
		id := storetest.OrderID(30_000 + i)
		ids = append(ids, id)
		c := event.Derive("cus_", fmt.Sprint("S", 100*i+20_000*(i%2)))
		cus = append(cus, c)
		pairs = append(pairs, store.KeyPair{Source: "shop", ID: "order-" + id})
		skus = append(skus, fmt.Sprintf("SKU-%04d", i), fmt.Sprintf("SKU-%04d", 200+i))
		to := storetest.Start.Add(time.Minute).UnixMicro()
		for _, dim := range []string{"e", "a", "d", "i"} {
			qs = append(qs, risk.VelocityQuery{Key: dim + c[4:], From: to - 3600e6, To: to})
		}
	}
	slices.Sort(ids)
	slices.Sort(cus)
	slices.Sort(skus)
	for name, read := range map[string]func(*store.Tx) error{
		"keys":      func(tx *store.Tx) error { _, err := store.EventKeys(tx, pairs); return err },
		"orders":    func(tx *store.Tx) error { _, err := store.Orders(tx, ids); return err },
		"tasks":     func(tx *store.Tx) error { _, err := store.TasksOfSubjects(tx, ids); return err },
		"customers": func(tx *store.Tx) error { _, err := store.Customers(tx, cus); return err },
		"velocity":  func(tx *store.Tx) error { _, err := store.VelocityCounts(tx, qs); return err },
		"products":  func(tx *store.Tx) error { _, err := store.Products(tx, skus); return err },
		"balances":  func(tx *store.Tx) error { _, err := store.Balances(tx, skus); return err },
	} {
		b.Run(name, func(b *testing.B) {
			var cpu time.Duration
			for b.Loop() {
				before := cpuTime()
				if err := db.Update(ctx, read); err != nil {
					b.Fatal(err)
				}
				cpu += cpuTime() - before
			}
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-us/group")
		})
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A key that everybody shares (an office's IP address): 100,000 orders in its window, asked for by a whole group.
func BenchmarkVelocityHotKey(b *testing.B) {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(b.TempDir(), "bench.db"), store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for from := 0; from < 100_000; from += 10_000 {
		err := db.Update(ctx, func(tx *store.Tx) error {
			marks := make([]store.VelocityMark, 10_000)
			for i := range marks {
				marks[i] = store.VelocityMark{Key: "i-hot", At: storetest.Start.Add(time.Duration(from+i) * time.Millisecond), Ref: storetest.OrderID(from + i)}
			}
			return store.InsertVelocity(tx, marks)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	end := storetest.Start.Add(100 * time.Second).UnixMicro()
	for name, step := range map[string]int64{"live": 0, "history": 10_000} { // all at one time; each 10 ms after the other
		b.Run(name, func(b *testing.B) {
			var qs []risk.VelocityQuery
			for i := range int64(200) {
				qs = append(qs, risk.VelocityQuery{Key: "i-hot", From: end + i*step - 24*3600e6, To: end + i*step})
			}
			for b.Loop() {
				err := db.Update(ctx, func(tx *store.Tx) error {
					n, err := store.VelocityCounts(tx, qs)
					if err == nil && n[qs[0]] != 100_000 {
						b.Fatalf("counted %d", n[qs[0]])
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
