package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/store"
)

func (c *Console) effects(w http.ResponseWriter, r *http.Request) error {
	return c.showEffects(w, r, effectsView{Tab: firstOf(r.URL.Query().Get("tab"), "dead")}, r.URL.Query().Get("cause"))
}

// deadShown is how many dead letters of one cause are listed.
const deadShown = 200

func (c *Console) showEffects(w http.ResponseWriter, r *http.Request, v effectsView, cause string) error {
	after := r.URL.Query().Get("after")
	u, _ := access.UserFrom(r.Context())
	v.First, v.CanAct, v.CanReplay = after == "", access.Can(u.Role, access.ReplayEffect) && c.Replay != nil, c.Replay != nil
	var n store.Counts
	var orders []string
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if n, err = tx.Counts(c.Now()); err != nil {
			return err
		}
		switch v.Tab {
		case "waiting":
			v.Rows, v.Next, err = tx.LiveEffects(after, 50)
		case "quarantine":
			v.Quarant, err = tx.QuarantinedEvents(maxQuarantined)
			for _, e := range v.Quarant {
				orders = append(orders, eventOrder(e))
			}
		default:
			v.Tab = "dead"
			if v.Groups, v.GroupsMore, err = tx.DeadGroups(); err != nil || cause == "" {
				return err
			}
			if i := slices.IndexFunc(v.Groups, func(g *store.DeadGroup) bool { return g.Cause == cause }); i >= 0 {
				v.Group = v.Groups[i]
				v.Rows, err = tx.DeadOf(cause, deadShown)
			}
		}
		if err != nil {
			return err
		}
		for _, e := range v.Rows {
			orders = append(orders, e.OrderID)
		}
		v.Numbers, err = orderNumbers(tx, orders)
		return err
	})
	if err != nil {
		return err
	}
	tab := func(label, name string, c store.Capped) tabView {
		t := tabView{Label: label, Href: "/effects?tab=" + name, Current: v.Tab == name}
		if c.N > 0 {
			t.Count = capped(c)
		}
		return t
	}
	v.Tabs = []tabView{tab("Dead letters", "dead", n.DeadEffects), tab("Waiting", "waiting", n.WaitingEffects), tab("Quarantined events", "quarantine", n.Quarantined)}
	if v.Page, err = c.frame(w, r, "Effects", "Effects"); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, effectsPage(v))
}

// lettersShown is how many letters a preview writes out.
const lettersShown = 3

// maxQuarantined is how many quarantined events the page lists.
const maxQuarantined = 100

// decideAgain shows the quarantined events that would be decided again; with confirm it
// decides them, the oldest first, and says what became of each.
func (c *Console) decideAgain(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(err, fault.Invalid, "console.decideAgain", "the form could not be read")
	}
	if c.Replay == nil {
		return fault.New(fault.Unavailable, "console.decideAgain", "events cannot be decided again on this server")
	}
	ids := slices.Compact(slices.Sorted(slices.Values(r.PostForm["id"]))) // they were minted in the order of their arrival
	if len(ids) == 0 {
		return c.back(w, r, "/effects?tab=quarantine", ui.Flash{Meaning: ui.Attention, Text: "Select events first."})
	}
	if len(ids) > maxQuarantined {
		return fault.New(fault.Invalid, "console.decideAgain", "at most %d events are decided again at once", maxQuarantined)
	}
	v := effectsView{Tab: "quarantine", Again: &againView{}}
	err := c.Read.View(r.Context(), func(tx *store.Tx) error {
		for _, id := range ids {
			e, err := tx.EventByID(id)
			if err != nil {
				return err
			}
			v.Again.Rows = append(v.Again.Rows, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if r.PostFormValue("confirm") == "yes" {
		v.Again.Done = make(map[string]Outcome, len(ids))
		for _, id := range ids {
			out, err := c.Replay.DecideAgain(r.Context(), id)
			if fault.KindOf(err) == fault.Conflict {
				out, err = Outcome{EventID: id, Status: "duplicate", Reason: "it was decided before"}, nil
			}
			if err != nil {
				return err
			}
			v.Again.Done[id] = out
		}
	}
	return c.showEffects(w, r, v, "")
}

// replay shows what would be tried again; with confirm it does it.
func (c *Console) replay(w http.ResponseWriter, r *http.Request) error {
	const op = "console.replay"
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(err, fault.Invalid, op, "the form could not be read")
	}
	if c.Replay == nil {
		return fault.New(fault.Unavailable, op, "effects cannot be tried again on this server")
	}
	ids, cause := r.PostForm["id"], r.PostFormValue("cause")
	switch {
	case len(ids) == 0 && cause == "":
		return c.back(w, r, "/effects", ui.Flash{Meaning: ui.Attention, Text: "Select effects first."})
	case len(ids) > bulkCap:
		return fault.New(fault.Invalid, op, "at most %d effects are tried again at once", bulkCap)
	case r.PostFormValue("confirm") != "yes":
		return c.previewReplay(w, r, ids, cause)
	}
	u, _ := access.UserFrom(r.Context())
	by := store.Replay{Actor: u.Email, Twice: r.PostFormValue("twice") == "yes"}
	var out ReplayOutcome
	var err error
	if cause != "" {
		out, err = c.Replay.ReplayCause(r.Context(), cause, by)
	} else {
		out, err = c.Replay.ReplayEffects(r.Context(), ids, by)
	}
	if fault.KindOf(err) == fault.NotFound { // somebody else was faster
		out, err = ReplayOutcome{}, nil
	}
	if err != nil {
		return err
	}
	return c.back(w, r, "/effects", replayedFlash(out))
}

func replayedFlash(out ReplayOutcome) ui.Flash {
	f := ui.Flash{Meaning: ui.Done, Text: ui.Plural(int64(out.Replayed), "effect", "effects") + " will be tried again."}
	if out.Replayed == 0 {
		f = ui.Flash{Meaning: ui.Neutral, Text: "None of them was dead any more; nothing was changed."}
	}
	if out.Withheld > 0 {
		f.Meaning = ui.Attention
		f.Text = fmt.Sprintf("%s will be tried again; %s may have arrived and stay here until you say that they may arrive twice.",
			ui.Plural(int64(out.Replayed), "effect", "effects"), ui.Number(int64(out.Withheld)))
	}
	return f
}

// previewReplay shows what would leave, and what of it may have arrived.
func (c *Console) previewReplay(w http.ResponseWriter, r *http.Request, ids []string, cause string) error {
	u, _ := access.UserFrom(r.Context())
	p := &replayPreview{Cause: cause, Key: onceKey(), Personal: access.Can(u.Role, access.SeePersonal)}
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if cause != "" {
			p.Rows, err = tx.DeadOf(cause, store.DeadCap)
			return err
		}
		p.Rows, err = tx.EffectRows(ids)
		return err
	})
	if err != nil {
		return err
	}
	if len(p.Rows) == 0 {
		return c.back(w, r, "/effects", replayedFlash(ReplayOutcome{}))
	}
	p.N = int64(len(p.Rows))
	for _, e := range p.Rows {
		if e.Unsure {
			p.Unsure++
		}
	}
	// The doubtful ones first: they are what a person has to judge.
	slices.SortStableFunc(p.Rows, func(a, b store.EffectRow) int {
		switch {
		case a.Unsure == b.Unsure:
			return 0
		case a.Unsure:
			return -1
		}
		return 1
	})
	var look []string
	for _, e := range p.Rows[:min(len(p.Rows), lettersShown)] {
		look = append(look, e.ID)
	}
	if p.Letters, err = c.Replay.PreviewEffects(r.Context(), look); err != nil {
		return err
	}
	var orders []string
	for _, l := range p.Letters {
		orders = append(orders, l.Effect.OrderID)
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) { p.Numbers, err = orderNumbers(tx, orders); return err })
	if err != nil {
		return err
	}
	slices.SortFunc(p.Letters, func(a, b Letter) int { return slices.Index(look, a.Effect.ID) - slices.Index(look, b.Effect.ID) })
	return c.showEffects(w, r, effectsView{Tab: "dead", Preview: p}, cause)
}

// letterTitle names a letter in a preview.
func letterTitle(l Letter, numbers map[string]string) string {
	s := title(l.Effect.Purpose) + " to " + l.Effect.Destination
	if n := numbers[l.Effect.OrderID]; n != "" {
		s += ", order " + n
	}
	if l.Subject != "" {
		s += ": " + l.Subject
	}
	return s
}

func moneyWords(as []money.Amount) string {
	var parts []string
	for _, a := range as {
		parts = append(parts, ui.Amount(a)+" "+a.Currency)
	}
	return strings.Join(parts, ", ")
}

// touches says which orders the dead letters of a cause are about.
func touches(g *store.DeadGroup) string {
	s := ui.Plural(g.Orders, "order", "orders")
	if len(g.Money) > 0 {
		s += ", worth " + moneyWords(g.Money)
	}
	return s
}

func causeHref(g *store.DeadGroup) string { return "/effects?tab=dead&cause=" + queryEscape(g.Cause) }

func purposes(g *store.DeadGroup) string {
	var out []string
	for _, p := range g.Purposes {
		out = append(out, title(p))
	}
	return strings.Join(out, ", ")
}

// unsureWords say how many may have arrived.
func unsureWords(n, all int64) string {
	switch {
	case all == 1:
		return "It may have arrived: the last answer never came."
	case n == all:
		return "All of them may have arrived: an answer never came."
	case n == 1:
		return "One of them may have arrived: an answer never came."
	}
	return ui.Number(n) + " of them may have arrived: an answer never came."
}
