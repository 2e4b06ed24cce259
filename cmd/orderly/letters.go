package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// causeLine is a group of dead letters in JSON.
type causeLine struct {
	Cause       string    `json:"cause"`
	Destination string    `json:"destination"`
	Error       string    `json:"error"`
	Purposes    []string  `json:"purposes"`
	Letters     int64     `json:"letters"`
	Unsure      int64     `json:"may_have_arrived"`
	Orders      int64     `json:"orders"`
	Money       []string  `json:"money"`
	FirstID     string    `json:"first_id"`
	First       time.Time `json:"first"`
	LastID      string    `json:"last_id"`
	Last        time.Time `json:"last"`
}

func (p *program) listCauses(cmd *cobra.Command, asJSON bool) error {
	return p.withShop(cmd, false, func(s *shop) error {
		var groups []*store.DeadGroup
		more := false
		err := s.db.View(cmd.Context(), func(tx *store.Tx) (err error) {
			groups, more, err = tx.DeadGroups()
			return err
		})
		if err != nil {
			return err
		}
		lines := []causeLine{}
		var rows [][]string
		for _, g := range groups {
			worth := []string{}
			for _, a := range g.Money {
				worth = append(worth, a.String())
			}
			lines = append(lines, causeLine{
				g.Cause, g.Destination, g.Error, g.Purposes, g.N, g.Unsure, g.Orders, worth, g.First.ID, g.First.Created, g.Last.ID, g.Last.Created,
			})
			rows = append(rows, []string{
				g.Cause, g.Destination, fmt.Sprint(g.N), fmt.Sprint(g.Unsure), fmt.Sprint(g.Orders), dashed(strings.Join(worth, " + ")), p.day(g.First.Created), p.day(g.Last.Created), g.Error,
			})
		}
		if asJSON {
			return p.printJSON(lines)
		}
		p.table([]string{"CAUSE", "TO", "LETTERS", "MAY HAVE ARRIVED", "ORDERS", "WORTH", "FIRST", "LAST", "ERROR"}, rows)
		if more {
			p.notef("Only the newest %d dead letters are grouped.\n", store.DeadCap)
		}
		return nil
	})
}

// letterLine is what an effect would send, in JSON.
type letterLine struct {
	effectLine
	To      string           `json:"to,omitempty"`
	Subject string           `json:"subject,omitempty"`
	Text    string           `json:"text,omitempty"`
	Problem string           `json:"problem,omitempty"`
	Replays []store.Replayed `json:"replays,omitempty"`
}

func (p *program) showEffects(cmd *cobra.Command, ids []string, asJSON bool) error {
	return p.withEngine(cmd, false, func(_ *shop, e *engine.Engine) error {
		letters, err := e.PreviewEffects(cmd.Context(), ids)
		if err != nil {
			return err
		}
		if len(letters) == 0 {
			return fault.New(fault.NotFound, "effects", "there is no effect %s", strings.Join(ids, ", "))
		}
		if asJSON {
			out := []letterLine{}
			for _, l := range letters {
				out = append(out, letterLine{effectLines([]store.EffectRow{l.Effect})[0], l.To, l.Subject, l.Text, l.Problem, l.Replays})
			}
			return p.printJSON(out)
		}
		for _, l := range letters {
			p.tellLetter(l)
		}
		return nil
	})
}

func (p *program) tellLetter(l engine.Letter) {
	f := l.Effect
	p.printf("%s: %s by %s, %s, %s\n", f.ID, f.Purpose, f.Destination, f.State, plural(f.Attempts, "attempt"))
	if f.LastError != "" {
		p.printf("  failed: %s\n", f.LastError)
	}
	if f.Unsure {
		p.printf("  it may have arrived: an answer never came\n")
	}
	for _, r := range l.Replays {
		p.printf("  tried again by %s, %s\n", r.Actor, p.day(r.At))
	}
	if l.Problem != "" {
		p.printf("  it cannot be made: %s\n", l.Problem)
		return
	}
	if l.To != "" {
		p.printf("\nTo: %s\nSubject: %s\n", l.To, l.Subject)
	}
	p.printf("\n%s\n\n", l.Text)
}
