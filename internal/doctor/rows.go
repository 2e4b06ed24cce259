package doctor

import (
	"encoding/json"
	"errors"

	"orderly.example/orderly/internal/effect"
	"orderly.example/orderly/internal/store"
)

// offences notes the first of the offenders a query finds, which gives them as name and place.
// It looks for all of them first: PostgreSQL takes one row out of a join for cheap whatever has to be read for it, and where
// there is no offender it then walks one table whole for each row of another.
func (c *checker) offences(l law, what, query string, args ...any) error {
	var name string
	err := c.tx.QueryRow("WITH offender AS MATERIALIZED ("+query+") SELECT name FROM offender ORDER BY place LIMIT 1", args...).Scan(&name)
	switch {
	case errors.Is(err, store.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	l.offend("%s %s", what, name)
	return nil
}

func (c *checker) count(l law, query string) error {
	var n int64
	err := c.tx.QueryRow(query).Scan(&n)
	l.checked(n)
	return err
}

// events looks at the log and at the identities.
func (c *checker) events() error {
	once := c.law("event-once", "every identity (source, id) has exactly one event, and every event that came in has its identity")
	if err := c.count(once, "SELECT count(*) FROM event_key"); err != nil {
		return err
	}
	for _, q := range []struct{ what, query string }{
		{"no event is kept for the identity", `SELECT k.source || ' ' || k.id AS name, k.source || ' ' || k.id AS place FROM event_key k LEFT JOIN event e ON e.id = k.event_id
			WHERE e.id IS NULL`},
		{"another identity is kept for event", `SELECT e.id AS name, e.seq AS place FROM event e JOIN event_key k ON k.event_id = e.id
			WHERE k.source <> e.source OR k.id <> e.key`},
		{"no identity is kept for event", `SELECT e.id AS name, e.seq AS place FROM event e LEFT JOIN event_key k ON k.source = e.source AND k.id = e.key
			WHERE e.depth = 0 AND k.id IS NULL`},
	} {
		if err := c.offences(once, q.what, q.query); err != nil {
			return err
		}
	}
	caused := c.law("event-has-its-cause", "an event that follows from another names it")
	if err := c.count(caused, "SELECT count(*) FROM event WHERE depth > 0"); err != nil {
		return err
	}
	return c.offences(caused, "the cause is missing of event", `SELECT e.id AS name, e.seq AS place FROM event e LEFT JOIN event c ON c.id = e.cause
		WHERE e.depth > 0 AND c.id IS NULL`)
}

// effects looks at what left or must leave.
func (c *checker) effects() error {
	once := c.law("effect-once", "every intent is one effect, whose id follows from its key")
	seen := map[string]bool{}
	err := c.tx.Each(func(scan func(...any) error) error {
		var id, key, orderID string
		if err := scan(&id, &key, &orderID); err != nil {
			return err
		}
		once.checked(1)
		if effect.ID(key, orderID) != id {
			once.offend("effect %s has the key %s, which has another id", id, key)
		}
		if seen[key] {
			once.offend("the key %s has two effects", key)
		}
		seen[key] = true
		return nil
	}, "SELECT id, key, order_id FROM effect ORDER BY id")
	if err != nil {
		return err
	}
	message := c.law("message-once", "one mail per customer, purpose and subject")
	if err := c.count(message, "SELECT count(*) FROM effect WHERE kind = 'mail' AND customer_id <> ''"); err != nil {
		return err
	}
	mails := map[string]string{}
	err = c.tx.Each(func(scan func(...any) error) error {
		var id, key, customer, purpose, orderID, payload string
		if err := scan(&id, &key, &customer, &purpose, &orderID, &payload); err != nil {
			return err
		}
		var p struct{ Recipient string }
		if err := json.Unmarshal([]byte(payload), &p); err != nil {
			message.offend("the payload of effect %s cannot be read", id)
			return nil
		}
		if p.Recipient != "customer" {
			return nil
		}
		// The key names purpose and subject; two effects of one key are told above, so here the same
		// purpose and subject under two customers would be the offence.
		if other, ok := mails[key]; ok && other != customer {
			message.offend("the mail %s goes to two customers", key)
		}
		mails[key] = customer
		return nil
	}, "SELECT id, key, customer_id, purpose, order_id, payload FROM effect WHERE kind = 'mail' AND customer_id <> '' ORDER BY id")
	if err != nil {
		return err
	}
	history := c.law("history-has-no-effects", "an event of the past makes nothing leave")
	if err := c.count(history, "SELECT count(*) FROM effect"); err != nil {
		return err
	}
	if err := c.offences(history, "an event of the past caused effect", `SELECT f.id AS name, f.id AS place FROM effect f JOIN event e ON e.id = f.event_id
		WHERE e.mode = 'history'`); err != nil {
		return err
	}
	caused := c.law("effect-has-its-cause", "every effect names the event that caused it, and a finished one was attempted")
	if err := c.count(caused, "SELECT count(*) FROM effect"); err != nil {
		return err
	}
	if err := c.offences(caused, "no event is known for effect", `SELECT f.id AS name, f.id AS place FROM effect f LEFT JOIN event e ON e.id = f.event_id
		WHERE e.id IS NULL`); err != nil {
		return err
	}
	return c.offences(caused, "nobody attempted the finished effect", "SELECT id AS name, id AS place FROM effect WHERE state = 'done' AND attempts = 0")
}

// tasks looks at people's work.
func (c *checker) tasks() error {
	held := c.law("held-orders-have-a-review", "a held order waits for somebody: it has an open review task")
	if err := c.count(held, "SELECT count(*) FROM orders WHERE state = 'held'"); err != nil {
		return err
	}
	if err := c.offences(held, "nobody is asked about held order", `SELECT o.id AS name, o.id AS place FROM orders o WHERE o.state = 'held' AND NOT EXISTS (
		SELECT 1 FROM task t WHERE t.order_id = o.id AND t.kind = 'review' AND t.state IN ('open', 'asked'))`); err != nil {
		return err
	}
	waits := c.law("waiting-orders-wait", "who waits for units is an order that lacks them")
	if err := c.count(waits, "SELECT count(*) FROM stock_wait"); err != nil {
		return err
	}
	return c.offences(waits, "nothing is missing of waiting order", `SELECT w.order_id AS name, w.order_id AS place FROM stock_wait w LEFT JOIN orders o ON o.id = w.order_id
		WHERE o.id IS NULL OR o.state IN ('completed', 'cancelled', 'shipped', 'ready')`)
}
