package backtest_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/backtest"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// shop is a live engine on a store of its own.
type shop struct {
	t    *testing.T
	db   *store.DB
	keys *store.Keyring
	eng  *engine.Engine
	now  time.Time
	n    int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	return openShop(t, filepath.Join(t.TempDir(), "shop.db"))
}

// database is one a backtest runs on.
type database struct{ name, url string }

func engines(t *testing.T) []database {
	return []database{{"sqlite", filepath.Join(t.TempDir(), "shop.db")}, {"postgres", pgtest.URL(t)}}
}

func openShop(t *testing.T, url string) *shop {
	t.Helper()
	s := &shop{t: t, now: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}
	key, err := store.LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	if s.keys, err = store.NewKeyring(key); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return s.now }
	if s.db, err = store.Open(t.Context(), url, store.Options{Keyring: s.keys, Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close() })
	if s.eng, err = engine.New(t.Context(), engine.Options{DB: s.db, Keyring: s.keys, Now: clock, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.eng.Close(context.Background()) })
	return s
}

func (s *shop) apply(texts ...store.Text) {
	s.t.Helper()
	if _, err := s.eng.Apply(s.t.Context(), texts, "test", "", false); err != nil {
		s.t.Fatal(err)
	}
}

// submit sends live events and moves the clock on.
func (s *shop) submit(ps ...event.Payload) []engine.Outcome {
	s.t.Helper()
	evs := make([]event.Event, len(ps))
	for i, p := range ps {
		s.n++
		evs[i] = event.Event{Source: "test", Key: fmt.Sprint("k", s.n), Data: p}
	}
	out, err := s.eng.Submit(s.t.Context(), evs)
	if err != nil {
		s.t.Fatal(err)
	}
	s.now = s.now.Add(7 * time.Minute)
	return out
}

// past sends an event of the past.
func (s *shop) past(at time.Time, p event.Payload) {
	s.t.Helper()
	s.n++
	out, err := s.eng.Submit(s.t.Context(), []event.Event{{Source: "test", Key: fmt.Sprint("k", s.n), At: at, Mode: event.History, Data: p}})
	if err != nil || out[0].Status != engine.Decided {
		s.t.Fatal(err, out)
	}
}

func (s *shop) options(as ...*automation.Automation) backtest.Options {
	return backtest.Options{DB: s.db, Keys: s.keys, Policies: s.eng, Candidates: as}
}

func parse(t *testing.T, text string) *automation.Automation {
	t.Helper()
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "automation: "), "\n")
	a, err := automation.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// benchTexts are the automations of examples/bench as policy texts, and parsed.
func benchTexts(t *testing.T) (texts []store.Text, as []*automation.Automation) {
	t.Helper()
	files, err := fs.Glob(examples.Bench(), "*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no automations", err)
	}
	for _, f := range files {
		text, err := fs.ReadFile(examples.Bench(), f)
		if err != nil {
			t.Fatal(err)
		}
		a := parse(t, string(text))
		texts = append(texts, store.Text{Kind: engine.KindAutomation, Name: a.Name, Text: string(text)})
		as = append(as, a)
	}
	return texts, as
}

// recorded are the traces of automations as the live run stored them, by event id.
func (s *shop) recorded() (said map[string][]decide.Considered, facts map[string]string) {
	s.t.Helper()
	said, facts = map[string][]decide.Considered{}, map[string]string{}
	h := backtest.History{DB: s.db, Keys: s.keys}
	err := h.Each(s.t.Context(), func(e *backtest.Entry) error {
		t, err := e.Recorded()
		if len(t.Automations) > 0 {
			said[e.ID] = t.Automations
		}
		if e.Facts != "" {
			facts[e.ID] = e.Facts
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return said, facts
}
