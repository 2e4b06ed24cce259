package demo

import (
	"slices"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim"
	"orderly.example/orderly/internal/task"
)

// Reviews are orders that the starter pack holds, and what became of them.
type Reviews struct {
	Before  []event.Event // history of those who were here before
	Held    []event.Event
	Decided []event.Event // each after the order that it decides
}

// habit is a kind of order that is held, and how the reviewers of the sample
// shop decide it: after rules of thumb that they never wrote down, and now and then against them.
type habit struct {
	n       int
	least   int64 // of the order's total, in cents
	most    int64
	change  func(l *Life, o *event.OrderPlaced)
	regular bool
	rejects func(i int) bool // the i-th of its kind
}

// regulars are how many customers who were here before order again; each does so twice.
const regulars = 20

// testers are how many try stolen cards: a first order, and hours later five small ones within minutes.
const testers = 4

var habits = []habit{
	{n: 27, least: 11000, most: 39000, change: throwAway, rejects: func(i int) bool { return i != 11 }},
	{n: 18, least: 1500, most: 8000, change: throwAway, rejects: func(i int) bool { return i%3 == 1 }},
	{n: 2 * regulars, least: 11000, most: 39000, change: abroad, regular: true, rejects: func(i int) bool { return i == 23 }},
	{n: 20, least: 11000, most: 39000, change: abroad, rejects: func(i int) bool { return i%9 < 5 }},
	{n: 22, least: 15500, most: 39000, change: billElsewhere, rejects: func(i int) bool { return i%7 < 3 }},
}

func throwAway(l *Life, o *event.OrderPlaced) {
	domains := [...]string{"mailinator.com", "yopmail.com", "trashmail.com"}
	o.Customer.Email = "buyer" + o.Customer.ID + "@" + domains[l.draw(len(domains))]
}

// abroad lets the order come from a network of a country that is not the parcel's.
func abroad(l *Life, o *event.OrderPlaced) {
	for from := o; ; from = l.Shop.PlainOf(o.PlacedAt, 1) {
		if from.Shipping.Country != o.Shipping.Country {
			o.IP = from.IP
			return
		}
	}
}

func billElsewhere(l *Life, o *event.OrderPlaced) {
	o.Billing.Line1 = "Other Street 1"
	if l.draw(2) == 0 {
		o.Billing.City, o.Billing.Postal, o.Billing.Country = "Madrid", "28001", "ES"
	}
}

// Reviewed makes the held orders of the last hour and the decisions of people about them.
// They are live: history holds no order. What there is to learn from them nobody tells the program.
func (l *Life) Reviewed(now time.Time, reviewers ...string) Reviews {
	// A shop of its own, so that the same orders are held whatever the time of day has brought before them.
	past := &Life{Shop: sim.New(3, "E")}
	var desk []int // indices of habits
	for i, h := range habits {
		for range h.n {
			desk = append(desk, i)
		}
	}
	for i := len(desk) - 1; i > 0; i-- {
		j := past.draw(i + 1)
		desk[i], desk[j] = desk[j], desk[i]
	}
	var r Reviews
	var known []*event.OrderPlaced
	count := make([]int, len(habits))
	for i, k := range desk {
		h, at := habits[k], now.Add(-50*time.Minute+time.Duration(i)*20*time.Second)
		o := past.between(at, h.least, h.most)
		if h.regular && count[k] < regulars {
			known = append(known, o)
			for _, hours := range [...]int{52, 32} {
				r.Before = append(r.Before, past.earlier(o, now, hours)...)
			}
		} else if h.regular {
			was := known[count[k]-regulars]
			o.Customer, o.Shipping, o.Billing, o.Device = was.Customer, was.Shipping, was.Billing, was.Device
		}
		h.change(past, o)
		o.Payment = event.Payment{Status: event.PaymentAuthorized, Method: "card"}
		r.Held = append(r.Held, live("order-"+o.Number, o))
		r.decide(o, h.rejects(count[k]), reviewers)
		count[k]++
	}
	for range testers {
		first := past.between(now.Add(-20*time.Minute), 900, 4000)
		r.Before = append(r.Before, past.earlier(first, now, 10)...)
		for i := range 5 {
			o := past.between(first.PlacedAt.Add(time.Duration(i)*4*time.Minute), 900, 4000)
			o.Customer, o.Shipping, o.Billing, o.IP, o.Device = first.Customer, first.Shipping, first.Billing, first.IP, first.Device
			o.Payment = event.Payment{Status: event.PaymentAuthorized, Method: "card"}
			r.Held = append(r.Held, live("order-"+o.Number, o))
			if i >= 3 { // the three before it pass
				r.decide(o, true, reviewers)
			}
		}
	}
	slices.SortStableFunc(r.Before, byTime)
	return r
}

// earlier is an order that the buyer of o placed hours ago.
func (l *Life) earlier(o *event.OrderPlaced, now time.Time, hours int) []event.Event {
	was := l.between(now.Add(-time.Duration(hours)*time.Hour), 1500, 9000)
	was.Customer, was.Shipping, was.Billing, was.IP, was.Device = o.Customer, o.Shipping, o.Billing, o.IP, o.Device
	return l.lived(was, was.PlacedAt, now)
}

// decide adds what a reviewer made of the order; they take turns.
func (r *Reviews) decide(o *event.OrderPlaced, reject bool, reviewers []string) {
	d := &event.TaskDecided{Task: reviewOf(o), Outcome: "approve"}
	if reject {
		d.Outcome, d.Note = "reject", "they could not be reached (sample)"
	}
	ev := live("decided-"+o.Number, d)
	ev.Actor = reviewers[len(r.Decided)%len(reviewers)]
	r.Decided = append(r.Decided, ev)
}

// reviewOf is the first review of an order.
func reviewOf(o *event.OrderPlaced) string {
	return event.Derive("tsk_", string(task.Review), event.OrderID(o.Channel, o.Number), "1")
}

// between is the next plain order of which there is enough in stock and whose total lies between two amounts in cents.
func (l *Life) between(at time.Time, least, most int64) *event.OrderPlaced {
	for {
		o := l.Shop.PlainOf(at, 0)
		if total := o.Worth().Minor; total >= least && total < most && !l.rare(o) {
			return o
		}
	}
}

// rare reports whether an order has something in it that little is opened with, or that is sold ahead.
func (l *Life) rare(o *event.OrderPlaced) bool {
	for i, p := range l.Shop.Products() {
		if (p.Backorder || i%scarceEvery == scarce) && slices.ContainsFunc(o.Lines, func(ln event.Line) bool { return ln.SKU == p.SKU }) {
			return true
		}
	}
	return false
}
