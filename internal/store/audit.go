package store

import (
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
)

// The audit log. Records and links are added and never changed: the schema's triggers refuse it.

const recordColumns = "id, at, actor, who, action, subject, origin, result, detail"

func scanRecord(scan func(...any) error, before ...any) (access.Record, error) {
	var r access.Record
	var at int64
	err := scan(append(before, &r.ID, &at, &r.Actor, &r.Who, &r.Action, &r.Subject, &r.Origin, &r.Result, &r.Detail)...)
	r.At = fromMicros(at)
	return r, err
}

func (tx *Tx) records(sql string, args ...any) ([]access.Record, error) {
	var out []access.Record
	err := tx.Each(func(scan func(...any) error) error {
		r, err := scanRecord(scan)
		out = append(out, r)
		return err
	}, sql, args...)
	return out, err
}

// PutRecord appends a record and lets it wait to be sealed.
func (tx *Tx) PutRecord(r access.Record) error {
	err := tx.later("INSERT INTO audit ("+recordColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		r.ID, micros(r.At), r.Actor, r.Who, r.Action, r.Subject, r.Origin, r.Result, r.Detail)
	if err != nil {
		return err
	}
	return tx.later("INSERT INTO audit_open (id, at) VALUES ($1, $2)", r.ID, micros(r.At))
}

// Records lists records, newest first.
func (tx *Tx) Records(f access.AuditFilter) ([]access.Record, error) {
	var where []string
	var args []any
	add := func(cond string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(cond, "?", "$"+strconv.Itoa(len(args))))
	}
	if f.Who != "" {
		add("(lower(who) LIKE ? ESCAPE '\\' OR actor LIKE ? ESCAPE '\\')", "%"+likeEscape(strings.ToLower(f.Who))+"%")
	}
	if f.Action != "" {
		add("action LIKE ? ESCAPE '\\'", likeEscape(f.Action)+"%")
	}
	if f.Subject != "" {
		add("subject = ?", f.Subject)
	}
	if f.Result != "" {
		add("result = ?", f.Result)
	}
	if !f.From.IsZero() {
		add("at >= ?", f.From)
	}
	if !f.To.IsZero() {
		add("at < ?", f.To)
	}
	if f.After != "" {
		add("(at, id) < (SELECT a.at, a.id FROM audit a WHERE a.id = ?)", f.After)
	}
	sql := "SELECT " + recordColumns + " FROM audit"
	if len(where) > 0 {
		sql += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	return tx.records(sql+" ORDER BY at DESC, id DESC LIMIT $"+strconv.Itoa(len(args)), args...)
}

// likeText is a text as a LIKE pattern that means itself.
// OpenRecords returns records that wait to be sealed, oldest first.
func (tx *Tx) OpenRecords(limit int) ([]access.Record, error) {
	return tx.records(`SELECT a.id, a.at, a.actor, a.who, a.action, a.subject, a.origin, a.result, a.detail
		FROM audit_open o JOIN audit a ON a.id = o.id ORDER BY o.at, o.id LIMIT $1`, limit)
}

// Unsealed counts the records that wait to be sealed and says when the oldest was made.
func (tx *Tx) Unsealed() (n int64, oldest time.Time, err error) {
	var at int64
	err = tx.QueryRow("SELECT count(*), MIN(at) FROM audit_open").Scan(&n, &at)
	return n, fromMicros(at), err
}

// PutLinks appends to the chain; the records wait no more.
func (tx *Tx) PutLinks(ls []access.Link) error {
	ids := make([]string, len(ls))
	for i, l := range ls {
		ids[i] = l.ID
		if err := tx.later("INSERT INTO audit_chain (seq, id, hash) VALUES ($1, $2, $3)", l.Seq, l.ID, l.Hash); err != nil {
			return err
		}
	}
	return tx.later("DELETE FROM audit_open WHERE id = ANY($1)", ids)
}

// EachSealed reads the chain with its records from the beginning, until fn returns false.
func (tx *Tx) EachSealed(fn func(access.Sealed) bool) error {
	rows, err := tx.Query(`SELECT c.seq, c.id, c.hash, a.id, a.at, a.actor, a.who, a.action, a.subject, a.origin, a.result, a.detail
		FROM audit_chain c LEFT JOIN audit a ON a.id = c.id ORDER BY c.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var x access.Sealed
		x.Record, err = scanRecord(rows.Scan, &x.Seq, &x.Link.ID, &x.Hash)
		if err != nil {
			return err
		}
		x.Missing = x.Record.ID == ""
		if !fn(x) {
			return nil
		}
	}
	return rows.Err()
}

// StrayRecord returns a record that neither is in the chain nor waits to be sealed, or "".
func (tx *Tx) StrayRecord() (string, error) {
	var id string
	err := tx.QueryRow(`SELECT a.id FROM audit a WHERE NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.id = a.id)
		AND NOT EXISTS (SELECT 1 FROM audit_open o WHERE o.id = a.id) ORDER BY a.id LIMIT 1`).Scan(&id)
	if err == ErrNoRows {
		return "", nil
	}
	return id, err
}
