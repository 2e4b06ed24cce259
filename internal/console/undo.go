package console

import (
	"encoding/json"
	"net/http"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// undoFor is how long a step on orders may be taken back from its message.
const undoFor = 15 * time.Minute

// lastStep is the last step a user took on orders, kept so that it can be taken
// back: by events that do the opposite, never by removing what happened.
type lastStep struct {
	Key    string    `json:"key"`  // of the form that took it
	Verb   string    `json:"verb"` // hold or release; nothing else has an opposite
	Orders []string  `json:"orders"`
	Reason string    `json:"reason"`
	Back   string    `json:"back"` // the page it was taken from
	At     time.Time `json:"at"`
}

func lastStepOf(userID string) string { return "console last step " + userID }

// keepStep remembers a step and puts its undo on the message, if it has one.
func (c *Console) keepStep(r *http.Request, f ui.Flash, s lastStep) (ui.Flash, error) {
	if len(s.Orders) == 0 || (s.Verb != "hold" && s.Verb != "release") {
		return f, nil
	}
	u, _ := access.UserFrom(r.Context())
	s.At = c.Now()
	doc, err := json.Marshal(s)
	if err != nil {
		return f, err
	}
	if err := c.Write.Update(r.Context(), func(tx *store.Tx) error { return tx.PutSetting(lastStepOf(u.ID), string(doc)) }); err != nil {
		return f, err
	}
	f.Undo, f.UndoKey = "/orders/undo", s.Key
	return f, nil
}

// undo takes back the user's last step on orders, as far as they have not gone on.
func (c *Console) undo(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	var s lastStep
	var now map[string]store.OrderDoc
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		doc, ok, err := tx.Setting(lastStepOf(u.ID))
		if err != nil {
			return err
		}
		if !ok || json.Unmarshal([]byte(doc), &s) != nil || s.Key != r.PostFormValue("key") || c.Now().Sub(s.At) > undoFor {
			return fault.New(fault.Conflict, "console.undo", "this step can no longer be undone from its message; the orders' pages have the step back")
		}
		now, err = store.Orders(tx, s.Orders)
		return err
	})
	if err != nil {
		return err
	}
	verb, reason := "release", "undo of a hold"
	if s.Verb == "release" {
		verb, reason = "hold", "undo of a release"
	}
	if s.Reason != "" {
		reason += ": " + s.Reason
	}
	evs, left := []event.Event{}, 0
	for _, id := range s.Orders {
		o := now[id].Order
		if o == nil || !undoes(verb, o, s) {
			left++
			continue
		}
		ev, err := c.act(r, "undo:"+s.Key+":"+id, orderPayload(verb, id, o.Channel, o.Number, reason))
		if err != nil {
			return err
		}
		evs = append(evs, ev)
	}
	if len(evs) == 0 {
		return c.back(w, r, firstOf(s.Back, "/orders"), ui.Flash{Meaning: ui.Attention, Text: "Nothing to undo: " + ui.Plural(int64(left), "order has", "orders have") + " gone on since."})
	}
	done, bad, err := c.submitAll(r, evs)
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Undone: " + ui.Plural(int64(done), "order", "orders") + " " + pastOf[verb] + "."}
	if left > 0 {
		f.Meaning, f.Text = ui.Attention, f.Text+" "+ui.Plural(int64(left), "order has", "orders have")+" gone on since and stayed."
	}
	if bad != "" {
		f.Meaning, f.Text = ui.Danger, f.Text+" Not all of them: "+bad
	}
	return c.back(w, r, firstOf(s.Back, "/orders"), f)
}

// undoes reports whether the opposite step still takes back what s did to an order, and no more.
func undoes(verb string, o *order.Order, s lastStep) bool {
	if verb == "release" { // other reasons to hold it may have come since
		return o.State == order.Held && len(o.Holds) == 1 && o.Holds[0].Automation == "" && o.Holds[0].Text == s.Reason
	}
	_, ok := bulkFits("hold", o.State)
	return ok
}

// submitAll submits steps on orders: how many were taken, and the first that was not, in words.
func (c *Console) submitAll(r *http.Request, evs []event.Event) (done int, bad string, err error) {
	out, err := c.Submit.Submit(r.Context(), evs)
	if err != nil {
		return 0, "", err
	}
	for i, o := range out {
		switch o.Status {
		case "decided", "duplicate":
			done++
		default:
			if bad == "" {
				bad = ui.ShortID(evs[i].Subject) + ": " + firstOf(c.nameIDs(r.Context(), o.Reason), o.Status)
			}
		}
	}
	return done, bad, nil
}

var pastOf = map[string]string{"release": "released", "hold": "held", "cancel": "cancelled"}
