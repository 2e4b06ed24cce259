package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/fault"
)

// Member names one text of a policy revision.
type Member struct {
	Kind string `json:"kind"` // automation, routing, shop, template
	Name string `json:"name"`
	Hash string `json:"hash"` // SHA-256 of the text, hex
}

// Text is a policy text: an automation, the routing policy, the shop's settings, a template.
type Text struct {
	Kind, Name, Text string
}

// HashText is the version of a policy text.
func HashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// PutPolicy makes texts the whole current policy, as a new revision, and returns
// its number. The same texts as now make no new revision (changed is false).
func (tx *Tx) PutPolicy(texts []Text, author, note string) (rev int64, changed bool, err error) {
	members := make([]Member, len(texts))
	for i, t := range texts {
		members[i] = Member{Kind: t.Kind, Name: t.Name, Hash: HashText(t.Text)}
		_, err := tx.Exec(`INSERT INTO policy_text (hash, kind, name, text, created, author) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (hash) DO NOTHING`, members[i].Hash, t.Kind, t.Name, t.Text, micros(tx.now), author)
		if err != nil {
			return 0, false, err
		}
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Kind+"/"+a.Name, b.Kind+"/"+b.Name) })
	rev, _, err = tx.lockPolicy(" FOR UPDATE")
	if err != nil {
		return 0, false, err
	}
	doc, have := encode(members), ""
	if rev > 0 {
		if err := tx.QueryRow("SELECT members FROM policy_revision WHERE rev = $1", rev).Scan(&have); err != nil {
			return 0, false, err
		}
		if have == doc {
			return rev, false, nil
		}
	}
	rev++
	_, err = tx.Exec("INSERT INTO policy_revision (rev, created, author, note, members) VALUES ($1, $2, $3, $4, $5)", rev, micros(tx.now), author, note, doc)
	if err != nil {
		return 0, false, err
	}
	if err := tx.putChanges(rev, have, members); err != nil {
		return 0, false, err
	}
	_, err = tx.Exec("UPDATE policy_current SET rev = $1 WHERE one = 1", rev)
	return rev, true, err
}

func (tx *Tx) lockPolicy(lock string) (rev, locations int64, err error) {
	if !tx.write {
		lock = ""
	}
	err = tx.QueryRow("SELECT rev, locations FROM policy_current WHERE one = 1"+lock).Scan(&rev, &locations)
	return rev, locations, err
}

// CurrentPolicy returns the current revision and the count of location changes.
// In an Update nobody changes them before it ends.
func (tx *Tx) CurrentPolicy() (rev, locations int64, err error) { return tx.lockPolicy(" FOR SHARE") }

// HoldPolicy keeps every other transaction from deciding until this one ends:
// what an automation may do changes between decisions, never beside them.
func (tx *Tx) HoldPolicy() error {
	_, _, err := tx.lockPolicy(" FOR UPDATE")
	return err
}

// Policy returns the texts of a revision; 0 has none.
func (tx *Tx) Policy(rev int64) ([]Text, error) {
	if rev == 0 {
		return nil, nil
	}
	var doc string
	err := tx.QueryRow("SELECT members FROM policy_revision WHERE rev = $1", rev).Scan(&doc)
	if err == ErrNoRows {
		return nil, fault.New(fault.NotFound, "store.Policy", "there is no policy revision %d", rev)
	}
	if err != nil {
		return nil, err
	}
	var ms []Member
	if err := json.Unmarshal([]byte(doc), &ms); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "store.Policy", "policy revision %d cannot be read", rev)
	}
	out := make([]Text, len(ms))
	for i, m := range ms {
		out[i] = Text{Kind: m.Kind, Name: m.Name}
		if err := tx.QueryRow("SELECT text FROM policy_text WHERE hash = $1", m.Hash).Scan(&out[i].Text); err != nil {
			return nil, fault.Wrap(err, fault.Internal, "store.Policy", "the text of %s %s is missing", m.Kind, m.Name)
		}
	}
	return out, nil
}

// PolicyAuthor returns who made a revision, and why.
func (tx *Tx) PolicyAuthor(rev int64) (author, note string, err error) {
	err = tx.QueryRow("SELECT author, note FROM policy_revision WHERE rev = $1", rev).Scan(&author, &note)
	if err == ErrNoRows {
		err = fault.New(fault.NotFound, "store.PolicyAuthor", "there is no policy revision %d", rev)
	}
	return author, note, err
}

// AllLocations returns every location by id.
func (tx *Tx) AllLocations() (map[string]catalog.Location, error) {
	out := map[string]catalog.Location{}
	err := tx.Each(func(scan func(...any) error) error {
		var doc string
		if err := scan(&doc); err != nil {
			return err
		}
		var l catalog.Location
		if err := decode("location", doc, &l); err != nil {
			return err
		}
		out[l.ID] = l
		return nil
	}, "SELECT doc FROM location")
	return out, err
}

// PutPostal writes coordinates of postal codes, given as rows of country, code, latitude and longitude.
func (tx *Tx) PutPostal(flat []any) error {
	return tx.bulkFlat("INSERT INTO geo_postal (country, code, lat, lon)", 4,
		"ON CONFLICT (country, code) DO UPDATE SET lat = excluded.lat, lon = excluded.lon", flat)
}

// EachPostal calls f for every postal code.
func (tx *Tx) EachPostal(f func(country, code string, lat, lon float64)) error {
	return tx.Each(func(scan func(...any) error) error {
		var country, code string
		var lat, lon float64
		err := scan(&country, &code, &lat, &lon)
		f(country, code, lat, lon)
		return err
	}, "SELECT country, code, lat, lon FROM geo_postal")
}

// PutIPRanges writes ranges of IPv4 addresses, given as rows of first, last and country.
func (tx *Tx) PutIPRanges(flat []any) error {
	return tx.bulkFlat("INSERT INTO geo_ip (lo, hi, country)", 3, "ON CONFLICT (lo) DO UPDATE SET hi = excluded.hi, country = excluded.country", flat)
}

// EachIPRange calls f for every range.
func (tx *Tx) EachIPRange(f func(lo, hi uint32, country string)) error {
	return tx.Each(func(scan func(...any) error) error {
		var lo, hi int64
		var country string
		err := scan(&lo, &hi, &country)
		f(uint32(lo), uint32(hi), country)
		return err
	}, "SELECT lo, hi, country FROM geo_ip ORDER BY lo")
}
