package console

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/store"
)

// Routes lists the patterns of the pages, as the table of access has them.
func (c *Console) Routes() []string { return slices.Clone(c.patterns) }

// handle puts a page behind the table of access: who may not use it does not reach it, and
// what changes something, or was refused, is recorded.
func (c *Console) handle(pattern string, p page) {
	c.patterns = append(c.patterns, pattern)
	need, _ := access.NeedOf(pattern) // a route that is not in the table is closed
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		noStore(w)
		err := need.Admit(r, c.who(r))
		if _, stranger := errors.AsType[access.SignInError](err); stranger {
			if err := c.toSignIn(w, r); err != nil {
				c.fail(w, r, err)
			}
			return
		}
		refused := err != nil
		if !refused && (need.Audit == "" || need.Audit == access.Inside) {
			if err := p(w, r); err != nil {
				c.fail(w, r, err)
			}
			return
		}
		seen := &answer{ResponseWriter: w}
		if !refused {
			err = p(seen, r)
		}
		if err != nil {
			c.fail(seen, r, err)
		}
		c.record(r, need, pattern, refused, seen.status)
	})
}

// answer remembers the status that was answered.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (c *Console) who(r *http.Request) access.Who {
	w := access.Who{Owns: func(email, name string) (bool, error) { return c.owns(r.Context(), email, name) }}
	if u, ok := access.UserFrom(r.Context()); ok {
		w.User = &u
	}
	return w
}

// owns reports whether a mail address owns an automation of the current policy, or any when the name is "".
func (c *Console) owns(ctx context.Context, email, name string) (owns bool, err error) {
	err = c.Read.View(ctx, func(tx *store.Tx) error {
		owns = false
		texts, err := tx.PolicyTexts(kindAutomation)
		if err != nil {
			return err
		}
		byName := false
		for _, t := range texts {
			a := readAutomation(t)
			mine := a.Owner != "" && strings.EqualFold(a.Owner, email)
			switch {
			case name == "":
				owns = owns || mine
			case t.Name == name: // the name of the text counts before the name in it, as in the engine
				byName, owns = true, mine
			case a.Name == name && !byName:
				owns = mine
			}
		}
		return nil
	})
	return owns, err
}

// mayChange reports whether a person may change the automation of an owner.
func mayChange(u access.User, owner string) bool {
	return access.Can(u.Role, access.ApplyAutomation) || access.Can(u.Role, access.See) && owner != "" && strings.EqualFold(owner, u.Email)
}

// record writes what a request did, or was refused, into the audit log. What cannot be
// written is told to the log of the program: the answer is out already.
func (c *Console) record(r *http.Request, need access.Need, pattern string, refused bool, status int) {
	rec := access.Record{Action: need.Audit, Subject: pathOf(r), Detail: keptOf(r, need.Keep)}
	switch {
	case refused:
		if rec.Result = access.Refused; rec.Action == "" || rec.Action == access.Inside {
			rec.Action, rec.Detail = "route.refused", pattern
		}
	case need.Preview(r): // it was only shown what would be done
		return
	case status == http.StatusForbidden || status == http.StatusUnauthorized || status == http.StatusTooManyRequests:
		rec.Result = access.Refused
	case status >= http.StatusBadRequest:
		rec.Result = access.Failed
	}
	if err := c.People.Record(context.WithoutCancel(r.Context()), rec); err != nil {
		c.Log.Error("an act could not be recorded in the audit log", slog.String("action", rec.Action), slog.String("subject", rec.Subject), slog.Any("error", err))
	}
}

// pathOf is what a request's path names.
func pathOf(r *http.Request) string {
	for _, k := range []string{"id", "name", "sku", "key"} {
		if v := r.PathValue(k); v != "" {
			return v
		}
	}
	return ""
}

// keptOf are the words of a request that the audit log keeps. Free text is not among them:
// it may name a customer, and records are never erased.
func keptOf(r *http.Request, keys []string) string {
	var out []string
	for _, k := range keys {
		v := r.PathValue(k)
		if v == "" && r.PostForm != nil {
			v = strings.Join(r.PostForm[k], " ")
		}
		if v != "" {
			out = append(out, k+"="+v)
		}
	}
	return strings.Join(out, ", ")
}
