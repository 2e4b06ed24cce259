// Package atlas makes the system map of a shop from what is configured and what was observed:
// which systems send, which data they bring, which automations read and write them, what leaves
// and to whom, and who answers for each. Nobody draws it; [Build] is a pure function of rows that
// the store read, and so are the answers, the findings and the drawing.
//
//	who sends      what is kept     what decides     what is made     who receives
//	system ──────▶ datum ─────────▶ automation ────▶ datum ─────────▶ system, queue
package atlas

import (
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/money"
)

// Kind of a node.
type Kind string

// The kinds of nodes.
const (
	System     Kind = "system"     // sends to the shop, receives from it, or both
	Datum      Kind = "datum"      // a kind of data
	Automation Kind = "automation" // a rule of the shop
	Builtin    Kind = "orderly"    // what Orderly decides by itself: reserving, routing, settling
	Queue      Kind = "queue"      // people's work
)

// Layer is the column of a node.
type Layer int

// The columns, from left to right.
const (
	Senders Layer = iota
	Kept
	Deciders
	Made
	Receivers
	layers
)

// Titles are the headings of the columns.
func Titles() []string {
	return []string{"Who sends", "What is kept", "What decides", "What is made", "Who receives"}
}

// Volume is how much went along an edge or through a node in the observed days.
type Volume struct {
	N30    int64     `json:"n30"` // in the last 30 days, or as far back as was observed
	N7     int64     `json:"n7"`  // in the last 7
	PerDay float64   `json:"per_day"`
	Orders int64     `json:"orders,omitempty"` // of N30 about an order
	Minor  int64     `json:"minor,omitempty"`  // totals of those orders, minor units of the shop's currency
	Last   time.Time `json:"last,omitzero"`
}

func (v *Volume) add(w Volume) {
	v.N30 += w.N30
	v.N7 += w.N7
	v.PerDay += w.PerDay
	v.Orders += w.Orders
	v.Minor += w.Minor
	if w.Last.After(v.Last) {
		v.Last = w.Last
	}
}

// Node is one thing on the map.
type Node struct {
	Key    string `json:"key"` // kind and name: system:warehouse
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Layer  Layer  `json:"layer"` // of a system that also receives: Senders; it is drawn again among the receivers
	Doc    string `json:"doc,omitempty"`
	Detail string `json:"detail,omitempty"` // what it is: inbound webhook, mail system …
	Owner  string `json:"owner,omitempty"`
	Notes  string `json:"notes,omitempty"`
	Record string `json:"system_of_record,omitempty"` // of a datum
	Href   string `json:"-"`                          // its page in the console
	Mode   string `json:"mode,omitempty"`             // of an automation
	On     string `json:"on,omitempty"`               // of an automation: what sets it off

	Sends    bool   `json:"sends,omitempty"`
	Receives bool   `json:"receives,omitempty"`
	Set      bool   `json:"configured,omitempty"` // otherwise it is only observed
	In       Volume `json:"in"`                   // what it sends, or what comes to it
	Out      Volume `json:"out"`                  // what it receives, or what leaves it
	Dead     int64  `json:"dead,omitempty"`       // effects it refused for good
	Waiting  int64  `json:"waiting,omitempty"`    // effects, or open tasks of a queue

	Reads  []string `json:"reads,omitempty"`  // data, of an automation
	Writes []string `json:"writes,omitempty"` // data, of an automation

	names  []string // sources and connections of a system
	shared bool     // of a datum: several may write it
}

// EdgeKind says what an edge means.
type EdgeKind string

// The kinds of edges.
const (
	Sends    EdgeKind = "sends"    // a system brings a datum
	Triggers EdgeKind = "triggers" // an event about a datum sets an automation off
	Reads    EdgeKind = "reads"    // a condition looks at a datum
	Writes   EdgeKind = "writes"   // an automation makes a datum
	Leaves   EdgeKind = "leaves"   // a datum goes to a system or a queue
)

// Edge is a flow.
type Edge struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Kind    EdgeKind `json:"kind"`
	What    []string `json:"what,omitempty"` // event types, purposes or steps
	Volume  Volume   `json:"volume"`
	Watched bool     `json:"watched,omitempty"` // somebody notices when it stops
}

// Person is somebody who answers for something on the map.
type Person struct {
	Mail    string   `json:"mail"`
	Account string   `json:"account"` // open, closed or none
	Owns    []string `json:"owns"`    // keys of nodes
}

// Map is the system map of a shop at a time.
type Map struct {
	At       time.Time `json:"at"`
	Shop     string    `json:"shop"`
	Currency string    `json:"currency"`
	Days     int       `json:"days_observed"` // at most 30
	Nodes    []*Node   `json:"nodes"`
	Edges    []*Edge   `json:"edges"`
	People   []Person  `json:"people"`
	Gaps     []Gap     `json:"findings"`

	byKey map[string]*Node
	alias map[string]string // source or connection -> system
	in    *Input
}

// Money is minor units as an amount of the shop.
func (m *Map) Money(minor int64) money.Amount {
	return money.Amount{Minor: minor, Currency: m.Currency}
}

// Node returns the node of a key, or nil.
func (m *Map) Node(key string) *Node { return m.byKey[key] }

// From returns the edges that begin at a node, To those that end there.
func (m *Map) From(key string) []*Edge { return m.edges(func(e *Edge) bool { return e.From == key }) }

// To returns the edges that end at a node.
func (m *Map) To(key string) []*Edge { return m.edges(func(e *Edge) bool { return e.To == key }) }

func (m *Map) edges(want func(*Edge) bool) []*Edge {
	var out []*Edge
	for _, e := range m.Edges {
		if want(e) {
			out = append(out, e)
		}
	}
	return out
}

// Connection is a configured way in or out.
type Connection struct {
	Name      string
	Kind      string // inbound, webhook or smtp
	EventType string // of inbound: the only type it brings; "" = any
	Address   string
	Waiting   int64
	Dead      int64
}

// Token is a key for the API.
type Token struct {
	Name, By string
	Writes   bool // may send events
	LastUsed time.Time
}

// Flow is what was observed one way between a system and the shop on one day.
type Flow struct {
	Ago              int // days before today
	Out              bool
	System, What     string
	Via              string // token, or automation
	N, Orders, Minor int64
	Last             time.Time
}

// Activity is what an automation did in the observed days.
type Activity struct {
	Considered, Fired int64
	Last              time.Time
}

// Input is what a map is made from.
type Input struct {
	At       time.Time
	Shop     string
	Currency string
	OpsOwner string
	// Mail, Fulfilment and Alerts are the connections of shop.yaml.
	Mail, Fulfilment string
	Alerts           []string
	RoutingOwner     string
	Automations      []*automation.Automation
	Connections      []Connection
	Tokens           []Token
	Locations        []Location
	Flows            []Flow
	Acts             map[string]Activity // by automation, 30 days
	Acts7            map[string]Activity // 7 days
	Queues           map[string]int64    // open tasks
	Assigned         map[string]int64    // open tasks, by mail address
	Accounts         map[string]bool     // mail address -> the account is open
	Products         bool                // the shop has products
	Watched          map[string]string   // event type -> what notices when it stops
	Heard            map[string]bool     // systems whose silence is noticed, whatever they send
	Declared         *Declared
}

// Location is a house that ships.
type Location struct {
	ID, Name, Connection string
}
