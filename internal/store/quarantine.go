package store

// DropQuarantined removes the rows of quarantined events, in the transaction
// that writes them again as decided.
func DropQuarantined(tx *Tx, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec("DELETE FROM event WHERE state = 'quarantined' AND id = ANY($1)", ids)
	return err
}
