package console

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// The view models of the pages: what a template needs, already looked up.

type todayView struct {
	Page      ui.PageView
	Day       time.Time
	Tiles     []ui.TileView
	Hours     []ui.Hour
	PastLabel string
	Attention []todoView
	Recent    []store.OrderRow
	Empty     bool
	More      bool
}

// todoView is one thing that waits for a person, with the way there.
type todoView struct {
	Meaning             ui.Meaning
	Icon                string
	Text, Detail, Href  string
	ActionLabel, Action string
}

type filterView struct {
	Q, State, Channel, Country, Payment, From, To, Sort string
}

// query is the filter as a URL query, with further pairs on top; an empty value removes a key.
func (f filterView) query(pairs ...string) string {
	q := url.Values{}
	set := func(k, v string) {
		if v != "" {
			q.Set(k, v)
		} else {
			q.Del(k)
		}
	}
	set("q", f.Q)
	set("state", f.State)
	set("channel", f.Channel)
	set("country", f.Country)
	set("payment", f.Payment)
	set("from", f.From)
	set("to", f.To)
	set("sort", f.Sort)
	for i := 0; i+1 < len(pairs); i += 2 {
		set(pairs[i], pairs[i+1])
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func (f filterView) any() bool {
	return f.Q != "" || f.Channel != "" || f.Country != "" || f.Payment != "" || f.From != "" || f.To != "" || f.State != ""
}

type tabView struct {
	Label, Href, Count string
	Current            bool
}

type ordersView struct {
	Page      ui.PageView
	Filter    filterView
	Tabs      []tabView
	Channels  []string
	Countries []string
	Rows      []store.OrderRow
	Next      string
	First     bool
	Looked    int
	Back      time.Time
	Saved     []store.SavedFilter
	Key       string // one-time key of the bulk form
	CanAct    bool
	NoOrders  bool // the shop has none at all
	Self      string
}

type bulkView struct {
	Page          ui.PageView
	Verb          string
	Do, Skip      []bulkRow
	Key           string
	Sum           []money.Amount
	Back          string
	Reason        string
	NeedsReason   bool
	Consequence   string
	Label, Button string
}

type bulkRow struct {
	Row store.OrderRow
	Why string
}

type fact struct {
	Name, Value, Href string
	At                time.Time // the value, when it is a time
}

// step is one point of an order's timeline.
type step struct {
	ID       string
	At       time.Time
	Meaning  ui.Meaning
	Icon     string
	Title    string
	Who      string
	Lines    []string
	From, To order.State
	Minor    bool
	Facts    []fact
	Data     string // the payload, indented JSON
	Automata []decide.Considered
	Href     string
	HrefText string
	Quarant  string
	order    int
}

// parseTrace reads what a decision wrote down.
func parseTrace(s string) decide.Trace {
	var t decide.Trace
	if s != "" {
		_ = json.Unmarshal([]byte(s), &t) // an older shape shows less, never an error
	}
	return t
}

// askedView is the question about one automation on an order's page, and its answer.
type askedView struct {
	Name     string // "" before a question
	Options  []ui.Option
	Asked    bool    // its answer is in the list of all
	Unasked  Unasked // it was never asked
	Error    string
	Backtest bool // this person may start one
}

type orderView struct {
	Runs        []runRow
	Page        ui.PageView
	O           *order.Order
	Steps       []step
	Days        []dayView
	MoreEvents  bool
	Why         []Explanation
	WhyError    string
	NoneAsked   string // why no automation was asked
	Ask         askedView
	Plan        *routing.Plan
	PlanAt      time.Time
	Points      []ui.MapPoint
	Tasks       []store.TaskRow
	Effects     []store.EffectRow
	Customer    *customer.Customer
	History     []store.OrderRow
	Personal    bool // the reader may see personal data
	Erased      bool // it was known who bought, and is not any more
	CanErase    bool
	Key         string
	Can         orderActions
	Locations   map[string]string
	Differ      addressDiff
	ReviewHref  string
	ChannelNote string
}

type dayView struct {
	Title string
	Steps []step
}

type orderActions struct{ Hold, Release, Cancel, Reroute bool }

func (a orderActions) any() bool { return a.Hold || a.Release || a.Cancel || a.Reroute }

type addressDiff struct {
	Any, Country, Postal, City, Line bool
	KM                               float64
	KMKnown                          bool
}

type queueItem struct {
	Row      store.TaskRow
	T        task.Task
	Order    *store.OrderRow
	Title    string
	Assignee string
	Current  bool
	Href     string
}

type reviewView struct {
	Page    ui.PageView
	Tabs    []tabView
	Items   []queueItem
	More    bool
	Current *dossier
	Queue   string
	Kind    string
	Mine    bool
	Undo    bool
	Second  []secondRow
}

type dossier struct {
	Item     queueItem
	O        *order.Order
	Customer *customer.Customer
	History  []store.OrderRow
	Why      []Explanation
	Points   []ui.MapPoint
	Differ   addressDiff
	Key      string
	Assign   string // key
	Options  []option
	CanAct   bool
	Personal bool
	Effect   *store.EffectRow
	Mine     bool
	First    string   // what a first person chose, where a second must confirm
	Past     []string // notes of earlier rounds
	Event    *store.EventRow
}

type option struct{ Value, Label, Key, Class, Did string }

type stockView struct {
	Page      ui.PageView
	Search    string
	Location  string
	LowOnly   bool
	All       bool // every product, also what nobody keeps; a search looks through all
	Tabs      []tabView
	Locations []ui.Option
	Columns   []string
	Rows      []store.StockRow
	Next      string
	Bounded   bool
	First     bool
	NoStock   bool // there is no product at all
	Names     map[string]string
}

type ledgerView struct {
	Page      ui.PageView
	Row       store.StockRow
	Location  string
	Rows      []store.LedgerRow
	Next      string
	First     bool
	Options   []ui.Option
	Names     map[string]string
	Keys      [4]string
	CanAct    bool
	Orders    map[string]string // numbers by id
	Form      string
	FormError string
	Values    url.Values
}

type automationView struct {
	Name, Owner, Why, On, When, Mode string
	Trigger                          string // On in words
	Share                            int
	Considered, Fired, Unknown       int64 // fired and acted
	Would                            int64 // fired, but its mode or a stop did not let it act
	SparkC, SparkF                   []int64
	Text                             string
	N                                int64 // number of the version; only on its page
	Hash                             string
	Problem                          string
	Stopped                          bool
}

type automationsView struct {
	Page     ui.PageView
	CanApply bool
	Rows     []automationView
	Days     int
	Report   *proof.Report
}

type automationPage struct {
	Page        ui.PageView
	CanApply    bool
	CanBacktest bool
	File        string        // name in the policy
	Version     store.Version // in force
	Due         []time.Time   // when its schedule is due next
	Sentence    string
	Findings    []proof.Finding // errors and warnings about it
	Orphan      bool            // the account of its owner is closed
	Incident    string          // the open incident about that
	A           automationView
	Lines       []string
	Recent      []firedRow
	How         string // which of them; see store.Fired
	Looked      int
	Hours       []store.AutomationCount
	Modes       *modesView
	Runs        []runRow // the newest
	MoreRuns    bool
}

type firedRow struct {
	Ev  store.EventRow
	C   decide.Considered
	Row *store.OrderRow
}

type effectsView struct {
	Page    ui.PageView
	Tab     string
	Tabs    []tabView
	Rows    []store.EffectRow
	Next    string
	First   bool
	Key     string
	CanAct  bool
	Preview *replayPreview
	Numbers map[string]string // of orders, by id
	Quarant []store.EventRow
	Again   *againView

	Groups     []*store.DeadGroup
	GroupsMore bool             // there are older dead letters that were not grouped
	Group      *store.DeadGroup // the one that is looked at
	CanReplay  bool             // there is somebody who does it
}

// againView is what becomes, or became, of quarantined events that are decided again.
type againView struct {
	Rows []store.EventRow
	Done map[string]Outcome // by event id; nil before it is confirmed
}

// decided counts the events that were decided, now or meanwhile.
func (v *againView) decided() (n int64) {
	for _, o := range v.Done {
		if o.Status != "quarantined" {
			n++
		}
	}
	return n
}

// replayPreview is what a replay would do.
type replayPreview struct {
	Rows     []store.EffectRow // some of them
	N        int64
	Unsure   int64
	Cause    string // "" = the rows alone
	Letters  []Letter
	Numbers  map[string]string // of the letters' orders
	Personal bool              // the reader may see personal data
	Key      string
}

type settingsView struct {
	Page        ui.PageView
	Shop        Shop
	Connections []store.ConnectionRow
	Tokens      []access.APIToken
	Users       []access.User
	User        access.User
	NewToken    string
	Errors      map[string]string
	Values      url.Values
	Locations   []catalog.Location
	CanTokens   bool
	CanUsers    bool
	CanConnect  bool
	CanSettings bool
	CanAudit    bool
	Now         time.Time
}

type doorView struct {
	Page  ui.PageView
	Error string
	Email string
	Name  string
	Back  string
	Token string
	Bad   bool   // the set-up link is no longer good
	Users bool   // there is somebody who can sign in
	SSO   string // the name of the sign-in service
	Keys  bool   // passkeys can be used at this address
}

// stateLabel and stateMeaning say an order's state as people call it.
func stateLabel(s order.State) string {
	switch s {
	case order.AwaitingPayment:
		return "Awaiting payment"
	case order.PartiallyShipped:
		return "Partly shipped"
	case "":
		return "New"
	}
	return strings.ToUpper(string(s[:1])) + string(s[1:])
}

func stateMeaning(s order.State) ui.Meaning {
	switch s {
	case order.Held:
		return ui.Held
	case order.Unfillable:
		return ui.Danger
	case order.AwaitingPayment, order.Backordered:
		return ui.Attention
	case order.Shipped, order.Completed:
		return ui.Done
	}
	return ui.Neutral
}

func paymentLabel(p string, captured, refunded money.Amount) (string, ui.Meaning) {
	switch {
	case refunded.Minor > 0 && refunded.Minor >= captured.Minor:
		return "Refunded", ui.Neutral
	case refunded.Minor > 0:
		return "Partly refunded", ui.Attention
	}
	switch p {
	case event.PaymentPaid:
		return "Paid", ui.Done
	case event.PaymentAuthorized:
		return "Authorised", ui.Neutral
	case "", event.PaymentPending:
		return "Pending", ui.Attention
	}
	return p, ui.Neutral
}

func modeMeaning(mode string) ui.Meaning {
	switch mode {
	case "stopped":
		return ui.Danger
	case "active":
		return ui.Done
	case "shadow", "canary":
		return ui.Held
	case "paused":
		return ui.Attention
	}
	return ui.Neutral
}

func capped(c store.Capped) string {
	if c.More {
		return ui.Number(c.N) + "+"
	}
	return ui.Number(c.N)
}

// title makes "order-confirmation" readable: "Order confirmation".
func title(s string) string {
	s = strings.NewReplacer("-", " ", "_", " ").Replace(s)
	switch s {
	case "":
		return ""
	case "sla":
		return "SLA"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// orderHref is an order's page with the question that was asked on it.
func orderHref(v orderView) string {
	if v.Ask.Name == "" {
		return "/orders/" + v.O.ID
	}
	return "/orders/" + v.O.ID + "?why=" + url.QueryEscape(v.Ask.Name)
}
