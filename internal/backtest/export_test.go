package backtest

import "orderly.example/orderly/internal/decide"

// Watch calls fn for every event that candidates were asked about.
func (o *Options) Watch(fn func(id, typ string, said []decide.Considered, facts decide.Facts)) {
	o.watch = func(e *Entry) {
		for _, a := range e.asked {
			fn(a.event.ID, a.event.Type, a.said, a.facts)
		}
	}
}
