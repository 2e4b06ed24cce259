package console

import (
	"net/http"
	"net/url"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// peopleView is who may enter, and who is invited.
type peopleView struct {
	Page    ui.PageView
	Me      access.User
	Users   []access.User
	Invites []inviteRow
	Link    string // of a new invitation, shown this once
	For     string
	Errors  map[string]string
	Values  url.Values
}

type inviteRow struct {
	access.Invite
	Old bool
}

// personView is one account, or with Own the reader's.
type personView struct {
	Page     ui.PageView
	U        access.User
	Own      bool
	Owns     []string // automations
	Sessions []sessionRow
	Errors   map[string]string
	Passkeys []access.Passkey
	NoKeys   string // why passkeys cannot be used at this address; "" = they can
	Fresh    bool
	KeyName  string // proposed for a new passkey
}

type sessionRow struct {
	access.Session
	This bool
}

func (c *Console) people(w http.ResponseWriter, r *http.Request) error {
	return c.showPeople(w, r, http.StatusOK, peopleView{})
}

func (c *Console) showPeople(w http.ResponseWriter, r *http.Request, status int, v peopleView) (err error) {
	v.Me, _ = access.UserFrom(r.Context())
	if v.Users, err = c.People.Users(r.Context()); err != nil {
		return err
	}
	is, err := c.People.Invites(r.Context())
	if err != nil {
		return err
	}
	for _, i := range is {
		v.Invites = append(v.Invites, inviteRow{i, !c.Now().Before(i.Expires)})
	}
	if v.Values == nil {
		v.Values = url.Values{}
	}
	if v.Page, err = c.frame(w, r, "People", "Settings"); err != nil {
		return err
	}
	return c.show(w, r, status, peoplePage(v))
}

// invite makes a one-time link; it is shown in the answer itself, as a redirect would have to keep it somewhere.
func (c *Console) invite(w http.ResponseWriter, r *http.Request) error {
	_ = r.ParseForm() // what is missing is told below
	token, i, err := c.People.Invite(r.Context(), r.PostFormValue("email"), r.PostFormValue("name"), access.Role(r.PostFormValue("role")))
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Conflict:
		return c.showPeople(w, r, http.StatusUnprocessableEntity, peopleView{Errors: map[string]string{"email": problemText(err)}, Values: r.PostForm})
	}
	if err != nil {
		return err
	}
	return c.showPeople(w, r, http.StatusOK, peopleView{Link: c.Shop().BaseURL + "/invite?token=" + token, For: i.Email})
}

func (c *Console) revokeInvite(w http.ResponseWriter, r *http.Request) error {
	mail := r.PostFormValue("email")
	if err := c.People.RevokeInvite(r.Context(), mail); err != nil {
		return err
	}
	return c.back(w, r, "/settings/people", ui.Flash{Meaning: ui.Done, Text: "The invitation of " + mail + " is taken back; its link is no longer good."})
}

func (c *Console) person(w http.ResponseWriter, r *http.Request) error {
	u, err := c.People.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.showPerson(w, r, http.StatusOK, personView{U: u})
}

func (c *Console) profile(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	return c.showPerson(w, r, http.StatusOK, personView{U: u, Own: true})
}

func (c *Console) showPerson(w http.ResponseWriter, r *http.Request, status int, v personView) error {
	ss, err := c.People.UserSessions(r.Context(), v.U)
	if err != nil {
		return err
	}
	this := c.Sessions.SessionID(r)
	for _, s := range ss {
		v.Sessions = append(v.Sessions, sessionRow{s, s.ID == this})
	}
	if v.Owns, err = c.ownedBy(r, v.U.Email); err != nil {
		return err
	}
	if v.Passkeys, err = c.People.UserPasskeys(r.Context(), v.U); err != nil {
		return err
	}
	heading, at := v.U.Name, "Settings"
	if v.Own {
		heading, at = "Your account", ""
		v.Fresh, v.KeyName = c.Sessions.Fresh(r), browserName(r.UserAgent())
		if _, err := c.Sessions.PasskeyOrigin(r); err != nil {
			v.NoKeys = capital(fault.Message(err)) + "."
		}
	}
	if v.Page, err = c.frame(w, r, heading, at); err != nil {
		return err
	}
	return c.show(w, r, status, personPage(v))
}

// changePerson gives a person another role, closes their account or opens it again, or ends their sessions.
func (c *Console) changePerson(w http.ResponseWriter, r *http.Request) error {
	u, err := c.People.User(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	f := ui.Flash{Meaning: ui.Done}
	switch r.PathValue("action") {
	case "role":
		role := access.Role(r.PostFormValue("role"))
		err, f.Text = c.People.SetRole(r.Context(), u.Email, role), u.Name+" is now "+string(role)+"."
	case "close":
		owns, oerr := c.ownedBy(r, u.Email)
		if oerr != nil {
			return oerr
		}
		err, f.Text = c.People.Disable(r.Context(), u.Email, true), "The account of "+u.Name+" is closed; their sessions have ended."
		if len(owns) > 0 {
			f.Meaning, f.Text = ui.Attention, f.Text+" They own automations that need another owner: "+strings.Join(owns, ", ")+"."
		}
	case "reopen":
		err, f.Text = c.People.Disable(r.Context(), u.Email, false), u.Name+" may sign in again."
	case "sessions":
		err, f.Text = c.People.EndSession(r.Context(), u, r.PostFormValue("session")), "Ended."
	case "passkey":
		var k access.Passkey
		k, err = c.People.RemovePasskey(r.Context(), u, r.PostFormValue("passkey"))
		f.Text = "The passkey “" + k.Name + "” is removed."
	default:
		err = notFound("such step")
	}
	if err != nil {
		return err
	}
	return c.back(w, r, "/settings/people/"+pathEscape(u.ID), f)
}

func (c *Console) changePassword(w http.ResponseWriter, r *http.Request) error {
	if err := c.Sessions.ChangePassword(r, r.PostFormValue("old"), r.PostFormValue("new")); err != nil {
		field := "new"
		switch fault.KindOf(err) {
		case fault.Denied:
			field = "old"
		case fault.Invalid, fault.Conflict:
		default:
			return err
		}
		u, _ := access.UserFrom(r.Context())
		return c.showPerson(w, r, http.StatusUnprocessableEntity, personView{U: u, Own: true, Errors: map[string]string{field: problemText(err)}})
	}
	return c.back(w, r, "/profile", ui.Flash{Meaning: ui.Done, Text: "Your password is changed; your other sessions have ended."})
}

// endSession ends one of the reader's own sessions.
func (c *Console) endSession(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	id := r.PostFormValue("session")
	if id == "" {
		return fault.New(fault.Invalid, "console.endSession", "choose a session")
	}
	if err := c.People.EndSession(r.Context(), u, id); err != nil {
		return err
	}
	return c.back(w, r, "/profile", ui.Flash{Meaning: ui.Done, Text: "That session has ended."})
}

func (c *Console) invitePage(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	v := doorView{Page: c.bareFrame(w, r, "Join"), Token: token}
	status := http.StatusOK
	i, err := c.People.InviteOf(r.Context(), token)
	if err != nil {
		if fault.KindOf(err) != fault.Denied {
			return err
		}
		v.Bad, v.Error, status = true, capital(fault.Message(err))+".", http.StatusForbidden
	}
	v.Email, v.Name = i.Email, i.Name
	return c.show(w, r, status, inviteView(v))
}

func (c *Console) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	v := doorView{Page: c.bareFrame(w, r, "Join"), Token: r.PostFormValue("token"), Name: r.PostFormValue("name")}
	if _, err := c.Sessions.AcceptInvite(r, v.Token, v.Name, r.PostFormValue("password")); err != nil {
		v.Error = capital(fault.Message(err)) + "."
		switch fault.KindOf(err) {
		case fault.Denied, fault.Conflict:
			v.Bad = true
			return c.show(w, r, http.StatusForbidden, inviteView(v))
		case fault.Invalid:
			if i, err := c.People.InviteOf(r.Context(), v.Token); err == nil {
				v.Email = i.Email
			}
			return c.show(w, r, http.StatusUnprocessableEntity, inviteView(v))
		}
		return err
	}
	return c.back(w, r, "/", ui.Flash{Meaning: ui.Done, Text: "Welcome."})
}

// ownedBy lists the automations of an owner.
func (c *Console) ownedBy(r *http.Request, mail string) (names []string, err error) {
	err = c.Read.View(r.Context(), func(tx *store.Tx) error {
		names = nil
		texts, err := tx.PolicyTexts(kindAutomation)
		for _, t := range texts {
			if a := readAutomation(t); a.Owner != "" && strings.EqualFold(a.Owner, mail) {
				names = append(names, t.Name)
			}
		}
		return err
	})
	return names, err
}

// browserName says in two words what a user agent is, as far as people can tell theirs apart.
func browserName(agent string) string {
	has := func(s string) bool { return strings.Contains(agent, s) }
	name := "Unknown browser"
	switch {
	case has("Firefox/"):
		name = "Firefox"
	case has("Edg/"):
		name = "Edge"
	case has("Chrome/"), has("Chromium/"):
		name = "Chrome"
	case has("Safari/"):
		name = "Safari"
	}
	for _, os := range []string{"Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux"} {
		if has(os) {
			return name + " on " + strings.TrimSuffix(os, " X")
		}
	}
	return name
}
