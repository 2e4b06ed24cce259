package order

import "time"

// Fires counts how often an automation fired on the order since a moment.
type Fires struct {
	Automation string
	Since      time.Time
	N          int
}

// Fire counts one more firing of an automation and returns how many there were
// within an hour of the first; counts that are older are forgotten.
func (o *Order) Fire(automation string, at time.Time) int {
	kept := o.Fires[:0]
	n := 0
	for _, f := range o.Fires {
		if at.Sub(f.Since) >= time.Hour {
			continue
		}
		if f.Automation == automation {
			f.N++
			n = f.N
		}
		kept = append(kept, f)
	}
	o.Fires = kept
	if n == 0 {
		n = 1
		o.Fires = append(o.Fires, Fires{Automation: automation, Since: at, N: 1})
	}
	return n
}
