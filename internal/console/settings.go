package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

func (c *Console) settings(w http.ResponseWriter, r *http.Request) error {
	return c.showSettings(w, r, http.StatusOK, settingsView{})
}

func (c *Console) showSettings(w http.ResponseWriter, r *http.Request, status int, v settingsView) (err error) {
	v.User, _ = access.UserFrom(r.Context())
	v.Shop = c.Shop()
	v.CanTokens = access.Can(v.User.Role, access.ManageTokens)
	v.CanUsers = access.Can(v.User.Role, access.ManageUsers)
	v.CanConnect = access.Can(v.User.Role, access.ManageConnect) && c.Connect != nil
	v.CanSettings = access.Can(v.User.Role, access.ManageSettings)
	v.CanAudit = access.Can(v.User.Role, access.SeeAudit)
	v.Now = c.Now()
	if v.Values == nil {
		v.Values = url.Values{}
	}
	err = c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if v.Locations, err = tx.LocationList(); err != nil {
			return err
		}
		v.Connections, err = tx.ConnectionRows()
		return err
	})
	if err != nil {
		return err
	}
	if v.Tokens, err = c.People.TokenList(r.Context()); err != nil {
		return err
	}
	if v.Users, err = c.People.Users(r.Context()); err != nil {
		return err
	}
	if v.Page, err = c.frame(w, r, "Settings", "Settings"); err != nil {
		return err
	}
	return c.show(w, r, status, settingsPage(v))
}

// refusedForm shows the settings again with the problem at its field; other errors go on.
func (c *Console) refusedForm(w http.ResponseWriter, r *http.Request, field string, err error) error {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict, fault.Denied:
		return c.showSettings(w, r, http.StatusUnprocessableEntity, settingsView{Errors: map[string]string{field: problemText(err)}, Values: r.PostForm})
	}
	return err
}

func (c *Console) createToken(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	_ = r.ParseForm()
	scopes, err := access.ParseScopes(strings.Join(r.PostForm["scope"], " "))
	if err != nil {
		return c.refusedForm(w, r, "name", err)
	}
	n := access.NewToken{Name: r.PostFormValue("name"), Scopes: scopes, By: u.ID}
	if text := strings.TrimSpace(r.PostFormValue("days")); text != "" {
		days, err := strconv.Atoi(text)
		if err != nil || days < 1 || days > 3650 {
			return c.refusedForm(w, r, "days", fault.New(fault.Invalid, "console.createToken", "a whole number of days, up to 3650; empty for a token without an end"))
		}
		n.GoodFor = time.Duration(days) * 24 * time.Hour
	}
	token, _, err := c.People.CreateToken(r.Context(), n)
	if err != nil {
		return c.refusedForm(w, r, "name", err)
	}
	// Shown in the answer itself: a redirect would have to keep the token somewhere.
	return c.showSettings(w, r, http.StatusOK, settingsView{NewToken: token})
}

func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := c.People.RevokeToken(r.Context(), name); err != nil {
		return err
	}
	return c.back(w, r, "/settings#tokens", ui.Flash{Meaning: ui.Done, Text: "The token " + name + " is revoked."})
}

// asFault is the fault in an error, or nil.
func asFault(err error) *fault.Error {
	fe, _ := errors.AsType[*fault.Error](err)
	return fe
}

// problemText is an error in one sentence, with the field where there is one.
func problemText(err error) string {
	s := capital(fault.Message(err))
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		for _, p := range fe.Problems {
			s += "; " + strings.TrimPrefix(p.Pointer, "/") + " " + p.Message
		}
	}
	return s + "."
}
