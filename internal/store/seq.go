package store

// drawSeq draws n numbers of decided_seq, ascending. It is called when all locks
// are held, so of two groups that touch the same things the later one has the
// higher numbers. On PostgreSQL other nodes may draw in between, and a group that
// rolls back leaves a gap.
func (tx *Tx) drawSeq(n int) ([]int64, error) {
	out := make([]int64, 0, n)
	if tx.lite != nil {
		var last int64
		if err := tx.QueryRow("SELECT COALESCE(MAX(seq), 0) FROM event").Scan(&last); err != nil {
			return nil, err
		}
		for i := range n {
			out = append(out, last+int64(i)+1)
		}
		return out, nil
	}
	err := tx.each("SELECT nextval('decided_seq') FROM generate_series(1, $1)", []any{n}, func(r *Rows) error {
		out = append(out, 0)
		return r.Scan(&out[len(out)-1])
	})
	return out, err
}
