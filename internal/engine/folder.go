package engine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// A policy folder:
//
//	shop.yaml              settings of the shop
//	routing.yaml           where orders ship from
//	map.yaml               who owns which system and datum
//	automations/*.yaml     one automation a file
//	templates/*.liquid     messages that replace the built-in ones

// MaxText bounds a text of a policy, in bytes.
const MaxText = 256 << 10

// ReadFolder reads the texts of a policy folder. What it does not know is an error: a typo
// in a file name must not switch an automation off silently.
func ReadFolder(fsys fs.FS) ([]store.Text, error) {
	var out []store.Text
	var ps []fault.Problem
	var strange []string
	err := fs.WalkDir(fsys, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasSuffix(e.Name(), ".md") {
			return nil
		}
		dir, file := filepath.Dir(path), e.Name()
		name, ext := strings.TrimSuffix(file, filepath.Ext(file)), filepath.Ext(file)
		var kind string
		switch {
		case path == "shop.yaml":
			kind = KindShop
		case path == "routing.yaml":
			kind = KindRouting
		case path == "map.yaml":
			kind = KindMap
		case dir == "automations" && ext == ".yaml":
			kind = KindAutomation
		case dir == "templates" && ext == ".liquid":
			kind = KindTemplate
		default:
			strange = append(strange, path)
			return nil
		}
		text, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		if len(text) > MaxText {
			ps = append(ps, fault.Problem{Pointer: path, Message: fmt.Sprintf("is larger than %d KiB", MaxText>>10)})
			return nil
		}
		out = append(out, store.Text{Kind: kind, Name: name, Text: string(text)})
		return nil
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "engine.ReadFolder", "the policy folder cannot be read: %v", err)
	}
	ps = append(ps, notOfFolder(strange)...)
	if len(out) == 0 && len(ps) == 0 {
		return nil, fault.New(fault.Invalid, "engine.ReadFolder", "the folder holds no policy: put automations into automations/NAME.yaml; see examples/shop")
	}
	return out, fault.Problems("engine.ReadFolder", ps)
}

// notOfFolder says once what files have no place in a policy folder.
func notOfFolder(paths []string) []fault.Problem {
	if len(paths) == 0 {
		return nil
	}
	const most = 5
	are := strings.Join(paths[:min(len(paths), most)], ", ")
	if n := len(paths) - most; n > 0 {
		are += fmt.Sprintf(" and %d more", n)
	}
	verb := "are"
	if len(paths) == 1 {
		verb = "is"
	}
	message := verb + " not part of a policy folder: shop.yaml, routing.yaml, map.yaml, automations/*.yaml and templates/*.liquid are"
	if !slices.ContainsFunc(paths, func(p string) bool { return filepath.Dir(p) != "." || filepath.Ext(p) != ".yaml" }) {
		message += "; when these are automations, put them into a folder automations inside this one"
	}
	return []fault.Problem{{Pointer: are, Message: message}}
}

// Applied says what an apply changed.
type Applied struct {
	Revision int64    `json:"revision"`
	Version  int64    `json:"version,omitempty"` // of the one automation that was edited
	Changed  bool     `json:"changed"`
	Proposed bool     `json:"proposed,omitempty"` // kept for a second person to confirm
	Added    []string `json:"added,omitempty"`    // kind/name
	Updated  []string `json:"updated,omitempty"`
	Removed  []string `json:"removed,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// Apply makes texts the whole policy, after checking all of them and running the tests beside
// the automations. Without settings among them those of the shop stay. With dry set it only says what it would do.
func (e *Engine) Apply(ctx context.Context, texts []store.Text, author, note string, dry bool, opts ...ApplyOption) (Applied, error) {
	texts, kept, err := e.withSettings(ctx, texts)
	if err != nil {
		return Applied{}, err
	}
	l, err := Compile(texts)
	if err != nil {
		return Applied{}, err
	}
	var checks applyChecks
	for _, o := range opts {
		o(&checks)
	}
	if !checks.failing {
		if err := l.failing(); err != nil {
			return Applied{}, err
		}
	}
	var a Applied
	err = e.db.Update(ctx, func(tx *store.Tx) error {
		a = Applied{}
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		before, err := tx.Policy(rev)
		if err != nil {
			return err
		}
		a.compare(before, texts)
		if a.Warnings, err = warnings(tx, l); err != nil {
			return err
		}
		if kept {
			a.Warnings = append(a.Warnings, "the folder has no shop.yaml: the shop's settings stay as they are")
		}
		a.Revision = rev
		switch {
		case checks.confirmed && checks.upon != rev:
			return fault.New(fault.Conflict, "engine.Apply", "the policy was changed since this was applied; apply it again")
		case !checks.confirmed:
			a.Proposed = e.folderAsksSecond(before, texts, l, author)
		}
		if dry || a.Proposed {
			a.Changed = len(a.Added)+len(a.Updated)+len(a.Removed) > 0
			return nil
		}
		a.Revision, a.Changed, err = tx.PutPolicy(texts, author, note)
		return err
	})
	if err != nil || dry {
		return a, err
	}
	if a.Proposed {
		a.Changed = false
		return a, e.propose(ctx, wish{Folder: &folderWish{Texts: texts, Upon: a.Revision, Failing: checks.failing}}, "", author, note)
	}
	if err := e.Reload(ctx); err != nil {
		return a, err
	}
	e.watch.tell(Topic{Kind: "policy"})
	return a, e.tellModes(ctx)
}

// withSettings adds the shop's settings to texts that have none. A folder of automations says nothing about the
// shop: without this it would lose its name, its time zone and the connections that mails and requests leave by.
func (e *Engine) withSettings(ctx context.Context, texts []store.Text) (_ []store.Text, kept bool, err error) {
	if slices.ContainsFunc(texts, func(t store.Text) bool { return t.Kind == KindShop }) {
		return texts, false, nil
	}
	var have []store.PolicyText
	err = e.db.View(ctx, func(tx *store.Tx) (err error) { have, err = tx.PolicyTexts(KindShop); return err })
	texts = slices.Clip(texts)
	for _, t := range have {
		texts, kept = append(texts, store.Text{Kind: t.Kind, Name: t.Name, Text: t.Text}), true
	}
	return texts, kept, err
}

func (a *Applied) compare(before, after []store.Text) {
	key := func(t store.Text) string { return t.Kind + "/" + t.Name }
	old := map[string]string{}
	for _, t := range before {
		old[key(t)] = t.Text
	}
	for _, t := range after {
		was, ok := old[key(t)]
		switch {
		case !ok:
			a.Added = append(a.Added, key(t))
		case was != t.Text:
			a.Updated = append(a.Updated, key(t))
		}
		delete(old, key(t))
	}
	for k := range old {
		a.Removed = append(a.Removed, k)
	}
	slices.Sort(a.Added)
	slices.Sort(a.Updated)
	slices.Sort(a.Removed)
}

// warnings are names that nothing stands behind yet. They are no errors: a
// connection may be set up after the policy that uses it.
func warnings(tx *store.Tx, l *loaded) ([]string, error) {
	conns, err := tx.Connections()
	if err != nil {
		return nil, err
	}
	known := map[string]bool{"": true}
	for _, c := range conns {
		known[c.Name] = true
	}
	var out []string
	conn := func(who, name string) {
		if !known[name] {
			out = append(out, fmt.Sprintf("%s names the connection %q, which does not exist yet: orderly connection set %s …", who, name, name))
		}
	}
	s := l.policy.Settings
	conn("shop.yaml (mail)", s.Mail)
	conn("shop.yaml (fulfilment)", s.Fulfilment)
	for _, name := range s.Alerts {
		conn("shop.yaml (alert)", name)
	}
	conn("shop.yaml (heartbeat)", s.Heartbeat)
	names, err := namesOf(tx, l)
	if err != nil {
		return nil, err
	}
	names.Connections = append(names.Connections, s.Fulfilment) // told above
	for _, a := range l.policy.Automations.All() {
		for _, p := range names.Unknown(a) {
			out = append(out, p.Pointer+": "+p.Message)
		}
	}
	return out, nil
}

// Texts returns the texts of the current policy.
func (e *Engine) Texts(ctx context.Context) (texts []store.Text, err error) {
	err = e.db.View(ctx, func(tx *store.Tx) error {
		rev, _, err := tx.CurrentPolicy()
		if err != nil {
			return err
		}
		texts, err = tx.Policy(rev)
		return err
	})
	return texts, err
}

// WriteFolder writes the current policy as a folder.
func (e *Engine) WriteFolder(ctx context.Context, dir string) ([]string, error) {
	texts, err := e.Texts(ctx)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, t := range texts {
		var path string
		switch t.Kind {
		case KindAutomation:
			path = filepath.Join("automations", t.Name+".yaml")
		case KindTemplate:
			path = filepath.Join("templates", t.Name+".liquid")
		default:
			path = t.Name + ".yaml"
		}
		full := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return files, fault.Wrap(err, fault.Invalid, "engine.WriteFolder", "the folder %s cannot be made", filepath.Dir(full))
		}
		if err := os.WriteFile(full, []byte(t.Text), 0o644); err != nil {
			return files, fault.Wrap(err, fault.Invalid, "engine.WriteFolder", "%s cannot be written", full)
		}
		files = append(files, path)
	}
	return files, nil
}
