package engine

import (
	"fmt"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/store"
)

// ApplyOption changes how Apply checks.
type ApplyOption func(*applyChecks)

type applyChecks struct{ failing bool }

// AllowFailingTests lets automations in whose own tests fail.
func AllowFailingTests() ApplyOption { return func(c *applyChecks) { c.failing = true } }

// Tests runs the tests beside the automations of a policy, after checking all of its texts.
func Tests(texts []store.Text) ([]proof.TestResult, error) {
	l, err := Compile(texts)
	if err != nil {
		return nil, err
	}
	return proof.Tests(l.policy.Settings, l.policy.Automations.All()), nil
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
