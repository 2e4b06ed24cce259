package observe

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the program's registry with the metrics of the doors. Other
// packages register theirs through Registry.
type Metrics struct {
	Registry *prometheus.Registry
	// Requests counts answers by door (a route, never a path: paths hold ids) and status class.
	Requests *prometheus.CounterVec
	// Seconds is how long answers took by door.
	Seconds *prometheus.HistogramVec
	// InFlight is how many requests are being answered.
	InFlight prometheus.Gauge
	// Events counts submitted events by door and outcome.
	Events *prometheus.CounterVec
	// Refused counts requests refused at a door, by reason: signature, token, body, invalid, conflict.
	Refused *prometheus.CounterVec
}

// NewMetrics returns a registry with the process's own figures and the doors'.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		Requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderly_http_requests_total", Help: "Answered HTTP requests.",
		}, []string{"door", "status"}),
		Seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderly_http_request_seconds", Help: "Time to answer an HTTP request, in seconds.",
			Buckets: []float64{.001, .0025, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"door"}),
		InFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "orderly_http_in_flight", Help: "HTTP requests being answered.",
		}),
		Events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderly_events_total", Help: "Events submitted at a door, by outcome.",
		}, []string{"door", "outcome"}),
		Refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderly_refused_total", Help: "Requests refused at a door, by reason.",
		}, []string{"door", "reason"}),
	}
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderly_build_info", Help: "Always 1; the labels tell the build.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	m.Registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.Requests, m.Seconds, m.InFlight, m.Events, m.Refused, info)
	return m
}

// Handler serves the metrics in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{Registry: m.Registry, MaxRequestsInFlight: 4})
}
