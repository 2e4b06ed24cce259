package store

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
