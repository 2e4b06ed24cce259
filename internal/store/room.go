package store

// DatabaseSize is how many bytes the database takes.
func (tx *Tx) DatabaseSize() (int64, error) {
	var n int64
	err := tx.QueryRow(sizeSQL(tx)).Scan(&n)
	return n, err
}

// LogSize is how many bytes the write-ahead log of a PostgreSQL server takes besides; ok is false where the account may not
// ask (it needs the role pg_monitor) and on SQLite, whose log is small.
func (tx *Tx) LogSize() (n int64, ok bool, err error) {
	if tx.lite != nil {
		return 0, false, nil
	}
	if err := tx.QueryRow("SELECT has_function_privilege('pg_ls_waldir()', 'EXECUTE')").Scan(&ok); err != nil || !ok {
		return 0, false, err
	}
	err = tx.QueryRow("SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM pg_ls_waldir()").Scan(&n)
	return n, err == nil, err
}

// Slot is a place in the write-ahead log that a PostgreSQL server keeps for a replica.
type Slot struct {
	Name   string
	Active bool  // somebody reads from it
	Held   int64 // bytes of the log that are kept for it
	Lost   bool  // what it needs is gone
}

// Slots returns the replication slots of the server; SQLite has none.
func (tx *Tx) Slots() ([]Slot, error) {
	if tx.lite != nil {
		return nil, nil
	}
	var out []Slot
	err := tx.Each(func(scan func(...any) error) error {
		var s Slot
		err := scan(&s.Name, &s.Active, &s.Held, &s.Lost)
		out = append(out, s)
		return err
	}, `SELECT slot_name, active, CAST(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0) AS BIGINT), coalesce(wal_status = 'lost', false)
		FROM pg_replication_slots ORDER BY slot_name`)
	return out, err
}
