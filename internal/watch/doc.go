// Package watch turns silence into incidents. What should happen is an expectation: a rate
// that was learned from the shop's own history, a rate that an automation
// declares, or a state that must not last. Once a minute one node of the fleet
// looks at all of them:
//
//	events and tallies since the last turn ──▶ Book: what is known of every rate   (pure)
//	rates, declared rates, states          ──▶ breaches                            (states read the store)
//	breaches                               ──▶ one for each cause                  (pure)
//	against what was broken a minute ago   ──▶ incident.raised, incident.recovered ──▶ the engine
//
// Adding an expectation is a declaration: an event type, a connection, an automation or a
// message is watched because it happens; a state is one entry of a list (see [State]),
// which stands beside the feature it belongs to and is handed over in [Options].
package watch
