package store

import "time"

// Proposal is a change of an automation that waits for a second person.
type Proposal struct {
	ID, Name, Doc, Author, Reason string
	Created                       time.Time
}

// Proposals returns what waits, oldest first.
func (tx *Tx) Proposals() ([]Proposal, error) {
	var out []Proposal
	err := tx.Each(func(scan func(...any) error) error {
		var p Proposal
		err := scan(&p.ID, &p.Name, &p.Doc, &p.Author, &p.Reason, &p.Created)
		out = append(out, p)
		return err
	}, "SELECT id, name, doc, author, reason, created FROM proposal ORDER BY created, id")
	return out, err
}

// PutProposal keeps a change in the place of an earlier one of the same person on the same automation.
func (tx *Tx) PutProposal(p Proposal) error {
	if _, err := tx.Exec("DELETE FROM proposal WHERE name = $1 AND author = $2", p.Name, p.Author); err != nil {
		return err
	}
	_, err := tx.Exec("INSERT INTO proposal (id, name, doc, author, reason, created) VALUES ($1, $2, $3, $4, $5, $6)",
		p.ID, p.Name, p.Doc, p.Author, p.Reason, tx.Now().UnixMicro())
	return err
}

// DropProposal removes a proposal that is decided.
func (tx *Tx) DropProposal(id string) error {
	_, err := tx.Exec("DELETE FROM proposal WHERE id = $1", id)
	return err
}
