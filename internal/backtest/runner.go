package backtest

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// Runner runs backtests of the shop's automations behind the console: one at a time
// on a node. The latest result of each automation is kept.
type Runner struct {
	DB       *store.DB
	Old      Archive // has the reasons of archived events; nil: there is none
	Read     Reader  // the history is read from it; nil: from DB
	Keys     *store.Keyring
	Policies Policies
	Now      func() time.Time
	Log      *slog.Logger

	mu      sync.Mutex
	running *Running
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	pastMu sync.Mutex // of what the past was asked
	told   map[string]told
	tags   map[string][]string
	asking context.CancelFunc // nil: nobody asks
}

// Running is a backtest that runs now.
type Running struct {
	Name        string
	Version     string // hash of the text
	Started     time.Time
	By          string
	Done, Total int64
}

// Result is a backtest that ended.
type Result struct {
	Version string    `json:"version"` // of the automation
	Started time.Time `json:"started"`
	By      string    `json:"by"`
	Since   string    `json:"since,omitempty"` // as asked for
	Until   string    `json:"until,omitempty"`
	Report  *Report   `json:"report,omitempty"`
	Failed  string    `json:"failed,omitempty"` // why there is no report
}

// resultSetting keeps the result of an automation.
func resultSetting(name string) string { return "backtest." + name }

// triedSetting keeps the result of the text that was tried last under a name, before it was saved.
func triedSetting(name string) string { return "backtest-tried." + name }

// Start begins a backtest of an automation of the current policy, in the background. It is
// refused with Conflict while one runs.
func (r *Runner) Start(ctx context.Context, name, by string, since, until time.Time, capacity int) error {
	var a *automation.Automation
	err := r.DB.View(ctx, func(tx *store.Tx) error { // the engine learns of a new policy with the next event only
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		pol, err := r.Policies.PolicyThen(tx, rev)
		if err == nil {
			a = pol.Automations.Get(name)
		}
		return err
	})
	if err != nil {
		return err
	}
	if a == nil {
		return fault.New(fault.NotFound, "backtest.Start", "there is no automation %q in the current policy", name)
	}
	return r.begin(ctx, a, resultSetting(name), by, since, until, capacity)
}

// Try begins a backtest of an automation that need not be saved, as Start does.
func (r *Runner) Try(ctx context.Context, a *automation.Automation, by string) error {
	return r.begin(ctx, a, triedSetting(a.Name), by, time.Time{}, time.Time{}, 0)
}

// begin runs the backtest of an automation in the background and keeps its result under a setting.
func (r *Runner) begin(ctx context.Context, a *automation.Automation, setting, by string, since, until time.Time, capacity int) error {
	name := a.Name
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil {
		return fault.New(fault.Conflict, "backtest.Start", "the backtest of %s is still running; wait for it or stop it", r.running.Name)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the request
	r.running, r.cancel = &Running{Name: name, Version: a.Hash, Started: r.Now(), By: by}, cancel
	res := Result{Version: a.Hash, Started: r.running.Started, By: by}
	if !since.IsZero() {
		res.Since = since.Format(time.DateOnly)
	}
	if !until.IsZero() {
		res.Until = until.Format(time.DateOnly)
	}
	o := r.options()
	o.Candidates, o.Since, o.Until, o.Capacity = []*automation.Automation{a}, since, until, capacity
	o.Progress = func(done, total int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.running != nil {
			r.running.Done, r.running.Total = done, total
		}
	}
	r.wg.Go(func() {
		defer cancel()
		rep, err := Run(ctx, o)
		switch {
		case err == nil:
			res.Report = rep
		case ctx.Err() != nil:
			res.Failed = "It was stopped."
		default:
			res.Failed = fault.Message(err)
			r.Log.Error("a backtest failed", "automation", name, "err", err)
		}
		r.end(context.WithoutCancel(ctx), name, setting, res)
	})
	return nil
}

// options are those that every run of it has.
func (r *Runner) options() Options {
	o := Options{DB: r.DB, Old: r.Old, Keys: r.Keys, Policies: r.Policies}
	if r.Read != nil {
		o.DB = r.Read
	}
	return o
}

// end keeps the result and lets the next one begin.
func (r *Runner) end(ctx context.Context, name, setting string, res Result) {
	doc, err := json.Marshal(res)
	if err == nil {
		err = r.DB.Update(ctx, func(tx *store.Tx) error { return tx.PutSetting(setting, string(doc)) })
	}
	if err != nil {
		r.Log.Error("the result of a backtest could not be kept", "automation", name, "err", err)
	}
	r.mu.Lock()
	r.running = nil
	r.mu.Unlock()
}

// Running returns the backtest that runs on this node; ok is false when none does.
func (r *Runner) Running() (now Running, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		return now, false
	}
	return *r.running, true
}

// Stop ends the backtest of an automation, if it runs.
func (r *Runner) Stop(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running != nil && r.running.Name == name {
		r.cancel()
	}
}

// Latest returns the latest result of an automation; ok is false when it was never tried.
func (r *Runner) Latest(ctx context.Context, name string) (Result, bool, error) {
	return r.kept(ctx, resultSetting(name))
}

// Tried returns the result of the text that was tried last under a name before it was saved.
func (r *Runner) Tried(ctx context.Context, name string) (Result, bool, error) {
	return r.kept(ctx, triedSetting(name))
}

func (r *Runner) kept(ctx context.Context, setting string) (res Result, ok bool, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		doc, found, err := tx.Setting(setting)
		if err != nil || !found {
			return err
		}
		ok = true
		if err := json.Unmarshal([]byte(doc), &res); err != nil {
			return fault.Wrap(err, fault.Internal, "backtest.Latest", "the kept result %s cannot be read", setting)
		}
		return nil
	})
	return res, ok, err
}

// Close stops what runs and waits for it.
func (r *Runner) Close() {
	r.mu.Lock()
	if r.cancel != nil {
		r.cancel()
	}
	r.mu.Unlock()
	r.pastMu.Lock()
	if r.asking != nil {
		r.asking()
	}
	r.pastMu.Unlock()
	r.wg.Wait()
}
