package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// shopMetrics tells Prometheus about the engine and about what waits for
// somebody. The figures of the database are read when they are asked for, each
// from an index and up to a bound.
type shopMetrics struct {
	eng   *engine.Engine
	watch *watch.Watcher
	db    *store.DB
	now   func() time.Time
}

var (
	metricGroups      = prometheus.NewDesc("orderly_commits_total", "Commits of decided events.", nil, nil)
	metricDecided     = prometheus.NewDesc("orderly_events_committed_total", "Events that commits held, duplicates included.", nil, nil)
	metricQuarantined = prometheus.NewDesc("orderly_events_quarantined_total", "Events whose decision failed, since the start.", nil, nil)
	metricEffects     = prometheus.NewDesc("orderly_effect_attempts_total", "Attempts to deliver effects by outcome.", []string{"outcome"}, nil)
	metricWaiting     = prometheus.NewDesc("orderly_effects_waiting", "Effects that wait to leave (counted up to a bound).", nil, nil)
	metricDead        = prometheus.NewDesc("orderly_effects_dead", "Dead letters (counted up to a bound).", nil, nil)
	metricOldest      = prometheus.NewDesc("orderly_effect_oldest_seconds", "How long the oldest waiting effect is overdue, in seconds.", nil, nil)
	metricKept        = prometheus.NewDesc("orderly_events_quarantined", "Events in quarantine (counted up to a bound).", nil, nil)
	metricOrders      = prometheus.NewDesc("orderly_orders", "Orders that wait, by state (counted up to a bound).", []string{"state"}, nil)
	metricTasks       = prometheus.NewDesc("orderly_tasks_open", "Open tasks (counted up to a bound).", nil, nil)
	metricLate        = prometheus.NewDesc("orderly_tasks_late", "Open tasks past their deadline.", nil, nil)
	metricUnsealed    = prometheus.NewDesc("orderly_audit_unsealed_seconds", "Age of the oldest record of the audit log that is not sealed yet, in seconds.", nil, nil)
	metricWatch       = prometheus.NewDesc("orderly_watch_age_seconds", "How long ago the last look at all expectations came to its end; absent before the first.", nil, nil)
	metricSilent      = prometheus.NewDesc("orderly_expectations_silent", "Expectations that are not kept.", nil, nil)
	metricLow         = prometheus.NewDesc("orderly_products_low", "Products whose stock is low (counted up to a bound).", nil, nil)
)

// Describe implements prometheus.Collector.
func (m shopMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		metricGroups, metricDecided, metricQuarantined, metricEffects, metricWaiting, metricDead, metricOldest, metricKept,
		metricOrders, metricTasks, metricLate, metricLow, metricUnsealed, metricWatch, metricSilent,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m shopMetrics) Collect(ch chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	stats := m.eng.Stats()
	count(metricGroups, stats.Groups.Load())
	count(metricDecided, stats.Events.Load())
	count(metricQuarantined, stats.Quarantined.Load())
	count(metricEffects, stats.EffectsDone.Load(), "done")
	count(metricEffects, stats.EffectsFailed.Load(), "failed")

	// A collector is given no context; the bound keeps a slow database from holding a scrape.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var c store.Counts
	now := m.now()
	var unsealed time.Time
	err := m.db.View(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Counts(now); err != nil {
			return err
		}
		_, unsealed, err = tx.Unsealed()
		return err
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(metricWaiting, err)
		return
	}
	gauge(metricWaiting, float64(c.WaitingEffects.N))
	gauge(metricDead, float64(c.DeadEffects.N))
	gauge(metricKept, float64(c.Quarantined.N))
	oldest := 0.0
	if !c.OldestWaiting.IsZero() {
		oldest = max(0, now.Sub(c.OldestWaiting).Seconds())
	}
	gauge(metricOldest, oldest)
	waits := 0.0
	if !unsealed.IsZero() {
		waits = max(0, now.Sub(unsealed).Seconds())
	}
	gauge(metricUnsealed, waits)
	gauge(metricOrders, float64(c.Held.N), "held")
	gauge(metricOrders, float64(c.Unfillable.N), "unfillable")
	gauge(metricOrders, float64(c.Backordered.N), "backordered")
	gauge(metricOrders, float64(c.AwaitingPayment.N), "awaiting_payment")
	gauge(metricOrders, float64(c.Ready.N), "ready")
	gauge(metricTasks, float64(c.Tasks.N))
	gauge(metricLate, float64(c.LateTasks))
	gauge(metricLow, float64(c.LowStock.N))
	st, err := m.watch.Pulse(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(metricWatch, err)
		return
	}
	if age, ok := st.Age(); ok {
		gauge(metricWatch, age.Seconds())
	}
	gauge(metricSilent, float64(st.Silent))
}

// replicaMetrics tells Prometheus about the replica that lists are read from.
type replicaMetrics struct{ r *store.Replica }

var (
	metricReplicaUsed = prometheus.NewDesc("orderly_read_replica_used", "1 while lists and figures are read from the replica, 0 while from the primary.", nil, nil)
	metricReplicaLag  = prometheus.NewDesc("orderly_read_replica_lag_seconds", "How far the replica lags behind, in seconds.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m replicaMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- metricReplicaUsed
	ch <- metricReplicaLag
}

// Collect implements prometheus.Collector.
func (m replicaMetrics) Collect(ch chan<- prometheus.Metric) {
	lag, why := m.r.State()
	used := 0.0
	if why == "" {
		used = 1
	}
	ch <- prometheus.MustNewConstMetric(metricReplicaUsed, prometheus.GaugeValue, used)
	ch <- prometheus.MustNewConstMetric(metricReplicaLag, prometheus.GaugeValue, lag.Seconds())
}
