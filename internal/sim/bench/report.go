package bench

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what a run of the benchmark says. Times are answer times as the sender sees them.
type Report struct {
	OrdersPerS    float64            `json:"orders_per_s"`     // decided and durable, effects recorded but not delivered
	RawOrdersPerS float64            `json:"raw_orders_per_s"` // the same rows in groups of the same size, nothing else
	Ratio         float64            `json:"ratio"`
	DrainedPerS   float64            `json:"drained_orders_per_s"` // until every effect was taken by a stub
	GroupSize     float64            `json:"group_size"`           // events outside a commit group held on average
	P50           map[string]float64 `json:"p50_ms"`               // by rate a second; decided and durable, effects recorded
	P99           map[string]float64 `json:"p99_ms"`
	Achieved      map[string]float64 `json:"achieved_per_s"`        // by rate: what came back
	Rates         map[string]AtRate  `json:"at_rate"`               // what else was measured at each of them
	CPUMicros     float64            `json:"cpu_us_per_order"`      // of the servers
	CPUMicrosLoad float64            `json:"cpu_us_per_order_load"` // of the load generator
	Database      *DatabaseReport    `json:"database,omitempty"`    // on PostgreSQL
	RSS           float64            `json:"rss_mb"`                // largest resident set of the server
	Nodes         int                `json:"nodes"`
	Conns         int                `json:"connections"`            // of the closed loop
	RowsPerOrder  float64            `json:"rows_per_order"`         // of a real group
	TextPerOrder  float64            `json:"text_bytes_per_order"`   // of text in them
	Closed        Times              `json:"closed_loop"`            // answer times at the sustained maximum
	StoredBytes   int                `json:"stored_attribute_bytes"` // of the 4 KB, kept as attributes
	Engine        string             `json:"engine"`
	CPUs          int                `json:"cpus"`
	Seconds       float64            `json:"seconds_each"`
	Seed          uint64             `json:"seed"`
}

// DatabaseReport is what PostgreSQL needed for the sustained orders, and what it does without us.
type DatabaseReport struct {
	CPUMicros     float64 `json:"cpu_us_per_order"` // of the server's processes
	CPUKnown      bool    `json:"cpu_known"`        // it runs on this machine
	BytesPerOrder float64 `json:"bytes_per_order"`  // tables and indexes
	WALPerOrder   float64 `json:"wal_bytes_per_order"`
	PgBenchPerS   float64 `json:"pgbench_tps,omitempty"`
	PgBench       string  `json:"pgbench,omitempty"` // why there is no rate
}

// AtRate is what stands beside the answer times at one rate.
type AtRate struct {
	Raw       Times   `json:"raw"`                      // the same rows, written by the database at that rate without deciding
	Delivered Times   `json:"delivered"`                // answer times while every effect is delivered too
	Achieved  float64 `json:"delivered_achieved_per_s"` // what came back while every effect was delivered
}

// Times are answer times in milliseconds.
type Times struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Millis is a duration in milliseconds with three digits.
func Millis(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }

// String is the report for a terminal.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, name+"\t"+format+"\n", args...) }
	row("sustained, decided and durable", "%.0f orders/s on %d node(s) over %d connections (p50 %.1f ms, p99 %.1f ms)", r.OrdersPerS, r.Nodes, r.Conns, r.Closed.P50, r.Closed.P99)
	row("raw limit of the database", "%.0f orders/s, the same rows in groups of %.0f (%.1f rows, %.0f bytes of text an order)", r.RawOrdersPerS, r.GroupSize, r.RowsPerOrder, r.TextPerOrder)
	row("share of the raw limit", "%.0f %%", 100*r.Ratio)
	row("with every effect delivered", "%.0f orders/s", r.DrainedPerS)
	for _, rate := range sortedRates(r.P50) {
		at := r.Rates[rate]
		row("answer time at "+rate+" orders/s", "p50 %.2f ms, p99 %.2f ms (%.0f/s came back)", r.P50[rate], r.P99[rate], r.Achieved[rate])
		row("  of the database alone", "p50 %.2f ms, p99 %.2f ms, the same rows", at.Raw.P50, at.Raw.P99)
		row("  with every effect delivered", "p50 %.2f ms, p99 %.2f ms (%.0f/s came back)", at.Delivered.P50, at.Delivered.P99, at.Achieved)
	}
	row("CPU of the servers", "%.0f µs an order (the load generator's: %.0f µs)", r.CPUMicros, r.CPUMicrosLoad)
	if d := r.Database; d != nil {
		if d.CPUKnown {
			row("CPU of PostgreSQL", "%.0f µs an order", d.CPUMicros)
		} else {
			row("CPU of PostgreSQL", "not known: it runs on another machine")
		}
		row("disk of PostgreSQL", "%.0f bytes an order in tables and indexes, %.0f of WAL", d.BytesPerOrder, d.WALPerOrder)
		if d.PgBench != "" {
			row("pgbench", "no rate: %s", d.PgBench)
		} else {
			row("pgbench", "%.0f transactions/s of TPC-B, 4 rows each", d.PgBenchPerS)
		}
	}
	row("memory of the servers", "%.0f MB at most", r.RSS)
	_ = w.Flush() // a strings.Builder never fails
	return b.String()
}

func sortedRates(m map[string]float64) []string {
	rate := func(s string) float64 {
		f, _ := strconv.ParseFloat(s, 64) // written by this program
		return f
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Compare(rate(a), rate(b)) })
}
