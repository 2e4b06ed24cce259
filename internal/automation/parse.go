package automation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/mail"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Limits of one text, far above what a person writes.
const (
	maxText    = 64 << 10
	maxSteps   = 50   // with those inside others
	maxInside  = 4    // steps inside steps
	maxLine    = 200  // characters of a name, queue, title, tag …
	maxProse   = 2000 // characters of why and reason
	maxPerHour = 1_000_000
)

// Parse reads one automation from YAML. name is the file name that problems
// point into ("large-order.yaml:3:5"). The error is fault.Invalid and lists every problem found.
func Parse(name string, text []byte) (*Automation, error) {
	d, root := read(name, text)
	if root == nil {
		return nil, d.err()
	}
	sum := sha256.Sum256(text)
	a := &Automation{File: name, Text: string(text), Hash: hex.EncodeToString(sum[:]), Mode: Active, Watch: DefaultWatch, Limits: Limits{PerOrder: DefaultPerOrder}}
	d.automation(a, root)
	if err := d.err(); err != nil {
		return nil, err
	}
	return a, nil
}

// ParseFS reads every *.yaml and *.yml file of a folder and below it, in the
// order of their paths, and checks that they go together. All problems of all
// files are reported at once.
func ParseFS(fsys fs.FS) ([]*Automation, error) {
	const opName = "automation.ParseFS"
	var as []*Automation
	var ps []fault.Problem
	err := fs.WalkDir(fsys, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ext := path.Ext(p); e.IsDir() || ext != ".yaml" && ext != ".yml" {
			return nil
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		a, err := Parse(p, text)
		if err != nil {
			ps = append(ps, problemsOf(p, err)...)
			return nil
		}
		as = append(as, a)
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, opName, "the folder cannot be read: %s", err)
	}
	if err := Check(as); err != nil {
		ps = append(ps, problemsOf("", err)...)
	}
	if err := fault.Problems(opName, ps); err != nil {
		return nil, err
	}
	return as, nil
}

// topKeys are the keys of an automation.
var topKeys = []string{"automation", "owner", "why", "template", "on", "schedule", "when", "do", "mode", "share", "canary", "limits", "expect", "tests"}

// automation fills a from the top of the text.
func (d *doc) automation(a *Automation, root *mapping) {
	d.keys(root, "an automation", topKeys...)

	a.Name = d.required(root, "automation")
	if a.Name != "" && !kebab(a.Name) {
		d.add(root.at("automation"), "the name must be lower-case words joined by dashes, like hold-large-orders, got %q", a.Name)
	}
	a.Owner = d.required(root, "owner")
	if a.Owner != "" && !address(a.Owner) {
		d.add(root.at("owner"), "the owner must be a mail address, like risk@shop.example, got %q", a.Owner)
	}
	a.Why = d.prose(root, "why", true)
	if s, ok := d.text(root, "template"); ok && !kebab(s) {
		d.add(root.at("template"), "names the template that it was made from, like hold-large, got %q", s)
	}
	known := d.trigger(a, root)
	d.mode(a, root)
	d.watch(a, root)
	d.limits(a, root)
	d.expect(a, root)
	if !known {
		return // the rest depends on it
	}
	d.when(a, root)
	d.steps(a, root)
	d.tests(a, root)
}

func (d *doc) mode(a *Automation, root *mapping) {
	if s, ok := d.text(root, "mode"); ok {
		a.Mode = Mode(s)
		if !slices.Contains(Modes(), a.Mode) {
			d.add(root.at("mode"), "the mode is draft, shadow, canary, active or paused, got %q", s)
		}
	}
	s, given := d.text(root, "share")
	switch {
	case given && a.Mode != Canary:
		d.add(root.at("share"), "only the mode canary has a share")
	case given:
		if n, ok := number(strings.TrimSuffix(s, "%"), 99); ok && n > 0 {
			a.Share = n
		} else {
			d.add(root.at("share"), "the share is a percentage from 1%% to 99%%, like 10%%, got %q", s)
		}
	case a.Mode == Canary:
		d.add(root.at("mode"), "the mode canary needs a share, like share: 10%%")
	}
}

// watch reads how a canary is watched. It may stand there in any mode, for the next trial.
func (d *doc) watch(a *Automation, root *mapping) {
	m := d.mapping(root, "canary")
	if m == nil {
		return
	}
	d.keys(m, "canary", "errors", "within", "false_alarm")
	if s, ok := d.text(m, "errors"); ok {
		if a.Watch.Errors, ok = number(strings.TrimSuffix(s, "%"), 100); !ok {
			d.add(m.at("errors"), "is a percentage from 0%% to 100%%, like 5%%, got %q", s)
		}
	}
	if s, ok := d.text(m, "within"); ok {
		v, err := rule.ParseDuration(s)
		switch {
		case err != nil:
			d.add(m.at("within"), "%s", err)
		case v < time.Hour || v > 30*24*time.Hour:
			d.add(m.at("within"), "must be between 1h and 30d, got %s", s)
		}
		a.Watch.Within = v
	}
	if s, ok := d.text(m, "false_alarm"); ok {
		if _, known := critical[s]; !known && s != "off" {
			d.add(m.at("false_alarm"), "must be 5%%, 1%%, 0.1%% or off, got %q", s)
		}
		a.Watch.FalseAlarm = s
	}
}

func (d *doc) limits(a *Automation, root *mapping) {
	m := d.mapping(root, "limits")
	if m == nil {
		return
	}
	d.keys(m, "limits", "per_hour", "money_per_day", "per_order")
	if s, ok := d.text(m, "per_order"); ok {
		if a.Limits.PerOrder, ok = number(s, maxPerHour); !ok || a.Limits.PerOrder == 0 {
			d.add(m.at("per_order"), "must be a whole number from 1 to %d, got %q", maxPerHour, s)
		}
	}
	if s, ok := d.text(m, "per_hour"); ok {
		if a.Limits.PerHour, ok = number(s, maxPerHour); !ok || a.Limits.PerHour == 0 {
			d.add(m.at("per_hour"), "must be a whole number from 1 to %d, got %q", maxPerHour, s)
		}
	}
	if s, ok := d.text(m, "money_per_day"); ok {
		amount, err := money.ParseText(s)
		switch {
		case err != nil:
			d.add(m.at("money_per_day"), "%s", err)
		case amount.Minor <= 0:
			d.add(m.at("money_per_day"), "must be above zero, got %s", s)
		case schema.KnownEvent(a.On) && !schema.IsOrderEvent(a.On):
			d.add(m.at("money_per_day"), "counts the totals of orders, and %s has none", a.On)
		}
		a.Limits.MoneyPerDay = amount
	}
}

func (d *doc) expect(a *Automation, root *mapping) {
	m := d.mapping(root, "expect")
	if m == nil {
		return
	}
	d.keys(m, "expect", "at_least", "per")
	e := &Expect{Per: d.required(m, "per")}
	if s := d.required(m, "at_least"); s != "" {
		n, ok := number(s, maxPerHour)
		if !ok || n == 0 {
			d.add(m.at("at_least"), "must be a whole number from 1 to %d, got %q", maxPerHour, s)
		}
		e.AtLeast = n
	}
	if _, ok := periods[e.Per]; !ok && e.Per != "" {
		d.add(m.at("per"), "must be hour, day, week or month, got %q", e.Per)
	}
	a.Expect = e
}

func (d *doc) when(a *Automation, root *mapping) {
	a.When, _ = d.text(root, "when")
	c, err := rule.Compile(a.When, a.On)
	if err == nil {
		a.Condition = c
		d.compared(a, root.at("when"), a.When)
		return
	}
	d.compileProblems(root.at("when"), a.When, err)
}

// problemsOf returns the problems of an error, one with its message when it lists none.
func problemsOf(pointer string, err error) []fault.Problem {
	if e := asFault(err); e != nil && len(e.Problems) > 0 {
		return e.Problems
	}
	return []fault.Problem{{Pointer: pointer, Message: fault.Message(err)}}
}

var kebabText = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func kebab(s string) bool { return len(s) <= maxLine && kebabText.MatchString(s) }

// address reports whether s is one bare mail address.
func address(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && a.Name == "" && len(s) <= 254
}

// number reads a whole number from 0 to limit, written without sign or leading zero.
func number(s string, limit int) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || len(s) > 9 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != "" && (s[0] != '0' || s == "0") && n <= limit
}

// meantOr names the candidate that a word is nearly, or else all there are.
func meantOr(word string, candidates []string, they string) string {
	if near := didYouMean(word, candidates); near != "" {
		return near
	}
	return "; " + they + " " + strings.Join(candidates, ", ")
}

func didYouMean(word string, candidates []string) string {
	if n := schema.Nearest(word, candidates); n != "" {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	return ""
}
