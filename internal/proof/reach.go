package proof

import (
	"regexp"
	"slices"
	"time"

	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
)

// A condition that comes out true shows that an automation fires, not that it gets to each of its steps: a
// branch, a stop or a wait may lie before one. So a witness of a step that is not sure is decided once more,
// as runs, which keep what every step did, and what waits goes on in ways that life may take: its time comes,
// a person chooses one of the answers, the awaited event comes, a system answers (turns.go).

// maxWays bounds the ways that are tried for one witness, and maxTurns how often runs go on upon each.
const (
	maxWays  = 24
	maxTurns = 12
)

var lineOfLoop = regexp.MustCompile(`\.do\d+`)

// reached reports whether upon one of these ways all the acts are done, and what happens on it.
func reached(settings decide.Settings, as []*automation.Automation, c Case, want ...*act) (after []string, ok bool) {
	ways := [][]int{nil}
	for tried := 0; len(ways) > 0 && tried < maxWays; tried++ {
		way := ways[0]
		ways = ways[1:]
		done, after, options, err := follow(settings, as, c, way)
		if err != nil {
			continue
		}
		if !slices.ContainsFunc(want, func(a *act) bool { return !done[a.of.Name+" "+a.at] }) {
			return after, true
		}
		for i := range options {
			ways = append(ways, append(slices.Clone(way), i))
		}
	}
	return nil, false
}

// follow decides a case and lets waiting runs go on as a way says. It returns the steps that were done, what
// happened meanwhile, and how many choices there are where the way ends.
func follow(settings decide.Settings, as []*automation.Automation, c Case, way []int) (done map[string]bool, after []string, options int, err error) {
	done = map[string]bool{}
	for _, one := range events(as, c) { // those of the clock have an event each
		t := newTrial(settings, one)
		ev, err := t.prepare(one)
		if err != nil {
			return nil, nil, 0, err
		}
		kept := make([]*automation.Automation, len(as))
		for i, a := range as {
			live := *a
			live.Mode, live.Share = automation.Active, 0
			live.Limits = automation.Limits{}
			// With a wait at the end every firing is kept as a run.
			live.Steps = append(slices.Clone(a.Steps), automation.Step{Kind: automation.KindWait, Action: automation.Wait{For: time.Hour}})
			kept[i] = &live
		}
		t.pol.Automations = automation.NewSet(kept)
		t.snap.Given = c.Given
		if err := t.happen(ev); err != nil {
			return nil, nil, 0, err
		}
		for range maxTurns {
			run, turns := t.waiting(kept, one)
			if run == nil {
				break
			}
			if len(way) == 0 {
				options = len(turns)
				break
			}
			turn := turns[min(way[0], len(turns)-1)]
			way = way[1:]
			if turn.late && run.Wait.Until.After(t.at) {
				t.at = run.Wait.Until
			}
			after = append(after, turn.text)
			if err := t.happen(turn.event); err != nil {
				return nil, nil, 0, err
			}
		}
		for _, run := range t.snap.Runs {
			for _, s := range run.Steps {
				done[run.Automation+" "+lineOfLoop.ReplaceAllString(s.At, ".do")] = true
			}
		}
	}
	return done, after, options, nil
}

// events are a case as each automation meets it: what the clock sets off has an event for each.
func events(as []*automation.Automation, c Case) []Case {
	var out []Case
	for _, a := range as {
		x := c
		switch p := c.Event.(type) {
		case *event.ScheduleDue:
			q := *p
			q.Automation = a.Name
			x.Event = &q
		case *event.AbsenceDue:
			q := *p
			q.Automation = a.Name
			x.Event = &q
		default:
			return []Case{c}
		}
		out = append(out, x)
	}
	return out
}
