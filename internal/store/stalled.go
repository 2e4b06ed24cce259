package store

import "time"

// Stalled is a destination for which effects wait.
type Stalled struct {
	Destination string
	Oldest      time.Time
}

// StalledEffects returns the destinations whose oldest waiting effect was made before a time.
func StalledEffects(tx *Tx, before time.Time) ([]Stalled, error) {
	var out []Stalled
	err := tx.Each(func(scan func(...any) error) error {
		var s Stalled
		err := scan(&s.Destination, &s.Oldest)
		out = append(out, s)
		return err
	}, "SELECT destination, min(created) FROM effect WHERE state IN ('pending', 'claimed') GROUP BY destination HAVING min(created) < $1 ORDER BY destination", micros(before))
	return out, err
}
