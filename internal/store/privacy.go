package store

import (
	"strconv"
	"strings"
)

// What is kept about one customer outside of the sealed columns, and how it is destroyed.

// TextRow is one text that may say something about a customer.
type TextRow struct {
	Table, Column string
	ID            string // of the row
	Type          string // of the event, when it is one
	JSON          bool
	Text          string
}

// told are the columns in which texts about orders stand; with the condition that links
// a row to a customer's orders ($1) or to the customer ($2), "" when nothing does.
var told = []struct {
	table, column string
	json          bool
	link          string
}{
	{"event", "data", true, "(order_id = ANY($1) OR customer_id = $2)"},
	{"event", "facts", true, "(order_id = ANY($1) OR customer_id = $2)"},
	{"event", "trace", true, "(order_id = ANY($1) OR customer_id = $2)"},
	{"event", "reason", false, "(order_id = ANY($1) OR customer_id = $2)"},
	{"orders", "doc", true, "(id = ANY($1) OR customer_id = $2)"},
	{"task", "doc", true, "order_id = ANY($1)"},
	{"effect", "payload", true, "(order_id = ANY($1) OR customer_id = $2)"},
	{"effect", "last_error", false, "(order_id = ANY($1) OR customer_id = $2)"},
	{"effect", "receipt", false, "(order_id = ANY($1) OR customer_id = $2)"},
	{"run", "doc", true, "order_id = ANY($1)"},
	{"timer", "data", true, ""},
	{"saved_filter", "name", false, ""},
	{"saved_filter", "query", false, ""},
}

func (tx *Tx) toldRows(i int, where string, args []any) ([]TextRow, error) {
	t := told[i]
	typ := "''"
	if t.table == "event" {
		typ = "type"
	}
	var out []TextRow
	err := tx.Each(func(scan func(...any) error) error {
		r := TextRow{Table: t.table, Column: t.column, JSON: t.json}
		err := scan(&r.ID, &r.Type, &r.Text)
		out = append(out, r)
		return err
	}, "SELECT id, "+typ+", "+t.column+" FROM "+t.table+" WHERE "+t.column+" <> '' AND "+where, args...)
	return out, err
}

// TextsAbout returns every text that belongs to a customer's orders.
func (tx *Tx) TextsAbout(customerID string, orders []string) ([]TextRow, error) {
	var out []TextRow
	for i, t := range told {
		if t.link == "" {
			continue
		}
		args := []any{orders}
		if strings.Contains(t.link, "$2") {
			args = append(args, customerID)
		}
		rows, err := tx.toldRows(i, t.link, args)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// TextsWith returns every text, whatever it belongs to, that holds one of the values, in any case of letters.
func (tx *Tx) TextsWith(values []string) ([]TextRow, error) {
	var out []TextRow
	for i, t := range told {
		where, args := holds(t.column, values)
		if where == "" {
			return nil, nil
		}
		rows, err := tx.toldRows(i, where, args)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// holds is the condition that a column holds one of the values.
func holds(column string, values []string) (string, []any) {
	var conds []string
	var args []any
	for _, v := range values {
		args = append(args, "%"+likeEscape(strings.ToLower(v))+"%")
		conds = append(conds, "lower("+column+") LIKE $"+strconv.Itoa(len(args))+` ESCAPE '\'`)
	}
	if len(conds) == 0 {
		return "", nil
	}
	return "(" + strings.Join(conds, " OR ") + ")", args
}

// PutText writes a text in the place of the one that TextsAbout or TextsWith has returned.
func (tx *Tx) PutText(r TextRow, text string) error {
	for _, t := range told { // the names go into the statement, so they come from here only
		if t.table == r.Table && t.column == r.Column {
			return tx.later("UPDATE "+t.table+" SET "+t.column+" = $1 WHERE id = $2", text, r.ID)
		}
	}
	return errNUL // never: the rows come from the list
}

// CustomerSealed returns every sealed text of a customer: of their orders and of the events that brought them.
func (tx *Tx) CustomerSealed(customerID string) ([]string, error) {
	var out []string
	err := tx.Each(func(scan func(...any) error) error {
		var s string
		err := scan(&s)
		out = append(out, s)
		return err
	}, `SELECT sealed FROM orders WHERE customer_id = $1 AND sealed <> '' UNION SELECT sealed FROM event WHERE customer_id = $1 AND sealed <> ''`, customerID)
	return out, err
}

// OrdersOf returns the ids of a customer's orders, and of those that events of the customer name.
func (tx *Tx) OrdersOf(customerID string) ([]string, error) {
	var out []string
	err := tx.Each(func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		out = append(out, id)
		return err
	}, `SELECT id FROM orders WHERE customer_id = $1 UNION SELECT order_id FROM event WHERE customer_id = $1 AND order_id <> '' ORDER BY 1`, customerID)
	return out, err
}

// SearchWords returns the words under which a customer is found.
func (tx *Tx) SearchWords(customerID string) ([]string, error) {
	var out []string
	err := tx.Each(func(scan func(...any) error) error {
		var w string
		err := scan(&w)
		out = append(out, w)
		return err
	}, "SELECT term FROM customer_search WHERE customer_id = $1 ORDER BY term", customerID)
	return out, err
}

// ForgetCustomer destroys a customer's key, every sealed copy, the words of the search,
// and the marks under which their orders were counted together, and withdraws what has
// not left. Freed pages are overwritten where the engine can.
func (tx *Tx) ForgetCustomer(customerID string, orders []string) error {
	if err := tx.overwriteFreed(); err != nil {
		return err
	}
	for _, sql := range []string{
		"UPDATE customer SET key = '' WHERE id = $1",
		"UPDATE orders SET sealed = '' WHERE customer_id = $1 AND sealed <> ''",
		"UPDATE event SET sealed = '' WHERE customer_id = $1 AND sealed <> ''",
		"DELETE FROM customer_search WHERE customer_id = $1",
	} {
		if _, err := tx.Exec(sql, customerID); err != nil {
			return err
		}
	}
	for _, sql := range []string{
		"DELETE FROM velocity WHERE ref = ANY($1)",
		"UPDATE effect SET state = 'cancelled' WHERE order_id = ANY($1) AND state IN ('pending', 'dead') AND kind = 'mail'",
	} {
		if _, err := tx.Exec(sql, orders); err != nil {
			return err
		}
	}
	return nil
}

// Holding is a column that holds a text somewhere.
type Holding struct {
	Table, Column string
	Rows          int64
}

// WhereHeld looks for values in every text of every table, in any case of letters.
func (tx *Tx) WhereHeld(values []string) ([]Holding, error) {
	var cols, out []Holding
	err := tx.Each(func(scan func(...any) error) error {
		var h Holding
		err := scan(&h.Table, &h.Column)
		cols = append(cols, h)
		return err
	}, tx.textColumns())
	if err != nil {
		return nil, err
	}
	for _, h := range cols {
		where, args := holds(`"`+h.Column+`"`, values)
		if where == "" {
			return nil, nil
		}
		if err := tx.QueryRow(`SELECT count(*) FROM "`+h.Table+`" WHERE `+where, args...).Scan(&h.Rows); err != nil {
			return nil, err
		}
		if h.Rows > 0 {
			out = append(out, h)
		}
	}
	return out, nil
}
