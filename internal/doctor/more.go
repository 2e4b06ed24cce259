package doctor

import (
	"encoding/json"
	"fmt"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/store"
)

// file lets SQLite check its own pages; PostgreSQL looks after its own.
func (c *checker) file() error {
	if c.tx.Engine() != "sqlite" {
		return nil
	}
	sound := c.law("file-is-sound", "the pages of the database file are whole")
	return c.tx.Each(func(scan func(...any) error) error {
		var said string
		err := scan(&said)
		sound.checked(1)
		if said != "ok" {
			sound.offend("%s", said)
		}
		return err
	}, "PRAGMA quick_check(1)")
}

// summary is the part of an order's document that its columns repeat.
type summary struct {
	ID, Channel, Number, CustomerID, Currency, Payment string
	State                                              order.State
	Mode                                               event.Mode
	Rev                                                int64
	Total, Captured, Refunded                          money.Amount
}

// columns compares what lists filter by with the documents that pages show.
func (c *checker) columns() error {
	agree := c.law("order-columns", "what lists know of an order is what its document says")
	return c.tx.Each(func(scan func(...any) error) error {
		var col, doc summary
		var text string
		err := scan(&col.ID, &col.Channel, &col.Number, &col.CustomerID, &col.Currency, &col.Payment, &col.State, &col.Mode, &col.Rev,
			&col.Total.Minor, &col.Captured.Minor, &col.Refunded.Minor, &text)
		if err != nil {
			return err
		}
		agree.checked(1)
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			agree.offend("order %s: its document cannot be read", col.ID)
			return nil
		}
		col.Total.Currency, col.Captured.Currency, col.Refunded.Currency = doc.Total.Currency, doc.Captured.Currency, doc.Refunded.Currency
		if col != doc {
			agree.offend("order %s: columns %v, document %v", col.ID, col, doc)
		}
		return nil
	}, `SELECT id, channel, number, customer_id, currency, payment, state, mode, rev, total, captured, refunded, doc FROM orders ORDER BY id`)
}

// due looks for effects that would wait for ever: they are found by their due time, and retries are hours apart.
func (c *checker) due() error {
	waits := c.law("effect-comes-due", "every waiting effect is due within a month")
	if err := c.count(waits, "SELECT count(*) FROM effect WHERE state IN ('pending', 'claimed')"); err != nil {
		return err
	}
	return c.offences(waits, "far too late is effect", `SELECT id AS name, due AS place FROM effect WHERE state IN ('pending', 'claimed') AND due > $1`,
		c.tx.Now().AddDate(0, 1, 0))
}

// policy compares the texts in force with their hashes.
func (c *checker) policy() error {
	same := c.law("policy-is-as-applied", "the texts of the policy are what their hashes say, and all are there")
	err := c.tx.Each(func(scan func(...any) error) error {
		var hash, kind, name, text string
		err := scan(&hash, &kind, &name, &text)
		same.checked(1)
		if store.HashText(text) != hash {
			same.offend("%s %s was changed after it was applied", kind, name)
		}
		return err
	}, "SELECT hash, kind, name, text FROM policy_text ORDER BY hash")
	if err != nil {
		return err
	}
	rev, _, err := c.tx.CurrentPolicy()
	if err != nil {
		return err
	}
	if _, err := c.tx.Policy(rev); err != nil {
		same.offend("revision %d: %v", rev, err)
	}
	return nil
}

// sealedSample is how many of the newest orders are opened: enough to notice a wrong key file at once.
const sealedSample = 200

// sealed opens personal data with its key.
func (c *checker) sealed() error {
	if c.keys == nil {
		return nil
	}
	opens := c.law("personal-data-opens", "the personal data of the newest orders opens with the shop's key")
	return c.tx.Each(func(scan func(...any) error) error {
		var id, customer, sealed, key string
		if err := scan(&id, &customer, &sealed, &key); err != nil {
			return err
		}
		opens.checked(1)
		if _, err := c.keys.Open(customer, key, sealed); err != nil {
			opens.offend("order %s", id)
		}
		return nil
	}, `SELECT o.id, o.customer_id, o.sealed, COALESCE(c.key, '') FROM orders o LEFT JOIN customer c ON c.id = o.customer_id
		WHERE o.sealed <> '' ORDER BY o.placed_at DESC, o.id DESC LIMIT $1`, sealedSample)
}

// quarantine breaks no law: the events are kept, and somebody was told. It is
// reported, because what they should have done has not happened.
func (c *checker) quarantine() error {
	kept := c.law("quarantine", "events that could not be decided are kept and wait for a person")
	err := c.count(kept, "SELECT count(*) FROM event WHERE state = 'quarantined'")
	if n := c.laws[kept.at].Checked; n > 0 {
		c.laws[kept.at].Advice = fmt.Sprintf("%d events could not be decided: orderly events quarantined lists them with the reasons, orderly events replay ID tries again.", n)
	}
	return err
}
