package console

import (
	"net/http"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

func (c *Console) effects(w http.ResponseWriter, r *http.Request) error {
	v := effectsView{Tab: firstOf(r.URL.Query().Get("tab"), "dead")}
	return c.showEffects(w, r, v)
}

func (c *Console) showEffects(w http.ResponseWriter, r *http.Request, v effectsView) error {
	after := r.URL.Query().Get("after")
	u, _ := access.UserFrom(r.Context())
	v.First, v.CanAct = after == "", access.Can(u.Role, access.ReplayEffect) && c.Replay != nil
	var n store.Counts
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if n, err = tx.Counts(c.Now()); err != nil {
			return err
		}
		switch v.Tab {
		case "waiting":
			v.Rows, v.Next, err = tx.LiveEffects(after, 50)
		case "quarantine":
			v.Quarant, err = tx.QuarantinedEvents(100)
		default:
			v.Tab = "dead"
			v.Rows, v.Next, err = tx.DeadEffects(after, 50)
		}
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

// replay shows what would be tried again; with confirm it does it.
func (c *Console) replay(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(err, fault.Invalid, "console.replay", "the form could not be read")
	}
	if c.Replay == nil {
		return fault.New(fault.Unavailable, "console.replay", "effects cannot be tried again on this server")
	}
	ids := r.PostForm["id"]
	if len(ids) == 0 {
		return c.back(w, r, "/effects", ui.Flash{Meaning: ui.Attention, Text: "Select effects first."})
	}
	if len(ids) > bulkCap {
		return fault.New(fault.Invalid, "console.replay", "at most %d effects are tried again at once", bulkCap)
	}
	if r.PostFormValue("confirm") != "yes" {
		var rows []store.EffectRow
		if err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) { rows, err = tx.EffectRows(ids); return err }); err != nil {
			return err
		}
		return c.showEffects(w, r, effectsView{Tab: "dead", Preview: &replayPreview{Rows: rows, Key: onceKey()}})
	}
	u, _ := access.UserFrom(r.Context())
	n, err := c.Replay.ReplayEffects(r.Context(), ids, u.ID)
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done, Text: ui.Plural(int64(n), "effect", "effects") + " will be tried again."}
	if n == 0 {
		f = ui.Flash{Meaning: ui.Neutral, Text: "None of them was dead any more; nothing was changed."}
	}
	return c.back(w, r, "/effects", f)
}
