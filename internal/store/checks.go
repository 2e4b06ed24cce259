package store

import "strings"

// AnyLowLine reports whether some product has a low line.
func (tx *Tx) AnyLowLine() (bool, error) {
	var n int64
	err := tx.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM product WHERE low_at > 0 LIMIT 1) AS one").Scan(&n)
	return n > 0, err
}

// AnyProduct reports whether there is a product.
func (tx *Tx) AnyProduct() (bool, error) {
	var n int64
	err := tx.QueryRow("SELECT COUNT(*) FROM (SELECT 1 FROM product LIMIT 1) AS one").Scan(&n)
	return n > 0, err
}

// FiredTogether counts the events of a type on which all the automations fired. It reads every
// event of the type, so it is for a question that a person asks.
func (tx *Tx) FiredTogether(typ string, automations []string) (int, error) {
	query := "SELECT COUNT(*) FROM event WHERE type = $1"
	args := []any{typ}
	for i, name := range automations {
		// A trace is written by decide in one form: name, version of ten characters, outcome.
		args = append(args, `%"name":"`+name+`","version":"`+strings.Repeat("_", 10)+`","outcome":"fired"%`)
		query += " AND trace LIKE $" + string(rune('2'+i))
	}
	var n int
	err := tx.QueryRow(query, args...).Scan(&n)
	return n, err
}
