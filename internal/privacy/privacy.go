// Package privacy gives out and destroys what a shop keeps of a customer. Orders, money
// and stock stay as they were: what goes is whatever says who it was.
package privacy

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/store"
)

// Office is where a person asks for their data, or for its end.
type Office struct {
	DB    *store.DB
	Keys  *store.Keyring
	Audit *access.Service
}

// Find returns the id of the customer that a mail address, a customer id or an order names.
func (o *Office) Find(ctx context.Context, ref string) (string, error) {
	const op = "privacy.Find"
	ref = strings.TrimSpace(ref)
	if strings.Contains(ref, "@") {
		ref = risk.Identify(o.Keys.Hash, &event.OrderPlaced{Customer: event.Buyer{Email: ref}}).Customer
	}
	var id string
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		id = ""
		if !strings.HasPrefix(ref, "cus_") {
			if channel, number, ok := strings.Cut(ref, ":"); ok {
				ref = event.OrderID(channel, number)
			}
			ord, _, _, err := tx.OrderByID(ref)
			if err != nil {
				return err
			}
			ref = ord.CustomerID
			if ref == "" { // a buyer without mail and id: the order stands for the customer
				ref = "cus_" + strings.TrimPrefix(ord.ID, "ord_")
			}
		}
		known, err := store.Customers(tx, []string{ref})
		if err == nil && known[ref].Customer == nil {
			err = fault.New(fault.NotFound, op, "no customer is kept under that; name a mail address, a customer id (cus_…) or an order (channel:number)")
		}
		id = ref
		return err
	})
	return id, err
}

// Document is all that is kept of a customer.
type Document struct {
	Customer string         `json:"customer_id"`
	Made     time.Time      `json:"made"`
	Erased   bool           `json:"erased"` // their personal data was destroyed
	Orders   int64          `json:"orders_counted"`
	Spent    string         `json:"spent"`
	First    time.Time      `json:"first_order"`
	Last     time.Time      `json:"last_order"`
	Tags     []string       `json:"tags"`
	Search   []string       `json:"search_words"` // found by these in the console
	List     []OrderPart    `json:"orders"`
	Told     []EventPart    `json:"events"`
	Messages []MessagePart  `json:"messages"`
	Tasks    []TaskPart     `json:"tasks"`
	Texts    map[string]int `json:"other_texts"` // how many further texts mention the orders, by table and column
}

// OrderPart is an order in a Document.
type OrderPart struct {
	ID       string            `json:"id"`
	Channel  string            `json:"channel"`
	Number   string            `json:"number"`
	State    string            `json:"state"`
	PlacedAt time.Time         `json:"placed_at"`
	Total    string            `json:"total"`
	Lines    []string          `json:"lines"`
	Personal customer.Personal `json:"personal"`
	Shipping event.Address     `json:"shipping"`
	Billing  event.Address     `json:"billing"`
	Device   string            `json:"device,omitempty"`
	Note     string            `json:"note,omitempty"`
	More     map[string]string `json:"attributes,omitempty"`
}

// EventPart is an event in a Document.
type EventPart struct {
	ID       string            `json:"id"`
	Type     string            `json:"type"`
	At       time.Time         `json:"at"`
	Source   string            `json:"source"`
	Data     json.RawMessage   `json:"data"`
	Personal customer.Personal `json:"personal"`
}

// MessagePart is what was sent to them, or about their orders.
type MessagePart struct {
	Kind    string    `json:"kind"`
	Purpose string    `json:"purpose"`
	To      string    `json:"to"`
	State   string    `json:"state"`
	Made    time.Time `json:"made"`
	Done    time.Time `json:"done"`
}

// TaskPart is what people decided about their orders.
type TaskPart struct {
	Kind    string    `json:"kind"`
	Title   string    `json:"title"`
	State   string    `json:"state"`
	Reasons []string  `json:"reasons"`
	Outcome string    `json:"outcome"`
	Note    string    `json:"note"`
	Made    time.Time `json:"made"`
	Done    time.Time `json:"done"`
}

// kept is what a customer has, read in one picture.
type kept struct {
	doc    store.CustomerDoc
	orders []string
}

func (o *Office) kept(tx *store.Tx, id string) (k kept, err error) {
	docs, err := store.Customers(tx, []string{id})
	if err != nil {
		return k, err
	}
	if k.doc = docs[id]; k.doc.Customer == nil {
		return k, fault.New(fault.NotFound, "privacy", "there is no customer %s", id)
	}
	k.orders, err = tx.OrdersOf(id)
	return k, err
}

// Export gathers all that is kept of a customer, and records that it was given out.
func (o *Office) Export(ctx context.Context, id string) (*Document, error) {
	var d *Document
	err := o.DB.View(ctx, func(tx *store.Tx) error {
		k, err := o.kept(tx, id)
		if err != nil {
			return err
		}
		c := k.doc.Customer
		d = &Document{
			Customer: id, Made: tx.Now(), Erased: k.doc.Key == "", Orders: c.Orders, Spent: c.Spent.String(), First: c.FirstAt, Last: c.LastAt,
			Tags: c.Tags, Texts: map[string]int{}, List: []OrderPart{}, Told: []EventPart{}, Messages: []MessagePart{}, Tasks: []TaskPart{},
		}
		if d.Search, err = tx.SearchWords(id); err != nil {
			return err
		}
		for _, oid := range k.orders {
			if err := o.exportOrder(tx, d, oid, id); err != nil {
				return err
			}
		}
		rows, err := tx.TextsAbout(id, k.orders)
		for _, r := range rows {
			if r.Table == "run" || r.Column == "trace" || r.Column == "facts" {
				d.Texts[r.Table+"."+r.Column]++
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, o.Audit.Record(ctx, access.Record{Action: "customer.export", Subject: id})
}

// storyCap bounds the events of one order in a Document; an order has a few dozen.
const storyCap = 10_000

func (o *Office) exportOrder(tx *store.Tx, d *Document, oid, id string) error {
	ord, sealed, key, err := tx.OrderByID(oid)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := o.Keys.Open(id, key, sealed)
	if err != nil {
		return err
	}
	part := OrderPart{
		ID: ord.ID, Channel: ord.Channel, Number: ord.Number, State: string(ord.State), PlacedAt: ord.PlacedAt, Total: ord.Total.String(), Personal: p,
		Shipping: ord.Shipping, Billing: ord.Billing, Device: ord.Device, Note: ord.Note, More: ord.Attributes,
	}
	for _, l := range ord.Lines {
		part.Lines = append(part.Lines, l.SKU+" "+l.Title)
	}
	d.List = append(d.List, part)
	evs, _, err := tx.OrderStory(oid, storyCap)
	if err != nil {
		return err
	}
	for _, e := range evs {
		ep, err := o.Keys.Open(id, key, e.Sealed)
		if err != nil {
			return err
		}
		d.Told = append(d.Told, EventPart{ID: e.ID, Type: e.Type, At: e.At, Source: e.Source, Data: json.RawMessage(e.Data), Personal: ep})
	}
	es, err := tx.EffectsOfOrder(oid)
	if err != nil {
		return err
	}
	for _, f := range es {
		d.Messages = append(d.Messages, MessagePart{Kind: string(f.Kind), Purpose: f.Purpose, To: f.Destination, State: string(f.State), Made: f.Created, Done: f.DoneAt})
	}
	ts, err := tx.TasksOfOrder(oid)
	for _, t := range ts {
		tp := TaskPart{Kind: string(t.Kind), Title: t.Task.Title, State: string(t.State), Outcome: t.Task.Outcome, Note: t.Task.Note, Made: t.Task.Created, Done: t.Task.DoneAt}
		for _, r := range t.Task.Reasons {
			tp.Reasons = append(tp.Reasons, r.Text)
		}
		d.Tasks = append(d.Tasks, tp)
	}
	return err
}

// Erasure is what an erasure did.
type Erasure struct {
	Customer string   `json:"customer_id"`
	Orders   int      `json:"orders"`  // that stay, without a name
	Texts    int      `json:"texts"`   // that were changed
	Left     []Remain `json:"left"`    // where something of theirs still stands, for a person to look at
	Already  bool     `json:"already"` // their key was destroyed before
}

// Remain is a place where an erased value still stands.
type Remain struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Rows   int64  `json:"rows"`
}

// Erase destroys a customer's key and every sealed copy, empties the search and the counts that
// recognise them, and takes their name, addresses, phone and own words out of every text
// about their orders; mail address and phone out of every text there is. Orders, money and stock
// stay. It is refused while an order of theirs is on its way: it needs its address.
func (o *Office) Erase(ctx context.Context, id string) (*Erasure, error) {
	var res *Erasure
	var people []customer.Personal
	err := o.DB.Update(ctx, func(tx *store.Tx) error {
		res, people = &Erasure{Customer: id, Left: []Remain{}}, nil
		first, err := o.kept(tx, id)
		if err != nil {
			return err
		}
		// In the order in which the engine takes them.
		if err := tx.Lock(store.LockOrder, first.orders); err != nil {
			return err
		}
		if err := tx.Lock(store.LockCustomer, []string{id}); err != nil {
			return err
		}
		k, err := o.kept(tx, id)
		if err != nil {
			return err
		}
		if len(k.orders) != len(first.orders) {
			return fault.New(fault.Unavailable, "privacy.Erase", "the customer ordered at this moment; try again")
		}
		if err := refuseOpen(tx, k.orders); err != nil {
			return err
		}
		res.Orders, res.Already = len(k.orders), k.doc.Key == ""
		if people, err = o.open(tx, id, k.doc.Key); err != nil {
			return err
		}
		if res.Texts, err = redactAll(tx, id, k.orders, people); err != nil {
			return err
		}
		if err := tx.ForgetCustomer(id, k.orders); err != nil {
			return err
		}
		return o.Audit.RecordIn(ctx, tx, access.Record{Action: "customer.erase", Subject: id})
	})
	if err != nil {
		return nil, err
	}
	err = o.DB.View(ctx, func(tx *store.Tx) error {
		res.Left = []Remain{}
		hs, err := tx.WhereHeld(redactorOf(people).values)
		for _, h := range hs {
			res.Left = append(res.Left, Remain{h.Table, h.Column, h.Rows})
		}
		return err
	})
	return res, err
}

func refuseOpen(tx *store.Tx, ids []string) error {
	docs, err := store.Orders(tx, ids)
	if err != nil {
		return err
	}
	var open []string
	for _, id := range ids {
		if o := docs[id].Order; o != nil && !o.State.Terminal() && o.State != order.Shipped && o.State != order.Expected && o.Mode == event.Live {
			open = append(open, o.Short()+" ("+string(o.State)+")")
		}
	}
	if len(open) > 0 {
		return fault.New(fault.Conflict, "privacy.Erase", "orders of this customer are on their way and need the address: %s; complete or cancel them first", strings.Join(open, ", "))
	}
	return nil
}

// open reads everything sealed of a customer.
func (o *Office) open(tx *store.Tx, id, key string) ([]customer.Personal, error) {
	sealed, err := tx.CustomerSealed(id)
	if err != nil {
		return nil, err
	}
	var out []customer.Personal
	for _, s := range sealed {
		p, err := o.Keys.Open(id, key, s)
		if err != nil {
			return nil, err
		}
		if p != (customer.Personal{}) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// shortest is the length below which a value is too common to look for.
const shortest = 4

func redactorOf(people []customer.Personal) redactor {
	var x redactor
	add := func(list *[]string, least int, vs ...string) {
		for _, v := range vs {
			if v = strings.ToLower(strings.TrimSpace(v)); len(v) >= least && !slices.Contains(*list, v) {
				*list = append(*list, v)
			}
		}
	}
	for _, p := range people {
		add(&x.values, shortest, p.Email, p.Phone, p.Name, p.ShippingName, p.BillingName, p.ShippingLine1, p.ShippingLine2, p.BillingLine1, p.BillingLine2, p.IP)
		for _, n := range []string{p.Name, p.ShippingName, p.BillingName} {
			add(&x.words, shortest-1, strings.FieldsFunc(n, func(r rune) bool { return r == ' ' || r == ',' || r == '.' })...)
		}
	}
	longFirst := func(a, b string) int { return len(b) - len(a) }
	slices.SortFunc(x.values, longFirst)
	slices.SortFunc(x.words, longFirst)
	return x
}

// own are the keys under which the buyer's own words stand, by column: they go altogether.
func own(r store.TextRow) map[string]bool {
	switch {
	case r.Table == "event" && r.Column == "data" && r.Type == "order.placed":
		return map[string]bool{"note": true, "device": true, "attributes": true}
	case r.Table == "event" && r.Column == "facts":
		return map[string]bool{"order.note": true, "order.device": true, "order.attributes": true}
	case r.Table == "orders":
		return map[string]bool{"Note": true, "Device": true, "Attributes": true}
	}
	return nil
}

// redactAll changes every text that says who the customer is, and returns how many.
func redactAll(tx *store.Tx, id string, orders []string, people []customer.Personal) (n int, err error) {
	about, err := tx.TextsAbout(id, orders)
	if err != nil {
		return 0, err
	}
	x := redactorOf(people)
	put := func(rows []store.TextRow, x redactor, whole func(store.TextRow) map[string]bool) error {
		for _, r := range rows {
			text := ""
			if r.JSON {
				text = x.json(r.Text, whole(r))
			} else {
				text = x.text(r.Text)
			}
			if text == r.Text {
				continue
			}
			n++
			if err := tx.PutText(r, text); err != nil {
				return err
			}
		}
		return nil
	}
	if err := put(about, x, own); err != nil {
		return 0, err
	}
	// Elsewhere a name or a street may be somebody else's; a mail address and a phone number are theirs alone.
	var sure redactor
	for _, p := range people {
		for _, v := range []string{p.Email, p.Phone} {
			if v = strings.ToLower(strings.TrimSpace(v)); len(v) >= shortest {
				sure.values = append(sure.values, v, strings.ReplaceAll(strings.ReplaceAll(v, "@", "%40"), "+", "%2b"))
			}
		}
	}
	slices.Sort(sure.values)
	sure.values = slices.Compact(sure.values)
	slices.SortFunc(sure.values, func(a, b string) int { return len(b) - len(a) })
	rows, err := tx.TextsWith(sure.values)
	if err != nil {
		return 0, err
	}
	return n, put(rows, sure, func(store.TextRow) map[string]bool { return nil })
}
