package console

import (
	"net/http"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/yamltext"
)

var waitsForSecond = ui.Flash{Meaning: ui.Attention, Text: "It is kept, and waits for a second person to confirm it under Review. Until then nothing changes."}

// secondRow is a change that waits for a second person.
type secondRow struct {
	Proposed
	What string
	Diff []yamltext.Line
	Mine bool
}

// waitingChanges are the changes that wait, for those who may decide them.
func (c *Console) waitingChanges(r *http.Request) ([]secondRow, error) {
	u, _ := access.UserFrom(r.Context())
	if c.Policy == nil || !access.Can(u.Role, access.ApplyAutomation) {
		return nil, nil
	}
	ps, err := c.Policy.Waiting(r.Context())
	var out []secondRow
	for _, p := range ps {
		row := secondRow{Proposed: p, What: title(p.Name) + " gets a new text", Mine: strings.EqualFold(p.Author, u.Email)}
		switch {
		case p.Mode != "":
			row.What = title(p.Name) + " gets the mode " + p.Mode
		case p.Folder:
			row.What = "A folder becomes the policy"
		}
		if p.Mode == "" {
			row.Diff = yamltext.Near(yamltext.Diff(p.Now, p.Text), 2)
		}
		out = append(out, row)
	}
	return out, err
}

// second confirms a change that waits, or refuses it.
func (c *Console) second(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	outcome := r.PostFormValue("outcome")
	if outcome != "confirm" && outcome != "refuse" {
		return fault.New(fault.Invalid, "console.second", "confirm the change, or refuse it")
	}
	if c.Policy == nil {
		return fault.New(fault.Unavailable, "console.second", "automations cannot be changed on this server")
	}
	name, err := c.Policy.Second(r.Context(), r.PathValue("id"), u.Email, outcome == "confirm")
	if err != nil {
		return err
	}
	what := "the policy"
	if name != "" {
		what = title(name)
	}
	f := ui.Flash{Meaning: ui.Done, Text: "Confirmed: the change of " + what + " is in force."}
	if outcome == "refuse" {
		f = ui.Flash{Meaning: ui.Neutral, Text: "Refused: " + what + " stays as it is."}
	}
	return c.back(w, r, "/review", f)
}
