package automation

import (
	"fmt"
	"sort"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/rule"
)

// Set is the automations of a shop, ready to be asked per event. It is immutable.
type Set struct {
	all    []*Automation
	byName map[string]*Automation
	byType map[string]*triggered
}

// triggered is what an event type sets off.
type triggered struct {
	on         []*Automation
	guarded    []*Automation
	fields     []string
	velocities []rule.Velocity
	begins     []*Automation // absences that begin with it
	awaited    bool          // an absence is one of it
}

// Check returns the problems of automations that each are valid but do not go
// together: a name that two of them have.
func Check(as []*Automation) error {
	var ps []fault.Problem
	first := map[string]*Automation{}
	for _, a := range as {
		if other, ok := first[a.Name]; ok {
			ps = append(ps, fault.Problem{Pointer: a.File, Message: fmt.Sprintf("the name %s is already taken by %s", a.Name, other.File)})
			continue
		}
		first[a.Name] = a
	}
	return fault.Problems("automation.Check", ps)
}

// NewSet makes a set. Of automations with one name it keeps the first; call
// Check before to refuse them.
func NewSet(as []*Automation) *Set {
	s := &Set{byName: make(map[string]*Automation, len(as)), byType: map[string]*triggered{}}
	for _, a := range as {
		if _, ok := s.byName[a.Name]; ok {
			continue
		}
		s.byName[a.Name] = a
		s.all = append(s.all, a)
	}
	sort.Slice(s.all, func(i, j int) bool { return s.all[i].Name < s.all[j].Name })
	for _, a := range s.all {
		if !a.Mode.Considered() {
			continue
		}
		t := s.of(a.On)
		t.on = append(t.on, a)
		if a.Guarded() {
			t.guarded = append(t.guarded, a)
		}
		fields, counts := a.StepReads()
		t.fields = append(append(t.fields, a.Condition.Fields()...), fields...)
		for _, v := range append(a.Condition.Velocities(), counts...) {
			t.velocities = addOnce(t.velocities, v)
		}
		if x := a.Absence; x != nil {
			t := s.of(x.After)
			t.begins = append(t.begins, a)
			s.of(x.Of).awaited = true
		}
	}
	for _, t := range s.byType {
		sort.Strings(t.fields)
		t.fields = compact(t.fields)
		sort.Slice(t.velocities, func(i, j int) bool { return t.velocities[i].Fact < t.velocities[j].Fact })
	}
	return s
}

func (s *Set) of(eventType string) *triggered {
	t := s.byType[eventType]
	if t == nil {
		t = &triggered{}
		s.byType[eventType] = t
	}
	return t
}

// Watches returns the automations that notice when something does not follow on
// an event of a type, and whether any notices that such an event did not come. The result is shared.
func (s *Set) Watches(eventType string) (begin []*Automation, awaited bool) {
	if t := s.byType[eventType]; t != nil {
		return t.begins, t.awaited
	}
	return nil, false
}

// Scheduled returns the automations with a schedule, in any mode, sorted by name.
func (s *Set) Scheduled() []*Automation {
	var out []*Automation
	for _, a := range s.all {
		if a.Schedule != nil {
			out = append(out, a)
		}
	}
	return out
}

func addOnce(vs []rule.Velocity, v rule.Velocity) []rule.Velocity {
	for _, have := range vs {
		if have == v {
			return vs
		}
	}
	return append(vs, v)
}

func compact(sorted []string) []string {
	out := sorted[:0]
	for i, s := range sorted {
		if i == 0 || s != sorted[i-1] {
			out = append(out, s)
		}
	}
	return out
}

// On returns the automations that an event type sets off and that are
// considered (shadow, canary, active), sorted by name. The result is shared: do not change it.
func (s *Set) On(eventType string) []*Automation {
	if t := s.byType[eventType]; t != nil {
		return t.on
	}
	return nil
}

// Fields returns the facts the automations On an event type may read, sorted,
// velocities by their fact names. The result is shared.
func (s *Set) Fields(eventType string) []string {
	if t := s.byType[eventType]; t != nil {
		return t.fields
	}
	return nil
}

// Velocities returns the counts the automations On an event type ask for, each once, sorted. The result is shared.
func (s *Set) Velocities(eventType string) []rule.Velocity {
	if t := s.byType[eventType]; t != nil {
		return t.velocities
	}
	return nil
}

// Guarded returns the automations On an event type whose doings are counted. See Automation.Guarded.
func (s *Set) Guarded(eventType string) []*Automation {
	if t := s.byType[eventType]; t != nil {
		return t.guarded
	}
	return nil
}

// Get returns the automation of a name in any mode, or nil.
func (s *Set) Get(name string) *Automation { return s.byName[name] }

// All returns every automation in any mode, sorted by name. The result is shared.
func (s *Set) All() []*Automation { return s.all }
