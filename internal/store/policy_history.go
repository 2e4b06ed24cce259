package store

import (
	"encoding/json"
	"strconv"
	"time"
)

// Version is a text of the policy as one revision made it.
type Version struct {
	Kind, Name string
	N          int64  // its number among the versions of that text, from 1: what people call the version
	Rev        int64  // the policy revision that made it
	Hash       string // "" when the revision removed it
	Text       string
	Created    time.Time
	Author     string // mail address of a user, or the way it came: terminal
	Note       string // why
}

// putChanges writes what a revision changes against the members of the one before.
func (tx *Tx) putChanges(rev int64, before string, members []Member) error {
	var old []Member
	if before != "" {
		if err := json.Unmarshal([]byte(before), &old); err != nil {
			return err
		}
	}
	type name struct{ kind, name string }
	was := make(map[name]string, len(old))
	for _, m := range old {
		was[name{m.Kind, m.Name}] = m.Hash
	}
	var rows []any
	for _, m := range members {
		if was[name{m.Kind, m.Name}] != m.Hash {
			rows = append(rows, m.Kind, m.Name, rev, m.Hash)
		}
		delete(was, name{m.Kind, m.Name})
	}
	for n := range was {
		rows = append(rows, n.kind, n.name, rev, "")
	}
	return tx.bulkFlat("INSERT INTO policy_change (kind, name, rev, hash)", 4, "", rows)
}

const versionColumns = `SELECT c.kind, c.name,
	(SELECT count(*) FROM policy_change n WHERE n.kind = c.kind AND n.name = c.name AND n.rev <= c.rev), c.rev, c.hash, COALESCE(t.text, ''), r.created, r.author, r.note FROM policy_change c
	JOIN policy_revision r ON r.rev = c.rev LEFT JOIN policy_text t ON t.hash = c.hash `

func (tx *Tx) versions(where string, args ...any) ([]Version, error) {
	var out []Version
	err := tx.Each(func(scan func(...any) error) error {
		var v Version
		var created int64
		err := scan(&v.Kind, &v.Name, &v.N, &v.Rev, &v.Hash, &v.Text, &created, &v.Author, &v.Note)
		v.Created = fromMicros(created)
		out = append(out, v)
		return err
	}, versionColumns+where, args...)
	return out, err
}

// Versions returns the versions of a text of the policy, newest first, those before a revision (0 = all).
func (tx *Tx) Versions(kind, name string, before int64, limit int) ([]Version, error) {
	if before == 0 {
		before = 1 << 62
	}
	return tx.versions("WHERE c.kind = $1 AND c.name = $2 AND c.rev < $3 ORDER BY c.rev DESC LIMIT "+strconv.Itoa(limit), kind, name, before)
}

// VersionAt returns the version of a number; Hash, Text and N are zero when there is none.
func (tx *Tx) VersionAt(kind, name string, n int64) (Version, error) {
	if n < 1 {
		return Version{}, nil
	}
	vs, err := tx.versions("WHERE c.kind = $1 AND c.name = $2 ORDER BY c.rev LIMIT 1 OFFSET "+strconv.FormatInt(n-1, 10), kind, name)
	if err != nil || len(vs) == 0 {
		return Version{}, err
	}
	return vs[0], nil
}

// VersionsByText returns the newest version that has each of the texts of a name, by the hash of the text.
func (tx *Tx) VersionsByText(kind, name string) (map[string]int64, error) {
	out := map[string]int64{}
	n := int64(0)
	err := tx.Each(func(scan func(...any) error) error {
		var hash string
		err := scan(&hash)
		n++
		out[hash] = n
		return err
	}, "SELECT hash FROM policy_change WHERE kind = $1 AND name = $2 ORDER BY rev", kind, name)
	return out, err
}

// Changes returns what the newest revisions changed in texts of a kind, newest first, those before a revision (0 = all).
func (tx *Tx) Changes(kind string, before int64, limit int) ([]Version, error) {
	if before == 0 {
		before = 1 << 62
	}
	return tx.versions("WHERE c.kind = $1 AND c.rev < $2 ORDER BY c.rev DESC, c.name LIMIT "+strconv.Itoa(limit), kind, before)
}
