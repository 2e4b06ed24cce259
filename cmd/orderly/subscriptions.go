package main

import (
	"fmt"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/store"
	"orderly.example/orderly/internal/watch"
)

// subscriptions expects of the senders what their connections say. A sender that has dropped its subscription does not tell, and a signed
// webhook gives no way to ask it: that nothing comes is all there is to notice.
func (s *shop) subscriptions() watch.State {
	return watch.State{
		Name: "subscriptions", Title: "Senders deliver as often as their connections say", About: "Of each inbound connection that says how often it delivers at least.",
		Look: func(tx *store.Tx, ask watch.Ask) ([]watch.Breach, error) {
			rows, err := tx.Connections()
			var out []watch.Breach
			for _, row := range rows {
				c, _, err := readConnection(s.keys, row)
				if err != nil || row.Kind != kindInbound || c.Expect == "" {
					continue // one that cannot be read fails where it is used
				}
				e, err := automation.ParseExpect(c.Expect)
				if err != nil || ask.Now.Sub(row.Updated) < e.Window() || ask.Now.Sub(ask.Up) < min(e.Window(), 24*time.Hour) {
					continue // what came while the program did not run is not held against the sender
				}
				name := watch.Connection + ":" + row.Name
				n, last := ask.Came(name, e.Window())
				if n >= e.AtLeast {
					continue
				}
				seen := "nothing has ever come"
				if !last.IsZero() {
					seen = "the last came " + last.UTC().Format("2006-01-02 15:04 MST")
				}
				out = append(out, watch.Breach{
					Subject: watch.SilentSubject(name), Title: "Less comes from " + row.Name + " than its connection says", Since: ask.Now, Symptoms: []string{"subscriptions"},
					Detail: fmt.Sprintf("%d events within the last %s, and at least %d are expected; %s", n, e.Per, e.AtLeast, seen),
					Next: "Look in the sender's own settings whether its subscription to /hooks/" + row.Name + " is still there: many shops drop one whose deliveries failed for a while. " +
						"Then look at its log of deliveries, and whether it signs with the secret of the connection.",
				})
			}
			return out, err
		},
	}
}

// heard names the rates whose silence is noticed: those that were learned, and those of the senders that say how often they deliver.
func (s *shop) heard(tx *store.Tx, pol *decide.Policy, now time.Time) ([]string, error) {
	out, err := watch.KnownRates(tx, pol, now)
	if err != nil {
		return nil, err
	}
	rows, err := tx.Connections()
	for _, row := range rows {
		if c, _, err := readConnection(s.keys, row); err == nil && row.Kind == kindInbound && c.Expect != "" {
			out = append(out, watch.Connection+":"+row.Name)
		}
	}
	return out, err
}
