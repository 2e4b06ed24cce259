package decide

import (
	"encoding/json"
	"math"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/routing"
)

// Trace is what the program can say about a decision years later.
type Trace struct {
	From        string        `json:"from,omitempty"` // order state before, when it changed
	To          string        `json:"to,omitempty"`
	Notes       []string      `json:"notes,omitempty"`
	Automations []Considered  `json:"automations,omitempty"` // those that fired or stayed unknown; all others were false
	Runs        []RunTrace    `json:"runs,omitempty"`        // waiting runs that went on or ended
	Routing     *routing.Plan `json:"-"`                     // stored as a planDoc
}

// Considered is what one automation did with the event.
type Considered struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`           // content hash, shortened
	Outcome string   `json:"outcome"`           // fired, unknown
	Mode    string   `json:"mode,omitempty"`    // when it did not act: shadow, canary (left out by its share), stopped, history
	Stopped string   `json:"stopped,omitempty"` // why it was stopped
	Did     []string `json:"did,omitempty"`     // what it did; what it would have done when it is not active
	Error   string   `json:"error,omitempty"`
	Run     string   `json:"run,omitempty"` // where its steps may wait
}

// NotDone says why an automation that fired did nothing; "" when it acted.
func (c *Considered) NotDone() string {
	switch c.Mode {
	case "":
		return ""
	case string(automation.Canary):
		return "the order is not in its share"
	case string(automation.Shadow):
		return "it is in shadow"
	case automation.HowStopped:
		return "it is stopped: " + c.Stopped
	case string(event.History):
		return "the event was imported as history"
	}
	return "it is " + c.Mode
}

// Outcomes of a considered automation that are worth keeping; all others were false.
const (
	Fired   = "fired"
	Unknown = "unknown"
)

// Empty reports whether there is nothing to say.
func (t *Trace) Empty() bool {
	return t.From == "" && t.To == "" && len(t.Notes) == 0 && len(t.Automations) == 0 && len(t.Runs) == 0 && t.Routing == nil
}

// traceDoc is a trace as it is stored. A plan is most of what an order's event
// takes up, so its names are short and what is nothing is left out.
type traceDoc struct {
	*plainTrace
	Plan *planDoc `json:"routing,omitempty"`
}

type plainTrace Trace

type planDoc struct {
	Assign     []assignDoc    `json:"assign,omitempty"`
	Missing    []assignDoc    `json:"missing,omitempty"`
	Parcels    int            `json:"parcels,omitempty"`
	Cost       string         `json:"cost,omitempty"`
	Promise    string         `json:"promise,omitempty"`
	KM         float64        `json:"km,omitempty"`
	KMKnown    bool           `json:"km_known,omitempty"`
	Exact      bool           `json:"exact,omitempty"`
	Bound      string         `json:"bound,omitempty"`
	Goals      []routing.Goal `json:"goals,omitempty"` // what the scores of the candidates stand for
	Candidates []candidateDoc `json:"candidates,omitempty"`
	More       []tallyDoc     `json:"more,omitempty"`
}

type assignDoc struct {
	SKU       string `json:"sku"`
	Location  string `json:"at,omitempty"`
	Qty       int64  `json:"qty"`
	Backorder bool   `json:"backorder,omitempty"`
}

type candidateDoc struct {
	Location string    `json:"at"`
	Name     string    `json:"name,omitempty"`
	Lat      float64   `json:"lat,omitempty"`
	Lon      float64   `json:"lon,omitempty"`
	Chosen   bool      `json:"chosen,omitempty"`
	Reason   string    `json:"why,omitempty"`
	Scores   []float64 `json:"scores,omitempty"`
	KM       float64   `json:"km,omitempty"`
	KMKnown  bool      `json:"km_known,omitempty"`
}

type tallyDoc struct {
	Reason string `json:"why"`
	Count  int    `json:"n"`
}

// MarshalJSON writes the trace as it is stored. Distances are kept to the metre.
func (t *Trace) MarshalJSON() ([]byte, error) {
	doc := traceDoc{plainTrace: (*plainTrace)(t)}
	if t.Routing != nil {
		doc.Plan = planDocOf(t.Routing)
	}
	return json.Marshal(&doc)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Trace) UnmarshalJSON(data []byte) error {
	*t = Trace{}
	doc := traceDoc{plainTrace: (*plainTrace)(t)}
	err := json.Unmarshal(data, &doc)
	if err == nil && doc.Plan != nil {
		t.Routing, err = doc.Plan.plan()
	}
	return err
}

func planDocOf(p *routing.Plan) *planDoc {
	d := &planDoc{
		Assign: assignDocs(p.Assign), Missing: assignDocs(p.Missing), Parcels: p.Parcels, Cost: p.CostMinor.String(),
		KM: metres(p.DistanceKM), KMKnown: p.DistanceKnown, Exact: p.Exact, Bound: p.Bound,
	}
	if !p.Promise.IsZero() {
		d.Promise = p.Promise.Format(time.RFC3339Nano)
	}
	for _, v := range p.Candidates {
		if len(d.Goals) < len(v.Scores) {
			d.Goals = nil
			for _, s := range v.Scores {
				d.Goals = append(d.Goals, s.Goal)
			}
		}
	}
	d.Candidates = make([]candidateDoc, len(p.Candidates))
	for i, v := range p.Candidates {
		c := &d.Candidates[i]
		*c = candidateDoc{
			Location: v.Location, Name: v.Name, Lat: v.Lat, Lon: v.Lon, Chosen: v.Chosen, Reason: v.Reason, KM: metres(v.DistanceKM), KMKnown: v.KMKnown,
		}
		if len(v.Scores) > 0 {
			c.Scores = make([]float64, len(v.Scores))
		}
		for k, s := range v.Scores {
			c.Scores[k] = s.Value
		}
	}
	for _, m := range p.More {
		d.More = append(d.More, tallyDoc(m))
	}
	return d
}

func (d *planDoc) plan() (*routing.Plan, error) {
	p := &routing.Plan{
		Assign: assignments(d.Assign), Missing: assignments(d.Missing), Parcels: d.Parcels, DistanceKM: d.KM, DistanceKnown: d.KMKnown,
		Exact: d.Exact, Bound: d.Bound,
	}
	if err := p.CostMinor.UnmarshalText([]byte(d.Cost)); err != nil {
		return nil, err
	}
	if d.Promise != "" {
		var err error
		if p.Promise, err = time.Parse(time.RFC3339Nano, d.Promise); err != nil {
			return nil, err
		}
	}
	for _, c := range d.Candidates {
		v := routing.Verdict{
			Location: c.Location, Name: c.Name, Lat: c.Lat, Lon: c.Lon, Chosen: c.Chosen, Reason: c.Reason, DistanceKM: c.KM, KMKnown: c.KMKnown,
		}
		for k, s := range c.Scores[:min(len(c.Scores), len(d.Goals))] {
			v.Scores = append(v.Scores, routing.Score{Goal: d.Goals[k], Value: s})
		}
		p.Candidates = append(p.Candidates, v)
	}
	for _, m := range d.More {
		p.More = append(p.More, routing.Tally(m))
	}
	return p, nil
}

func assignDocs(as []routing.Assignment) []assignDoc {
	out := make([]assignDoc, len(as))
	for i, a := range as {
		out[i] = assignDoc(a)
	}
	return out
}

func assignments(ds []assignDoc) []routing.Assignment {
	var out []routing.Assignment
	for _, d := range ds {
		out = append(out, routing.Assignment(d))
	}
	return out
}

func metres(km float64) float64 { return math.Round(km*1000) / 1000 }
