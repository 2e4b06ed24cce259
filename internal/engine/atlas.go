package engine

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// mapEvery is how often the structure of the map is compared with the one kept last. A change of the policy is
// found at the next round.
const mapEvery = 10 * time.Minute

// mapped is when this node last kept the map, and for which policy.
type mapped struct {
	mu  sync.Mutex
	rev int64
	at  time.Time
}

// countedAtOnce bounds the events that one transaction counts flows of, roundsAtOnce the transactions of one round.
const (
	countedAtOnce = 2000
	roundsAtOnce  = 10
)

// keepMap counts what flowed since the last round, and keeps the map's structure when it changed.
func (e *Engine) keepMap(ctx context.Context) error {
	if err := e.countFlows(ctx, roundsAtOnce); err != nil {
		return err
	}
	rev := e.Policy().Revision
	e.mapped.mu.Lock()
	due := e.mapped.rev != rev || e.now().Sub(e.mapped.at) >= mapEvery
	if due {
		e.mapped.rev, e.mapped.at = rev, e.now()
	}
	e.mapped.mu.Unlock()
	if !due {
		return nil
	}
	_, err := e.SnapshotMap(ctx)
	return err
}

// countFlows counts flows in small transactions, rounds at most; 0 = until none is left.
func (e *Engine) countFlows(ctx context.Context, rounds int) error {
	for i := 0; rounds == 0 || i < rounds; i++ {
		var n int
		err := e.db.Update(ctx, func(tx *store.Tx) (err error) {
			n, err = tx.CountFlows([]string{engineSource, timerSource}, e.Policy().Settings.Currency, countedAtOnce)
			return err
		})
		if err != nil || n < countedAtOnce {
			return err
		}
	}
	return nil
}

// SnapshotMap keeps the structure of the map unless it is the one kept last, and reports whether it did.
func (e *Engine) SnapshotMap(ctx context.Context) (kept bool, err error) {
	_, kept, err = e.snapshotMap(ctx)
	return kept, err
}

func (e *Engine) snapshotMap(ctx context.Context) (m *atlas.Map, kept bool, err error) {
	if m, err = e.Map(ctx); err != nil {
		return nil, false, err
	}
	doc, hash := m.Structure().Encode()
	err = e.db.Update(ctx, func(tx *store.Tx) (err error) {
		kept, err = tx.PutMapSnapshot(store.MapSnapshot{At: tx.Now(), Policy: e.Policy().Revision, Hash: hash, Doc: doc})
		return err
	})
	return m, kept, err
}

// FreshMap is Map with everything counted that has come in; its structure is kept when it changed.
func (e *Engine) FreshMap(ctx context.Context) (*atlas.Map, error) {
	if err := e.countFlows(ctx, 0); err != nil {
		return nil, err
	}
	m, _, err := e.snapshotMap(ctx)
	return m, err
}

// Map makes the system map of the shop as it is now.
func (e *Engine) Map(ctx context.Context) (*atlas.Map, error) {
	var in *atlas.Input
	err := e.db.View(ctx, func(tx *store.Tx) (err error) {
		in, err = e.mapInput(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return atlas.Build(in), nil
}

// observedDays is how many days the map looks back.
const observedDays = 30

func (e *Engine) mapInput(tx *store.Tx) (*atlas.Input, error) {
	policy, err := e.currentPolicy(tx)
	if err != nil {
		return nil, err
	}
	s := policy.Settings
	now := e.now().UTC()
	in := &atlas.Input{
		At: now, Shop: s.Name, Currency: s.Currency, OpsOwner: s.OpsOwner, Mail: s.Mail, Fulfilment: s.Fulfilment, Alerts: s.Alerts,
		Automations: policy.Automations.All(), Accounts: map[string]bool{}, Watched: map[string]string{}, Heard: map[string]bool{}, Declared: e.loaded.Load().declared,
	}
	if policy.Routing != nil {
		in.RoutingOwner = policy.Routing.Owner
	}
	for _, a := range in.Automations {
		if a.Expect != nil {
			in.Watched[a.On] = a.Name
		}
		if a.Absence != nil {
			in.Watched[a.Absence.Of] = a.Name
		}
	}
	if e.opts.Rates != nil {
		rates, err := e.opts.Rates(tx, policy, now)
		if err != nil {
			return nil, err
		}
		for _, name := range rates {
			switch kind, of, _ := strings.Cut(name, ":"); kind {
			case "event":
				in.Watched[of] = "the watch"
			case "connection":
				in.Heard[of] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(policy.Locations)) {
		l := policy.Locations[id]
		in.Locations = append(in.Locations, atlas.Location{ID: id, Name: l.Name, Connection: l.Connection})
	}
	if err := mapConnections(tx, in); err != nil {
		return nil, err
	}
	if err := mapPeople(tx, in); err != nil {
		return nil, err
	}
	today := store.FlowDay(now)
	flows, err := tx.Flows(today - observedDays + 1)
	if err != nil {
		return nil, err
	}
	for _, f := range flows {
		in.Flows = append(in.Flows, atlas.Flow{
			Ago: int(max(0, today-f.Day)), Out: f.Out, System: f.System, What: f.What, Via: f.Via, N: f.N, Orders: f.Orders, Minor: f.Minor, Last: f.Last,
		})
	}
	if in.Acts, err = activities(tx, now.AddDate(0, 0, -observedDays)); err != nil {
		return nil, err
	}
	if in.Acts7, err = activities(tx, now.AddDate(0, 0, -7)); err != nil {
		return nil, err
	}
	in.Products, err = tx.AnyProduct()
	return in, err
}

func activities(tx *store.Tx, since time.Time) (map[string]atlas.Activity, error) {
	totals, err := tx.AutomationTotals(since)
	out := make(map[string]atlas.Activity, len(totals))
	for name, t := range totals {
		out[name] = atlas.Activity(t)
	}
	return out, err
}

func mapConnections(tx *store.Tx, in *atlas.Input) error {
	conns, err := tx.ConnectionRows()
	if err != nil {
		return err
	}
	for _, c := range conns {
		var config struct {
			EventType string `json:"event_type"`
			Address   string `json:"address"`
			Host      string `json:"host"`
		}
		if err := json.Unmarshal([]byte(c.Config), &config); err != nil {
			return fault.Wrap(err, fault.Internal, "engine.Map", "the connection %s cannot be read", c.Name)
		}
		in.Connections = append(in.Connections, atlas.Connection{
			Name: c.Name, Kind: c.Kind, EventType: config.EventType, Address: firstName(config.Address, config.Host), Waiting: c.Waiting.N, Dead: c.Dead.N,
		})
	}
	return nil
}

func mapPeople(tx *store.Tx, in *atlas.Input) error {
	users, err := tx.Users()
	if err != nil {
		return err
	}
	mails := map[string]string{}
	for _, u := range users {
		in.Accounts[strings.ToLower(u.Email)] = !u.Disabled
		mails[u.ID] = u.Email
	}
	tokens, err := tx.Tokens()
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if !t.Revoked {
			in.Tokens = append(in.Tokens, atlas.Token{Name: t.Name, By: firstName(mails[t.CreatedBy], t.CreatedBy), Writes: slices.Contains(t.Scopes, access.EventsWrite), LastUsed: t.LastUsed})
		}
	}
	var assigned map[string]int64
	if in.Queues, assigned, err = tx.OpenTasks(); err != nil {
		return err
	}
	in.Assigned = map[string]int64{}
	for who, n := range assigned {
		in.Assigned[firstName(mails[who], who)] += n
	}
	return nil
}

// MapChanges says what changed on the map since a time, against the snapshot that was the newest one then.
func (e *Engine) MapChanges(ctx context.Context, since time.Time) (*atlas.Changes, error) {
	m, err := e.Map(ctx)
	if err != nil {
		return nil, err
	}
	c := &atlas.Changes{Asked: since, Changes: []atlas.Change{}}
	var then store.MapSnapshot
	var ok bool
	err = e.db.View(ctx, func(tx *store.Tx) (err error) {
		if then, ok, err = tx.MapAt(since); err != nil {
			return err
		}
		if !ok { // the map is not kept for as long: from its beginning
			if then, ok, err = tx.FirstMap(); err != nil {
				return err
			}
		}
		c.Times, err = tx.MapTimes(50)
		return err
	})
	if err != nil || !ok {
		return c, err
	}
	before, err := atlas.DecodeStructure(then.Doc)
	if err != nil {
		return nil, err
	}
	c.Since, c.Changes = then.At, atlas.Diff(before, m.Structure())
	return c, nil
}
