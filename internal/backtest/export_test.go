package backtest

import "orderly.example/orderly/internal/decide"

// Watch calls fn for every event that candidates were asked about, with the whole
// answer and with the outcomes that the report counts.
func (o *Options) Watch(fn func(id, typ string, said, counted []decide.Considered, facts decide.Facts)) {
	o.watch = func(e *Entry, r *tally) error {
		for i := range e.asked {
			a := &e.asked[i]
			d, err := r.whole(e, a)
			if err != nil {
				return err
			}
			var counted []decide.Considered
			for _, s := range a.said {
				counted = append(counted, decide.Considered{Name: r.on[d.Event.Type][s.i].Name, Outcome: s.outcome, Error: s.why})
			}
			fn(d.Event.ID, d.Event.Type, d.Trace.Automations, counted, d.Facts)
		}
		return nil
	}
}

// Wait returns when nothing runs in the background any more.
func (r *Runner) Wait() { r.wg.Wait() }
