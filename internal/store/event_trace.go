package store

import "time"

// EventTrace says in which trace an event was decided.
type EventTrace struct{ EventID, Parent string }

// keepTraces is how long it is known: collectors forget sooner.
const keepTraces = 30 * 24 * time.Hour

var eventTraceTable = bulkInto("event_trace", "event_id text, parent text, created bigint", "ON CONFLICT DO NOTHING")

// InsertEventTraces remembers traces, and forgets a few that are old.
func InsertEventTraces(tx *Tx, rows []EventTrace) error {
	if len(rows) == 0 {
		return nil
	}
	if err := tx.bulk(eventTraceTable, len(rows), func(i int, r *row) {
		r.text(rows[i].EventID)
		r.text(rows[i].Parent)
		r.int(micros(tx.now))
	}); err != nil {
		return err
	}
	return tx.later("DELETE FROM event_trace WHERE event_id IN (SELECT event_id FROM event_trace WHERE created < $1 ORDER BY created LIMIT 500)", tx.now.Add(-keepTraces))
}

// EventTraces returns the traceparents of events, as far as they are known.
func EventTraces(tx *Tx, ids []string) (map[string]string, error) {
	out := map[string]string{}
	err := tx.each("SELECT event_id, parent FROM event_trace WHERE event_id = ANY($1)", []any{ids}, func(r *Rows) error {
		var id, parent string
		err := r.Scan(&id, &parent)
		out[id] = parent
		return err
	})
	return out, err
}
