package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/event"
)

// wakers are what may let waiting runs go on.
type wakers struct {
	timers map[string]bool
	asked  map[string]bool // tasks that somebody may still answer
	events map[string]bool // runs and orders with an event that is not decided yet
}

// runs looks at the firings that wait, and at those that waited.
func (c *checker) runs() error {
	agree := c.law("run-columns", "what lists know of a run is what its document says, and what has ended waits for nothing")
	wakes := c.law("run-wakes", "every waiting run has what lets it go on: a time, an open question, or an automation that acts again")
	w, err := c.wakers()
	if err != nil {
		return err
	}
	ended := map[string]automation.RunState{}
	heads, placed := map[string]runHead{}, map[string]string{} // run -> the one in whose place it is
	err = c.tx.Each(func(scan func(...any) error) error {
		var id, name, version, order, state, key, doc string
		var until, over int64
		var held int
		if err := scan(&id, &name, &version, &order, &state, &key, &until, &held, &over, &doc); err != nil {
			return err
		}
		agree.checked(1)
		r := &automation.Run{}
		if err := json.Unmarshal([]byte(doc), r); err != nil {
			agree.offend("run %s: its document cannot be read", id)
			return nil
		}
		waits := r.State == automation.RunWaiting
		if r.State == automation.RunFailed || r.Before != "" {
			heads[id] = runHead{name, version, r.State}
		}
		if r.Before != "" {
			placed[id] = r.Before
		}
		if r.ID != id || r.Automation != name || r.Version != version || r.OrderID != order || string(r.State) != state || r.Wait.Key != key ||
			(r.Held != nil) != (held == 1) || r.Wait.Until.IsZero() != (until == 0) || r.Ended.IsZero() != (over == 0) {
			agree.offend("run %s of %s: its columns say %s, its document %s", id, name, state, r.State)
		}
		open := 0
		for _, s := range r.Steps {
			if s.Ended.IsZero() {
				open++
			}
		}
		if waits != (len(r.At) > 0) || !waits && (open > 0 || r.Ended.Before(r.Started)) || waits && open != 1 && r.Left == 0 {
			agree.offend("run %s of %s is %s with %d steps that have not ended", id, name, r.State, open)
		}
		if !waits {
			ended[id] = r.State
			return nil
		}
		wakes.checked(1)
		if why := w.lacks(r); why != "" {
			wakes.offend("run %s of %s %s", id, name, why)
		}
		return nil
	}, "SELECT id, automation, version, order_id, state, wait_key, until, held, ended, doc FROM run ORDER BY id")
	if err != nil {
		return err
	}
	text := c.law("run-text", "the text that a run began with is kept, and the event")
	if err := c.count(text, "SELECT count(*) FROM run"); err != nil {
		return err
	}
	if err := c.offences(text, "the text is missing of run", `SELECT r.id AS name, r.id AS place FROM run r LEFT JOIN policy_text t ON t.hash = r.version
		WHERE t.hash IS NULL`); err != nil {
		return err
	}
	if err := c.offences(text, "no event is known for run", `SELECT r.id AS name, r.id AS place FROM run r LEFT JOIN event e ON e.id = r.event_id
		WHERE e.id IS NULL`); err != nil {
		return err
	}
	again := c.law("run-retries", "a run that was tried again failed, and the run in its place is on the same text")
	for id, before := range placed {
		again.checked(1)
		was := heads[before]
		if is := heads[id]; was.state != automation.RunFailed || was.version != is.version || was.name != is.name || id != event.Derive("run_", "retry", before) {
			again.offend("run %s is in the place of %s, which is %s", id, before, cmp.Or(string(was.state), "not known"))
		}
	}
	return c.runEnds(ended)
}

// runHead is what a run has in common with the one in its place.
type runHead struct {
	name, version string
	state         automation.RunState
}

// wakers reads what may let runs go on.
func (c *checker) wakers() (wakers, error) {
	w := wakers{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for to, query := range map[*map[string]bool]string{
		&w.timers: "SELECT id FROM timer WHERE type = 'run.due'",
		&w.asked:  "SELECT id FROM task WHERE state IN ('open', 'asked')",
		&w.events: "SELECT subject FROM event WHERE type = 'run.due' AND state <> 'decided'",
	} {
		err := c.tx.Each(func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			(*to)[id] = true
			return err
		}, query)
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

// lacks says what a waiting run waits for in vain, or "".
func (w wakers) lacks(r *automation.Run) string {
	woken := event.Derive("tmr_", "run.due", "woken:"+r.ID+":"+strconv.Itoa(r.Wait.N))
	switch {
	case r.Held != nil, w.timers[woken], w.events[r.ID], r.OrderID != "" && w.events[r.OrderID]:
		return "" // the watch looks at what is held; the others are on their way
	case r.Wait.Until.IsZero() && r.Wait.Task == "":
		return "waits for no time and asks nobody"
	case !r.Wait.Until.IsZero() && !w.timers[r.Wait.Timer]:
		return fmt.Sprintf("waits until %s, but no timer is set", r.Wait.Until.UTC().Format("2006-01-02 15:04:05 MST"))
	case r.Wait.Task != "" && !w.asked[r.Wait.Task]:
		return "waits for the answer to task " + r.Wait.Task + ", which nobody can give"
	}
	return ""
}

// runEnds follows the runs through the traces of the events that let them go on: after the end nothing comes.
func (c *checker) runEnds(ended map[string]automation.RunState) error {
	once := c.law("run-ends-once", "a run that has ended is never gone on with, and is what its last event made of it")
	last := map[string]automation.RunState{}
	err := c.tx.Each(func(scan func(...any) error) error {
		var seq int64
		var trace string
		if err := scan(&seq, &trace); err != nil || trace == "" {
			return err
		}
		var t struct {
			Runs []struct {
				ID    string              `json:"id"`
				State automation.RunState `json:"state"`
			} `json:"runs"`
		}
		if err := json.Unmarshal([]byte(trace), &t); err != nil {
			return nil // told of the orders' events already
		}
		for _, r := range t.Runs {
			once.checked(1)
			if was := last[r.ID]; was != "" && was != automation.RunWaiting {
				once.offend("event %d goes on with run %s, which was %s", seq, r.ID, was)
			}
			last[r.ID] = r.State
		}
		return nil
	}, `SELECT seq, trace FROM event WHERE state = 'decided' AND trace LIKE '%"runs":[%' ORDER BY seq`)
	if err != nil {
		return err
	}
	for id, state := range last {
		if is, over := ended[id]; over && is != state || !over && state != automation.RunWaiting {
			once.offend("run %s was left %s by its last event, but is %s", id, state, is)
		}
	}
	return nil
}
