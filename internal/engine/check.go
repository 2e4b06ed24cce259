package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

// ApplyOption changes how Apply checks.
type ApplyOption func(*applyChecks)

type applyChecks struct {
	failing   bool
	confirmed bool  // by a second person
	upon      int64 // the revision that was confirmed upon
}

// AllowFailingTests lets automations in whose own tests fail.
func AllowFailingTests() ApplyOption { return func(c *applyChecks) { c.failing = true } }

// CheckTexts is Check for texts that are no shop's yet: of the world beside them it knows nothing.
func CheckTexts(texts []store.Text) (*proof.Report, error) {
	l, err := Compile(texts)
	if err != nil {
		return nil, err
	}
	return l.check(proof.World{}), nil
}

// CheckFolder is Check for texts that may become this shop's policy.
func (e *Engine) CheckFolder(ctx context.Context, texts []store.Text) (*proof.Report, error) {
	l, err := Compile(texts)
	if err != nil {
		return nil, err
	}
	var world proof.World
	err = e.db.View(ctx, func(tx *store.Tx) error {
		world, err = e.world(tx, l)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s := l.policy.Settings; s.Fulfilment != "" { // the folder says that it will be there
		world.Names.Connections = append(world.Names.Connections, s.Fulfilment)
	}
	return l.check(world), nil
}

func (l *loaded) check(world proof.World) *proof.Report {
	all := l.policy.Automations.All()
	begun := time.Now()
	r := proof.Check(l.policy.Settings, world, all)
	r.Took = time.Since(begun)
	r.Tests = proof.Tests(l.policy.Settings, all)
	return r
}

// Check looks at the current policy: the tests beside its automations, all of them together, and what
// the shop has beside them.
func (e *Engine) Check(ctx context.Context) (*proof.Report, error) {
	var r *proof.Report
	err := e.db.View(ctx, func(tx *store.Tx) error {
		policy, err := e.currentPolicy(tx)
		if err != nil {
			return err
		}
		world, err := e.world(tx, e.loaded.Load())
		if err != nil {
			return err
		}
		r = (&loaded{policy: policy}).check(world)
		in, err := e.mapInput(tx)
		if err != nil {
			return err
		}
		r.Map = atlas.Build(in).Gaps
		return nil
	})
	return r, err
}

// findings are those of one policy revision in one world, kept as pages ask for them again and again.
type findings struct {
	mu     sync.Mutex
	at     string
	report *proof.Report
}

// Findings returns what Check finds, worked out once for every policy and for what the shop has beside
// it, with the answers of the past that are known by now.
func (e *Engine) Findings(ctx context.Context) (*proof.Report, error) {
	var policy *decide.Policy
	var world proof.World
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		if policy, err = e.currentPolicy(tx); err != nil {
			return err
		}
		world, err = e.world(tx, e.loaded.Load())
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.withPast(ctx, e.findings.of(policy, world))
}

// of is the report of a policy in a world, kept until one of them changes.
func (f *findings) of(policy *decide.Policy, world proof.World) *proof.Report {
	at := fmt.Sprint(policy.Revision, world)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at != at {
		f.at, f.report = at, (&loaded{policy: policy}).check(world)
	}
	return f.report
}

// FindingsOf returns what can be shown of an automation whose text is not saved yet, beside the others of
// the current policy, and runs its tests. name is the policy text that it would take the place of, "" for a new one.
func (e *Engine) FindingsOf(ctx context.Context, name, text string) (*proof.Report, error) {
	a, err := automation.Parse(firstName(name, "text")+".yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	var policy *decide.Policy
	var world proof.World
	err = e.db.View(ctx, func(tx *store.Tx) (err error) {
		if policy, err = e.currentPolicy(tx); err != nil {
			return err
		}
		world, err = e.world(tx, e.loaded.Load())
		return err
	})
	if err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(slices.Clone(policy.Automations.All()), func(b *automation.Automation) bool {
		return b.Name == a.Name || name != "" && b.File == name+".yaml"
	})
	r := proof.CheckOne(policy.Settings, world, append(all, a), a.Name)
	r.Tests = proof.Tests(policy.Settings, []*automation.Automation{a})
	return e.withPast(ctx, r)
}

// RunTests runs the tests of an automation that is not saved yet, each by itself.
func (e *Engine) RunTests(ctx context.Context, a *automation.Automation) ([]proof.Run, error) {
	var policy *decide.Policy
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		policy, err = e.currentPolicy(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	runs := make([]proof.Run, len(a.Tests))
	for i := range a.Tests {
		runs[i] = proof.RunOf(policy.Settings, a, &a.Tests[i])
	}
	return runs, nil
}

// world is what the shop has beside a policy.
func (e *Engine) world(tx *store.Tx, l *loaded) (proof.World, error) {
	w := proof.World{Known: true, IPTable: e.tables.Load().ip.Len() > 0, Inbound: map[string][]string{}}
	var err error
	if w.Names, err = namesOf(tx, l); err != nil {
		return w, err
	}
	if w.LowLines, err = tx.AnyLowLine(); err != nil {
		return w, err
	}
	conns, err := tx.Connections()
	if err != nil {
		return w, err
	}
	for _, c := range conns {
		if c.Kind != "inbound" {
			continue
		}
		var config struct {
			EventType string `json:"event_type"`
		}
		if err := json.Unmarshal([]byte(c.Config), &config); err != nil {
			return w, fault.Wrap(err, fault.Internal, "engine.world", "the connection %s cannot be read", c.Name)
		}
		w.Inbound[c.Name] = nil
		if config.EventType != "" {
			w.Inbound[c.Name] = []string{config.EventType}
		}
	}
	return w, nil
}

// failing refuses a policy whose automations do not do what the tests beside them say.
func (l *loaded) failing() error {
	failed := proof.Failed(proof.Tests(l.policy.Settings, l.policy.Automations.All()))
	if len(failed) == 0 {
		return nil
	}
	e := fault.New(fault.Invalid, "engine.Apply", "%s; nothing was changed", proof.CountFailed(len(failed)))
	for _, r := range failed {
		e.Problems = append(e.Problems, fault.Problem{Pointer: r.At(), Message: fmt.Sprintf("test %q: %s", r.Name, r.Problem)})
	}
	return e
}
