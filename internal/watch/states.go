package watch

import (
	"fmt"
	"strings"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// States are the expectations that every shop has about how things stand.
func States() []State {
	return []State{
		stuckOrders("orders-ready", order.Ready, 2*24*time.Hour, "",
			"Paid orders leave within 2 days", "wait to be shipped",
			"Look whether the warehouse gets the requests (page Effects) and answers them with shipment.shipped."),
		stuckOrders("orders-partly-shipped", order.PartiallyShipped, 5*24*time.Hour, "",
			"The rest of an order follows within 5 days", "are shipped in part only",
			"Look what the missing parcels wait for."),
		stuckOrders("parcels-silent", order.Shipped, 7*24*time.Hour, "shipment.delivered",
			"Parcels are heard of within 7 days", "are on their way and nothing is heard of their parcels",
			"Ask the carrier, and look whether its scans still come in."),
		{
			Name: "tasks-late", Title: "Tasks are decided within an hour of their deadline",
			About: "Every task with a deadline; one incident for each queue.", Look: lateTasks,
		},
		{
			Name: "failing", Title: "Destinations take what is sent to them",
			About: "At least 10 attempts within an hour, and more than half of them failed.", Look: failing,
		},
		{
			Name: "stalled", Title: "Nothing waits for more than 15 minutes to leave",
			About: "The oldest waiting effect of each destination.", Look: stalled,
		},
		{
			Name: "owner", Title: "Every automation has an owner who can be told",
			About: "The account of an owner is closed.", Look: orphans,
		},
		{
			Name: "tokens", Title: "Tokens are replaced before they end",
			About: "A token that is in use ends within 7 days.", Look: endingTokens,
		},
		{
			Name: "lag", Title: "Orders arrive soon after they are placed",
			About: "Of at least 5 orders that a source sent within an hour, more than half had been placed over an hour before.", Look: lagging,
		},
		{
			Name: "audit-seal", Title: "The audit log is sealed every minute",
			About: "The oldest record that is not sealed is older than 10 minutes.", Look: unsealed,
		},
		{
			Name: "slots", Title: "Replicas keep up with the database", About: "No replication slot of the PostgreSQL server keeps 1 GB of its log, or has lost its place in it.", Look: heldBack,
		},
	}
}

// shown is how many cases an incident lists.
const shown = 10

// stuckOrders expects that something happens to an order in a state within a time, in
// shops that use an event ("" = in all).
func stuckOrders(name string, state order.State, after time.Duration, uses, title, what, next string) State {
	return State{
		Name: name, Title: title, About: "Live orders in the state " + strings.ReplaceAll(string(state), "_", " ") + " to which nothing has happened for so long.",
		Look: func(tx *store.Tx, ask Ask) ([]Breach, error) {
			if uses != "" && !ask.Uses(uses) {
				return nil, nil
			}
			some, all, sums, err := tx.StuckOrders(state, ask.Now.Add(-after), shown)
			if err != nil || all == 0 {
				return nil, err
			}
			b := Breach{
				Subject: name, Title: fmt.Sprintf("%d orders %s", all, what), Impact: moneyText(all, sums), Next: next, Since: some[0].Since.Add(after),
				Detail: fmt.Sprintf("Nothing has happened to them for more than %s; the oldest is %s", days(after), some[0].Number),
			}
			if all == 1 {
				b.Title = "An order is stuck: " + some[0].Number
			}
			for _, o := range some {
				b.Orders = append(b.Orders, o.ID)
				b.Evidence = append(b.Evidence, fmt.Sprintf("%s (%s): nothing since %s", o.Number, o.Total, ask.Local(o.Since).Format("2006-01-02 15:04 MST")))
				if o.Since.Add(after).Before(b.Since) {
					b.Since = o.Since.Add(after)
				}
			}
			return []Breach{b}, nil
		},
	}
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", int(d.Hours()/24)) }

func lateTasks(tx *store.Tx, ask Ask) ([]Breach, error) {
	qs, err := tx.LateQueues(ask.Now.Add(-time.Hour))
	var out []Breach
	for _, q := range qs {
		out = append(out, Breach{
			Subject: "tasks-late:" + q.Queue, Title: "Tasks in the queue " + q.Queue + " are late", Since: q.Oldest,
			Detail: fmt.Sprintf("%d tasks are more than an hour past their deadline; the oldest was due %s", q.Late, ask.Local(q.Oldest).Format("2006-01-02 15:04 MST")),
			Next:   "Work the queue on the page Review, or give its tasks to somebody who can.",
		})
	}
	return out, err
}

// stallAfter is the age of the oldest waiting effect at which an incident opens.
const stallAfter = 15 * time.Minute

func stalled(tx *store.Tx, ask Ask) ([]Breach, error) {
	rows, err := store.StalledEffects(tx, ask.Now.Add(-stallAfter))
	var out []Breach
	for _, s := range rows {
		out = append(out, Breach{
			Subject: "stalled:" + s.Destination, Title: "Nothing leaves for " + s.Destination, Since: s.Oldest, Symptoms: []string{event.DestinationSubject(s.Destination)},
			Detail: "The oldest waiting message is from " + ask.Local(s.Oldest).Format("2006-01-02 15:04 MST"),
			Next:   "Check the connection under Settings, then look at the page Effects.",
		})
	}
	return out, err
}

// Refused is the purpose of the tallies that count what a sender delivered and was refused for its signature; their destination is the connection.
const Refused = "refused-delivery"

func failing(tx *store.Tx, ask Ask) ([]Breach, error) {
	ts, err := tx.Tallies(ask.Now.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	type sum struct {
		done, failed int64
		last         string
		since        time.Time
	}
	by := map[string]*sum{}
	var order []string
	for _, t := range ts {
		if t.Purpose == Refused {
			continue // that came in
		}
		s := by[t.Destination]
		if s == nil {
			s = &sum{since: t.At}
			by[t.Destination] = s
			order = append(order, t.Destination)
		}
		s.done += t.Done
		s.failed += t.Failed
		if t.LastError != "" {
			s.last = t.LastError
		}
	}
	var out []Breach
	for _, dest := range order {
		s := by[dest]
		if s.done+s.failed < 10 || s.failed*2 <= s.done+s.failed {
			continue
		}
		out = append(out, Breach{
			Subject: "failing:" + dest, Title: "Most of what is sent to " + dest + " fails", Since: s.since, Symptoms: []string{event.DestinationSubject(dest)},
			Detail: fmt.Sprintf("%d of %d attempts within the last hour failed; the last error was: %s", s.failed, s.done+s.failed, s.last),
			Next:   "Mend the destination. What failed is tried again by itself; what was given up is replayed on the page Effects.",
		})
	}
	return out, nil
}

// orphans finds automations whose owner's account is closed: nobody would be told when one goes wrong.
func orphans(tx *store.Tx, ask Ask) ([]Breach, error) {
	users, err := tx.Users()
	if err != nil {
		return nil, err
	}
	closed := map[string]bool{}
	for _, u := range users {
		closed[u.Email] = u.Disabled
	}
	var out []Breach
	for _, a := range ask.Policy.Automations.All() {
		if closed[strings.ToLower(a.Owner)] {
			out = append(out, Breach{
				Subject: "owner:" + a.Name, Title: "The automation " + a.Name + " has no owner any more", Since: ask.Now,
				Detail: "The account of its owner " + a.Owner + " is closed, so nobody is told when it goes wrong",
				Next:   "Give it another owner on its page under Automations.",
			})
		}
	}
	return out, nil
}

// endingTokens finds tokens that somebody uses and that are about to end: what sends with them would stop.
func endingTokens(tx *store.Tx, ask Ask) ([]Breach, error) {
	ts, err := tx.Tokens()
	var out []Breach
	for _, t := range ts {
		if t.Revoked || t.Expires.IsZero() || t.Expires.Before(ask.Now) || t.Expires.Sub(ask.Now) > 7*24*time.Hour || ask.Now.Sub(t.LastUsed) > 7*24*time.Hour {
			continue
		}
		out = append(out, Breach{
			Subject: "tokens:" + t.Name, Title: "The token " + t.Name + " ends soon", Since: ask.Now,
			Detail: "It ends " + ask.Local(t.Expires).Format("2006-01-02 15:04 MST") + " and was used " + ask.Local(t.LastUsed).Format("2006-01-02 15:04 MST") + "; what uses it will be refused then",
			Next:   "Make another token under Settings, give it to whoever uses this one, and revoke this one.",
		})
	}
	return out, err
}

// lagging finds sources whose orders come late: a sender that catches up, or one whose queue grows.
func lagging(tx *store.Tx, ask Ask) ([]Breach, error) {
	ls, err := tx.LateArrivals(ask.Now.Add(-time.Hour), time.Hour)
	var out []Breach
	for _, l := range ls {
		if l.N < 5 || 2*l.Late <= l.N {
			continue
		}
		out = append(out, Breach{
			Subject: "lag:" + l.Source, Title: "Orders from " + l.Source + " arrive late", Since: ask.Now,
			Detail: fmt.Sprintf("%d of the %d orders of the last hour had been placed more than an hour before they arrived; the most late one by %s",
				l.Late, l.N, l.Most.Round(time.Minute)),
			Next: "Look at the sender's own queue of webhooks: does it retry what failed, or does it send in batches? It is over when half of an hour's orders are in time.",
		})
	}
	return out, err
}

// sealWithin is how old a record of the audit log may be before it is sealed.
const sealWithin = 10 * time.Minute

// unsealed finds an audit log that nobody seals: until then its newest records could be changed unseen.
func unsealed(tx *store.Tx, ask Ask) ([]Breach, error) {
	n, oldest, err := tx.Unsealed()
	if err != nil || n == 0 || ask.Now.Sub(oldest) < sealWithin || ask.Now.Sub(ask.Up) < sealWithin {
		return nil, err
	}
	return []Breach{{
		Subject: "audit-seal", Title: "The audit log is not sealed any more", Since: oldest.Add(sealWithin),
		Detail:   fmt.Sprintf("%d records wait to be sealed, the oldest since %s", n, ask.Local(oldest).Format("2006-01-02 15:04 MST")),
		Evidence: []string{"each minute one node seals what is new; nothing protects these records from being changed until it does"},
		Next:     "Look for \"the audit log could not be sealed\" in the log of the server, and run orderly audit verify.",
	}}, nil
}
