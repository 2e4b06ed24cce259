package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/store"
)

const effectsHelp = `Effects are what must leave the program: mails, webhooks, alerts. One that failed
for good is a dead letter; it waits here until the cause is mended and somebody
replays it. Its key stays the same, so a destination that did get it knows it again.
One whose answer never came may have arrived: mail systems know no keys, so it is
tried again only when somebody says that it may arrive twice.`

func (p *program) effectsCommand() *cobra.Command {
	var waiting, asJSON, all bool
	list := &cobra.Command{
		Use: "list", Short: "List dead letters, or what waits to leave", Args: cobra.NoArgs, Long: effectsHelp,
		Example: examples("orderly effects list", "orderly effects list --waiting --json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				rows, more, err := s.effects(cmd.Context(), waiting, maxListed)
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(effectLines(rows))
				}
				var out [][]string
				for _, e := range rows {
					out = append(out, []string{e.ID, string(e.Kind), e.Purpose, e.Destination, e.OrderID, strconv.Itoa(e.Attempts), p.day(e.Due), e.LastError})
				}
				p.table([]string{"ID", "KIND", "PURPOSE", "TO", "ORDER", "TRIES", "DUE", "LAST ERROR"}, out)
				if more {
					p.notef("Only the first %d are shown.\n", maxListed)
				}
				return nil
			})
		},
	}
	list.Flags().BoolVar(&waiting, "waiting", false, "what waits to leave, instead of dead letters")
	bindJSON(list.Flags(), &asJSON)

	causes := &cobra.Command{
		Use: "causes", Short: "Group the dead letters by what they failed of", Args: cobra.NoArgs, Long: effectsHelp,
		Example: examples("orderly effects causes", "orderly effects causes --json"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.listCauses(cmd, asJSON) },
	}
	bindJSON(causes.Flags(), &asJSON)

	show := &cobra.Command{
		Use: "show ID...", Short: "Show what effects would send if they left now", Args: cobra.MinimumNArgs(1),
		Long:    "Show the mail or the document that each effect would send if it left now, with its personal\ndata, and whether it may have arrived already. Nothing leaves.",
		Example: examples("orderly effects show eff_2k9q4w8x1c5v3b7m"),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.showEffects(cmd, args, asJSON) },
	}
	bindJSON(show.Flags(), &asJSON)

	var cause string
	var twice bool
	replay := &cobra.Command{
		Use: "replay [ID...]", Short: "Try dead letters again", Long: effectsHelp,
		Example: examples("orderly effects replay eff_2k9q4w8x1c5v3b7m", "orderly effects replay --cause cau_7m2k9q4w8x1c5v3b", "orderly effects replay --all"),
		Args: func(_ *cobra.Command, args []string) error {
			n := 0
			for _, given := range []bool{all, cause != "", len(args) > 0} {
				if given {
					n++
				}
			}
			if n != 1 {
				return usagef("name the effects to try again, or give --cause or --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				who, err := p.person(cmd, s, access.ReplayEffect)
				if err != nil {
					return err
				}
				by := store.Replay{Actor: who.by, Twice: twice}
				var out engine.ReplayOutcome
				if len(args) > 0 {
					out, err = e.ReplayEffects(cmd.Context(), args, by)
				} else {
					out, err = e.ReplayCause(cmd.Context(), cause, by)
				}
				if err != nil {
					return err
				}
				if asJSON {
					return p.printJSON(map[string]int{"replayed": out.Replayed, "withheld": out.Withheld})
				}
				p.printf("%d dead letters wait for their next attempt; the running server makes it.\n", out.Replayed)
				if out.Withheld > 0 {
					p.notef("%d may have arrived and stay dead letters; --twice tries them again although they may arrive twice.\n", out.Withheld)
				}
				if left := len(args) - out.Replayed - out.Withheld; left > 0 {
					p.notef("%d of those named are not dead letters.\n", left)
				}
				return nil
			})
		},
	}
	replay.Flags().StringVar(&cause, "cause", "", "every dead letter of one `CAUSE`; \"orderly effects causes\" lists them")
	replay.Flags().BoolVar(&twice, "twice", false, "also those that may have arrived: they may arrive twice; it is kept that you said so")
	bindAs(replay.Flags())
	replay.Flags().BoolVar(&all, "all", false, "every dead letter")
	bindJSON(replay.Flags(), &asJSON)
	for _, c := range []*cobra.Command{list, causes, show, replay} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "effects", Short: "List and replay what could not be delivered", Long: effectsHelp}, list, causes, show, replay)
}

const maxListed = 500

// effects lists dead letters or waiting effects, and whether there are more.
func (s *shop) effects(ctx context.Context, waiting bool, limit int) (rows []store.EffectRow, more bool, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		next := ""
		if waiting {
			rows, next, err = tx.LiveEffects("", limit)
		} else {
			rows, next, err = tx.DeadEffects("", limit)
		}
		more = next != ""
		return err
	})
	return rows, more, err
}

// effectLine is an effect in JSON.
type effectLine struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	Purpose     string    `json:"purpose"`
	Destination string    `json:"destination"`
	Order       string    `json:"order,omitempty"`
	State       string    `json:"state"`
	Attempts    int       `json:"attempts"`
	Due         time.Time `json:"due"`
	Done        time.Time `json:"done,omitzero"`
	LastError   string    `json:"last_error,omitempty"`
	Unsure      bool      `json:"may_have_arrived,omitempty"`
}

func effectLines(rows []store.EffectRow) []effectLine {
	out := []effectLine{}
	for _, e := range rows {
		out = append(out, effectLine{e.ID, string(e.Kind), e.Purpose, e.Destination, e.OrderID, string(e.State), e.Attempts, e.Due, e.DoneAt, e.LastError, e.Unsure})
	}
	return out
}

const eventsHelp = `Events whose decision failed are quarantined: kept with the reason, never lost.
Mend the cause (place the order, correct the stock, update the policy), then
replay them; they are decided under today's policy.`

func (p *program) eventsCommand() *cobra.Command {
	var asJSON, all bool
	list := &cobra.Command{
		Use: "quarantined", Short: "List events whose decision failed", Args: cobra.NoArgs, Long: eventsHelp,
		Example: examples("orderly events quarantined"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withShop(cmd, false, func(s *shop) error {
				rows, err := s.quarantined(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					out := []map[string]any{}
					for _, e := range rows {
						out = append(out, map[string]any{"id": e.ID, "type": e.Type, "source": e.Source, "key": e.Key, "received": e.Received, "reason": e.Reason})
					}
					return p.printJSON(out)
				}
				var out [][]string
				for _, e := range rows {
					out = append(out, []string{e.ID, e.Type, e.Source, e.Key, p.day(e.Received), e.Reason})
				}
				p.table([]string{"ID", "TYPE", "SOURCE", "KEY", "RECEIVED", "REASON"}, out)
				return nil
			})
		},
	}
	bindJSON(list.Flags(), &asJSON)
	replay := &cobra.Command{
		Use: "replay [ID...]", Short: "Decide quarantined events again", Long: eventsHelp,
		Example: examples("orderly events replay 0198c0de-0000-7000-8000-000000000000", "orderly events replay --all"),
		Args: func(_ *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usagef("name the events to decide again, or give --all")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.withEngine(cmd, false, func(s *shop, e *engine.Engine) error {
				if all {
					rows, err := s.quarantined(cmd.Context())
					if err != nil {
						return err
					}
					for _, r := range rows {
						args = append(args, r.ID)
					}
				}
				failed := 0
				for _, id := range args {
					out, err := e.ReplayEvent(cmd.Context(), id)
					if err != nil {
						return err
					}
					p.printf("%s: %s %s\n", id, out.Status, out.Reason)
					if out.Status != engine.Decided {
						failed++
					}
				}
				if failed > 0 {
					p.notef("%d of %d are still quarantined.\n", failed, len(args))
					return &exitError{exitFailure}
				}
				return nil
			})
		},
	}
	replay.Flags().BoolVar(&all, "all", false, "every quarantined event")
	for _, c := range []*cobra.Command{list, replay} {
		bindCommon(c.Flags())
	}
	return group(&cobra.Command{Use: "events", Short: "List and replay events whose decision failed", Long: eventsHelp}, list, replay)
}

func (s *shop) quarantined(ctx context.Context) (rows []store.EventRow, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		rows, err = tx.QuarantinedEvents(maxListed)
		return err
	})
	return rows, err
}
