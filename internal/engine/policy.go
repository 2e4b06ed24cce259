package engine

import (
	"context"
	"fmt"
	"time"

	"orderly.example/orderly/internal/atlas"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/store"
)

// Kinds of policy texts.
const (
	KindAutomation = "automation"
	KindRouting    = "routing"
	KindShop       = "shop"
	KindTemplate   = "template"
	KindMap        = "map"
)

// tables are postal codes and IP ranges in memory; they change only by `orderly data import`.
type tables struct {
	postal *geo.Postal
	ip     *geo.IPTable
}

// loaded is a policy with what belongs to it beside decisions.
type loaded struct {
	policy    *decide.Policy
	templates *notify.Set
	declared  *atlas.Declared // nil: the shop has no map.yaml
	locations int64           // count of location changes it was made at
}

// Reload reads the tables and the current policy again.
func (e *Engine) Reload(ctx context.Context) error {
	t := &tables{}
	return e.db.View(ctx, func(tx *store.Tx) error {
		var pb geo.PostalBuilder
		err := tx.EachPostal(func(country, code string, lat, lon float64) { pb.Add(country, code, lat, lon) })
		if err != nil {
			return err
		}
		var ib geo.IPBuilder
		err = tx.EachIPRange(func(lo, hi uint32, country string) { ib.Add(lo, hi, country) })
		if err != nil {
			return err
		}
		t.postal, t.ip = pb.Build(), ib.Build()
		e.tables.Store(t)
		rev, locations, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		return e.loadPolicy(tx, rev, locations)
	})
}

// currentPolicy is what is decided under: the current revision, reloaded when another node changed it.
func (e *Engine) currentPolicy(tx *store.Tx) (*decide.Policy, error) {
	rev, locations, err := tx.CurrentPolicy()
	if err != nil {
		return nil, err
	}
	return e.policyAt(tx, rev, locations)
}

func (e *Engine) policyAt(tx *store.Tx, rev, locations int64) (*decide.Policy, error) {
	if l := e.loaded.Load(); l.policy.Revision != rev || l.locations != locations {
		if err := e.loadPolicy(tx, rev, locations); err != nil {
			return nil, err
		}
		e.watch.tell(Topic{Kind: "policy"})
	}
	return e.loaded.Load().policy, nil
}

func (e *Engine) loadPolicy(tx *store.Tx, rev, locations int64) error {
	texts, err := tx.Policy(rev)
	if err != nil {
		return err
	}
	l, err := Compile(texts)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "engine.loadPolicy", "policy revision %d cannot be read by this version of Orderly", rev)
	}
	l.policy.Revision, l.locations = rev, locations
	if l.policy.Locations, err = tx.AllLocations(); err != nil {
		return err
	}
	l.policy.Zones = zones(l.policy.Locations)
	t := e.tables.Load()
	if t.postal.Len() > 0 {
		l.policy.Postal = t.postal
	}
	if t.ip.Len() > 0 {
		l.policy.IP = t.ip
	}
	e.loaded.Store(l)
	return nil
}

// zones are the time zones that locations name. An unknown one falls back to the shop's.
func zones(locations map[string]catalog.Location) map[string]*time.Location {
	out := map[string]*time.Location{}
	for _, l := range locations {
		if l.TimeZone != "" && out[l.TimeZone] == nil {
			if z, err := time.LoadLocation(l.TimeZone); err == nil {
				out[l.TimeZone] = z
			}
		}
	}
	return out
}

// Compile turns policy texts into a policy without its locations. Every problem of every text is reported at once.
func Compile(texts []store.Text) (*loaded, error) {
	l := &loaded{policy: &decide.Policy{Routing: routing.DefaultPolicy(), Settings: DefaultSettings()}}
	var as []*automation.Automation
	var ps []fault.Problem
	var own []*notify.Template
	collect := func(err error) {
		if err == nil {
			return
		}
		if f, ok := err.(*fault.Error); ok && len(f.Problems) > 0 {
			ps = append(ps, f.Problems...)
			return
		}
		ps = append(ps, fault.Problem{Pointer: "policy", Message: fault.Message(err)})
	}
	for _, t := range texts {
		switch t.Kind {
		case KindAutomation:
			a, err := automation.Parse(t.Name+".yaml", []byte(t.Text))
			collect(err)
			if err == nil {
				as = append(as, a)
			}
		case KindRouting:
			p, err := routing.ParsePolicy([]byte(t.Text))
			collect(err)
			if err == nil {
				l.policy.Routing = p
			}
		case KindShop:
			s, err := ParseSettings(t.Name+".yaml", []byte(t.Text))
			collect(err)
			l.policy.Settings = s
		case KindTemplate:
			tpl, err := notify.Parse(t.Name, []byte(t.Text))
			collect(err)
			if err == nil {
				own = append(own, tpl)
			}
		case KindMap:
			d, err := atlas.ParseDeclared(t.Name+".yaml", []byte(t.Text))
			collect(err)
			if err == nil {
				l.declared = d
			}
		default:
			ps = append(ps, fault.Problem{Pointer: t.Name, Message: fmt.Sprintf("%q is no kind of policy text", t.Kind)})
		}
	}
	collect(automation.Check(as))
	if err := fault.Problems("engine.Compile", ps); err != nil {
		return nil, err
	}
	l.policy.Automations = automation.NewSet(as)
	var err error
	if l.templates, err = notify.NewSet(own...); err != nil {
		return nil, err
	}
	for _, a := range as {
		ps = append(ps, templatesOf(l.templates).Unknown(a, automation.ArgTemplate)...)
	}
	return l, fault.Problems("engine.Compile", ps)
}
