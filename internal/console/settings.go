package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

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
	token, _, err := c.People.CreateToken(r.Context(), strings.TrimSpace(r.PostFormValue("name")), scopes, u.ID)
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

func (c *Console) addUser(w http.ResponseWriter, r *http.Request) error {
	n := access.NewUser{
		Name: strings.TrimSpace(r.PostFormValue("user_name")), Email: r.PostFormValue("user_email"),
		Password: r.PostFormValue("user_password"), Role: access.Role(r.PostFormValue("user_role")),
	}
	if _, err := c.People.AddUser(r.Context(), n); err != nil {
		field := "user_email"
		if strings.Contains(fault.Message(err), "password") {
			field = "user_password"
		}
		return c.refusedForm(w, r, field, err)
	}
	return c.back(w, r, "/settings", ui.Flash{Meaning: ui.Done, Text: n.Name + " can sign in now."})
}

func (c *Console) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := c.Sessions.ChangePassword(r, r.PostFormValue("old"), r.PostFormValue("new")); err != nil {
		field := "new"
		if fault.KindOf(err) == fault.Denied {
			field = "old"
		}
		return c.refusedForm(w, r, field, err)
	}
	return c.back(w, r, "/settings", ui.Flash{Meaning: ui.Done, Text: "Your password is changed."})
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
