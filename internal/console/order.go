package console

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/task"
)

// storyCap is how many events of one order its page shows.
const storyCap = 400

func (c *Console) order(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	u, _ := access.UserFrom(r.Context())
	v := orderView{Personal: access.Can(u.Role, access.SeePersonal), Key: onceKey()}
	var evs []store.EventRow
	var texts []store.PolicyText
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if v.O, err = c.openOrder(tx, id, v.Personal); err != nil {
			return err
		}
		if evs, v.MoreEvents, err = tx.OrderStory(id, storyCap); err != nil {
			return err
		}
		if v.Effects, err = tx.EffectsOfOrder(id); err != nil {
			return err
		}
		if v.Tasks, err = tx.TasksOfOrder(id); err != nil {
			return err
		}
		if v.Customer, v.History, err = customerOf(tx, v.O, 2); err != nil {
			return err
		}
		runs, err := tx.Runs(store.RunFilter{OrderID: id, Limit: runsShown})
		if err != nil {
			return err
		}
		if v.Runs, err = runRows(tx, runs, ""); err != nil {
			return err
		}
		if texts, err = tx.PolicyTexts(kindAutomation); err != nil {
			return err
		}
		v.Locations, err = locationNames(tx)
		return err
	})
	if err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Order "+v.O.Number, "Orders"); err != nil {
		return err
	}
	names, err := c.userNames(r)
	if err != nil {
		return err
	}
	v.Steps = story(evs, v.Effects, v.Tasks, names)
	v.Days = byDay(v.Steps, c.Shop().Zone, c.Now())
	v.Plan, v.PlanAt = LastPlan(evs)
	v.Points = c.routePoints(v.O, v.Plan)
	v.Differ = c.differ(v.O)
	for _, t := range v.Tasks {
		if t.Kind == task.Review && (t.State == task.Open || t.State == task.Asked) {
			v.ReviewHref = "/review/" + t.ID
		}
	}
	if access.Can(u.Role, access.ChangeOrder) {
		v.Can = actionsOn(v.O)
	}
	v.CanErase = access.Can(u.Role, access.ErasePersonal) && v.Customer != nil
	v.Erased = v.Personal && v.O.HasEmail && v.O.Personal.Email == ""
	v.Why, v.WhyError = c.why(r, id)
	if v.WhyError == "" {
		v.Ask = c.ask(r, u, id, v.Why, texts)
		if len(v.Why) == 0 && len(v.Ask.Options) > 0 {
			un, err := c.Deps.Why.Unasked(r.Context(), id, "")
			if err != nil {
				return err
			}
			v.NoneAsked = un.Text
		}
	}
	return c.show(w, r, http.StatusOK, orderPage(v))
}

// why asks the explainer; what it cannot say is said in words, not as an error page.
func (c *Console) why(r *http.Request, orderID string) ([]Explanation, string) {
	if c.Deps.Why == nil {
		return nil, "Explanations are not available on this server."
	}
	es, err := c.Deps.Why.Why(r.Context(), orderID, "")
	if err != nil {
		return nil, "The explanation could not be made: " + fault.Message(err) + "."
	}
	sortExplanations(es)
	return es, ""
}

// ask answers the question of the address (?why=) about any automation: what it did, or why it was never asked.
func (c *Console) ask(r *http.Request, u access.User, orderID string, why []Explanation, texts []store.PolicyText) askedView {
	v := askedView{Name: r.FormValue("why")}
	names := map[string]bool{}
	for _, t := range texts {
		names[t.Name] = true
		if t.Name == v.Name {
			v.Backtest = c.Backtest != nil && mayChange(u, readAutomation(t).Owner)
		}
	}
	for _, e := range why {
		names[e.Automation] = true
		v.Asked = v.Asked || e.Automation == v.Name
	}
	if len(names) == 0 {
		return v
	}
	v.Options = []ui.Option{{Label: "Choose an automation"}}
	for _, n := range slices.Sorted(maps.Keys(names)) {
		v.Options = append(v.Options, ui.Option{Value: n, Label: title(n)})
	}
	switch {
	case v.Name == "" || v.Asked:
	case !names[v.Name]:
		v.Error = "There is no automation " + v.Name + "."
	default:
		var err error
		if v.Unasked, err = c.Deps.Why.Unasked(r.Context(), orderID, v.Name); err != nil {
			v.Error = "The answer could not be made: " + fault.Message(err) + "."
		}
	}
	return v
}

func actionsOn(o *order.Order) orderActions {
	if o.State == order.Expected || o.State.Terminal() {
		return orderActions{}
	}
	return orderActions{
		Hold:    o.State.CanGo(order.Held),
		Release: o.State == order.Held,
		Cancel:  o.State.CanGo(order.Cancelled),
		Reroute: o.State == order.Unfillable || o.State == order.Backordered || o.State == order.AwaitingPayment || o.State == order.Ready,
	}
}

// openOrder reads an order; for those who may see it, with the personal data in its place.
func (c *Console) openOrder(tx *store.Tx, id string, personal bool) (*order.Order, error) {
	o, sealed, key, err := tx.OrderByID(id)
	if err != nil || !personal {
		return o, err
	}
	p, err := c.Keys.Open(o.CustomerID, key, sealed)
	if err != nil {
		return nil, err
	}
	o.Personal = p
	o.Shipping.Name, o.Shipping.Line1, o.Shipping.Line2 = p.ShippingName, p.ShippingLine1, p.ShippingLine2
	o.Billing.Name, o.Billing.Line1, o.Billing.Line2 = p.BillingName, p.BillingLine1, p.BillingLine2
	return o, nil
}

// nameRows puts the customers' names into rows, for those who may see them.
func (c *Console) nameRows(r *http.Request, rows []store.OrderRow) error {
	u, _ := access.UserFrom(r.Context())
	if len(rows) == 0 || !access.Can(u.Role, access.SeePersonal) {
		return nil
	}
	ids := make([]string, 0, len(rows))
	for _, o := range rows {
		if o.Sealed != "" {
			ids = append(ids, o.CustomerID)
		}
	}
	var keys map[string]string
	if err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) { keys, err = tx.CustomerKeys(ids); return err }); err != nil {
		return err
	}
	for i := range rows {
		o := &rows[i]
		p, err := c.Keys.Open(o.CustomerID, keys[o.CustomerID], o.Sealed)
		if err != nil {
			return err
		}
		o.Customer = firstOf(p.Name, p.ShippingName, p.Email)
	}
	return nil
}

func locationNames(tx *store.Tx) (map[string]string, error) {
	ls, err := tx.LocationList()
	names := make(map[string]string, len(ls))
	for _, l := range ls {
		names[l.ID] = firstOf(l.Name, l.ID)
	}
	return names, err
}

// customerOf reads who bought and what else they ordered.
func customerOf(tx *store.Tx, o *order.Order, n int) (*customer.Customer, []store.OrderRow, error) {
	if o.CustomerID == "" {
		return nil, nil, nil
	}
	cu, err := tx.CustomerByID(o.CustomerID)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, nil, err
	}
	rows, err := tx.CustomerOrders(o.CustomerID, n)
	return cu, rows, err
}

func (c *Console) point(a event.Address) (lat, lon float64, ok bool) {
	if c.Postal == nil || a.Postal == "" {
		return 0, 0, false
	}
	return c.Postal.Lookup(a.Country, a.Postal)
}

func (c *Console) differ(o *order.Order) addressDiff {
	d := addressesDiffer(o)
	if !d.Any {
		return d
	}
	lat1, lon1, ok1 := c.point(o.Shipping)
	lat2, lon2, ok2 := c.point(o.Billing)
	if ok1 && ok2 {
		d.KM, d.KMKnown = geo.DistanceKM(lat1, lon1, lat2, lon2), true
	}
	return d
}

// routePoints are the destination and every candidate whose place is known.
func (c *Console) routePoints(o *order.Order, p *routing.Plan) []ui.MapPoint {
	var out []ui.MapPoint
	if lat, lon, ok := c.point(o.Shipping); ok {
		out = append(out, ui.MapPoint{Lat: lat, Lon: lon, Kind: "home", Label: firstOf(o.Shipping.City, o.Shipping.Postal), Title: "Ships to " + o.Shipping.City})
	}
	if p == nil {
		return out
	}
	for _, v := range p.Candidates {
		if v.Lat == 0 && v.Lon == 0 {
			continue
		}
		kind := "loc"
		if v.Chosen {
			kind = "chosen"
		}
		out = append(out, ui.MapPoint{Lat: v.Lat, Lon: v.Lon, Kind: kind, Label: verdictName(v), Title: verdictName(v) + ": " + v.Reason})
	}
	return out
}

// addressPoints are where the parcel and where the bill goes.
func (c *Console) addressPoints(o *order.Order, d addressDiff) []ui.MapPoint {
	var out []ui.MapPoint
	if lat, lon, ok := c.point(o.Shipping); ok {
		out = append(out, ui.MapPoint{Lat: lat, Lon: lon, Kind: "home", Label: "ships to " + firstOf(o.Shipping.City, o.Shipping.Postal), Title: "Ships to"})
	}
	if d.Any {
		if lat, lon, ok := c.point(o.Billing); ok {
			out = append(out, ui.MapPoint{Lat: lat, Lon: lon, Kind: "bill", Label: "bill to " + firstOf(o.Billing.City, o.Billing.Postal), Title: "Bill to"})
		}
	}
	return out
}

// orderPayload is the event of a clerk's step on an order.
func orderPayload(verb, id, channel, number, reason string) event.Payload {
	switch verb {
	case "hold":
		return &event.OrderHoldRequested{Order: id, Reason: reason}
	case "release":
		return &event.OrderReleaseRequested{Order: id, Reason: reason}
	case "reroute":
		return &event.OrderRerouteRequested{Order: id, Reason: reason}
	default:
		return &event.OrderCancelled{Channel: channel, Number: number, Reason: reason}
	}
}

func (c *Console) actOnOrder(w http.ResponseWriter, r *http.Request) error {
	id, verb := r.PathValue("id"), r.PathValue("action")
	var o *order.Order
	if err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) { o, _, _, err = tx.OrderByID(id); return err }); err != nil {
		return err
	}
	can := actionsOn(o)
	allowed, known := map[string]bool{"hold": can.Hold, "release": can.Release, "cancel": can.Cancel, "reroute": can.Reroute}[verb]
	if !known {
		return fault.New(fault.NotFound, "console.actOnOrder", "there is no such step")
	}
	key, reason := r.PostFormValue("key"), strings.TrimSpace(r.PostFormValue("reason"))
	ev, err := c.act(r, key, orderPayload(verb, id, o.Channel, o.Number, reason))
	if err != nil {
		return err
	}
	if !allowed {
		// The second of a double click finds the first one's work: only a new click is refused.
		var seen bool
		if err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) { seen, err = tx.Seen("console", key); return err }); err != nil {
			return err
		}
		if !seen {
			return fault.New(fault.Conflict, "console.actOnOrder", "the order is %s now, and that allows no such step", strings.ToLower(stateLabel(o.State)))
		}
	}
	if err := c.submit(r.Context(), ev); err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done}
	switch verb {
	case "hold":
		f.Text = "The order is held."
	case "release":
		f.Text = "The order is released."
	case "reroute":
		f.Text = "The order was routed again."
	case "cancel":
		f.Text = "The order is cancelled."
	}
	f, err = c.keepStep(r, f, lastStep{Key: key, Verb: verb, Orders: []string{id}, Reason: reason, Back: "/orders/" + id})
	if err != nil {
		return err
	}
	return c.back(w, r, "/orders/"+id, f)
}

func byDay(steps []step, zone *time.Location, now time.Time) []dayView {
	ctx := ui.With(context.Background(), ui.Env{Zone: zone, Now: now})
	var out []dayView
	last := ""
	for _, s := range steps {
		d := s.At.In(zone).Format(time.DateOnly)
		if d != last {
			out = append(out, dayView{Title: ui.DayTitle(ctx, s.At)})
			last = d
		}
		out[len(out)-1].Steps = append(out[len(out)-1].Steps, s)
	}
	return out
}
