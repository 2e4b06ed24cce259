package store

import (
	"encoding/json"
	"time"

	"orderly.example/orderly/internal/fault"
)

// ArchivedEvent is a whole row of an event as an archive's file has it.
type ArchivedEvent struct {
	Seq      int64  `json:"seq"`
	ID       string `json:"id"`
	Source   string `json:"source"`
	Key      string `json:"key"`
	Type     string `json:"type"`
	Subject  string `json:"subject"`
	OrderID  string `json:"order_id,omitempty"`
	At       int64  `json:"at"` // microseconds UTC
	Received int64  `json:"received"`
	Mode     string `json:"mode"`
	Actor    string `json:"actor,omitempty"`
	Cause    string `json:"cause,omitempty"`
	Depth    int64  `json:"depth,omitempty"`
	Policy   int64  `json:"policy"`
	Hash     string `json:"hash"`
	Data     string `json:"data"`
	Sealed   string `json:"sealed,omitempty"` // under the customer's key: erasure reaches it
	Customer string `json:"customer_id,omitempty"`
	Facts    string `json:"facts,omitempty"`
	Trace    string `json:"trace,omitempty"`
	Gist     string `json:"gist,omitempty"`
}

// Archive is a file of events.
type Archive struct {
	Name        string
	First, Last int64 // decided_seq
	Events      int64
	Bytes       int64
	SHA256      string
	Created     time.Time
	Slim        bool // nothing is left in the rows that the file has
}

// Archives returns what was archived, the oldest first.
func (tx *Tx) Archives() ([]Archive, error) {
	var out []Archive
	err := tx.each("SELECT name, first_seq, last_seq, events, bytes, sha256, created, slim FROM event_archive ORDER BY first_seq, name", nil, func(r *Rows) error {
		var a Archive
		err := r.Scan(&a.Name, &a.First, &a.Last, &a.Events, &a.Bytes, &a.SHA256, &a.Created, &a.Slim)
		out = append(out, a)
		return err
	})
	return out, err
}

// PutArchive records a file that is complete and verified. From now on the shop depends on it.
func (tx *Tx) PutArchive(a Archive) error {
	n, err := tx.Exec(`INSERT INTO event_archive (name, first_seq, last_seq, events, bytes, sha256, created, slim)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING`, a.Name, a.First, a.Last, a.Events, a.Bytes, a.SHA256, tx.now)
	if err == nil && n == 0 {
		return fault.New(fault.Conflict, "store.PutArchive", "another node has just archived %s", a.Name)
	}
	return err
}

// SlimArchive records that the rows of a file have given away what it holds.
func (tx *Tx) SlimArchive(name string) error {
	_, err := tx.Exec("UPDATE event_archive SET slim = 1 WHERE name = $1", name)
	return err
}

// ToArchive calls fn for the decided events after a decided_seq that were received before a time and are in no file
// yet, in the order of their decisions, until fn answers false.
func (tx *Tx) ToArchive(after int64, before time.Time, fn func(ArchivedEvent) (bool, error)) error {
	rows, err := tx.Query(`SELECT seq, id, source, key, type, subject, order_id, at, received, mode, actor, cause, depth, policy, hash, data, sealed,
		customer_id, facts, trace, gist FROM event WHERE seq > $1 AND received < $2 AND state = 'decided' AND archive = '' ORDER BY seq`, after, before)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var e ArchivedEvent
		err := rows.Scan(&e.Seq, &e.ID, &e.Source, &e.Key, &e.Type, &e.Subject, &e.OrderID, &e.At, &e.Received, &e.Mode, &e.Actor, &e.Cause, &e.Depth,
			&e.Policy, &e.Hash, &e.Data, &e.Sealed, &e.Customer, &e.Facts, &e.Trace, &e.Gist)
		if err != nil {
			return err
		}
		if more, err := fn(e); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// Slim takes from rows what the file of that name has: it is called with what was read back from the file.
// A row that has changed since, or is slim already, is left alone.
func (tx *Tx) Slim(name string, events []ArchivedEvent) error {
	for _, e := range events {
		short, err := ShortTrace(e.Trace)
		if err != nil {
			return err
		}
		err = tx.later("UPDATE event SET facts = '', trace = $1, archive = $2 WHERE seq = $3 AND id = $4 AND facts = $5 AND trace = $6 AND archive = ''",
			short, name, e.Seq, e.ID, e.Facts, e.Trace)
		if err != nil {
			return err
		}
	}
	return nil
}

// ShortTrace is what stays of a trace: the change of the order's state, which the doctor follows.
func ShortTrace(trace string) (string, error) {
	if trace == "" {
		return "", nil
	}
	var t struct {
		From string `json:"from,omitempty"`
		To   string `json:"to,omitempty"`
	}
	if err := json.Unmarshal([]byte(trace), &t); err != nil {
		return "", fault.Wrap(err, fault.Internal, "store.ShortTrace", "a trace cannot be read")
	}
	if t.From == "" && t.To == "" {
		return "", nil
	}
	b, err := json.Marshal(t)
	return string(b), err
}
