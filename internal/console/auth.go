package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
)

// toSignIn sends a stranger to the door and remembers where they wanted to go.
func (c *Console) toSignIn(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("HX-Request") != "" || strings.Contains(r.Header.Get("Accept"), "application/json") || r.URL.Path == "/live" {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"ok": false, "message": "Your session has ended. Sign in again; nothing was changed."})
		return nil
	}
	to := "/signin"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		to += "?back=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request) error {
	if _, ok := access.UserFrom(r.Context()); ok {
		http.Redirect(w, r, local(firstOf(r.URL.Query().Get("back"), "/")), http.StatusSeeOther)
		return nil
	}
	return c.show(w, r, http.StatusOK, signInView(doorView{Page: c.bareFrame(w, r, "Sign in"), Back: r.URL.Query().Get("back"), SSO: c.Sessions.SSO(), Keys: c.hasPasskeys(r)}))
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) error {
	email, password := r.PostFormValue("email"), r.PostFormValue("password")
	if _, err := c.Sessions.SignIn(r, email, password); err != nil {
		status := http.StatusForbidden
		if fault.KindOf(err) == fault.Unavailable {
			status = unavailable(w, err)
		}
		v := doorView{Page: c.bareFrame(w, r, "Sign in"), Error: capital(fault.Message(err)) + ".", Email: email, Back: r.PostFormValue("back"), SSO: c.Sessions.SSO(), Keys: c.hasPasskeys(r)}
		return c.show(w, r, status, signInView(v))
	}
	http.Redirect(w, r, local(firstOf(r.PostFormValue("back"), "/")), http.StatusSeeOther)
	return nil
}

// beginSSO sends a person to the sign-in service.
func (c *Console) beginSSO(w http.ResponseWriter, r *http.Request) error {
	to, err := c.Sessions.BeginSSO(r, local(firstOf(r.URL.Query().Get("back"), "/")))
	if err != nil {
		return c.refusedDoor(w, r, err)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// finishSSO takes what the sign-in service sent back.
func (c *Console) finishSSO(w http.ResponseWriter, r *http.Request) error {
	_, back, err := c.Sessions.FinishSSO(r)
	if err != nil {
		return c.refusedDoor(w, r, err)
	}
	http.Redirect(w, r, local(firstOf(back, "/")), http.StatusSeeOther)
	return nil
}

// refusedDoor shows the sign-in page again, with why one was not let in.
func (c *Console) refusedDoor(w http.ResponseWriter, r *http.Request, err error) error {
	status := http.StatusForbidden
	switch fault.KindOf(err) {
	case fault.Denied:
	case fault.Unavailable:
		status = unavailable(w, err)
	default:
		return err
	}
	return c.show(w, r, status, signInView(doorView{Page: c.bareFrame(w, r, "Sign in"), Error: capital(fault.Message(err)) + ".", SSO: c.Sessions.SSO(), Keys: c.hasPasskeys(r)}))
}

// unavailable is the status of what cannot be had now: 429 when it was tried too often.
func unavailable(w http.ResponseWriter, err error) int {
	locked, ok := errors.AsType[*access.LockedError](err)
	if !ok {
		return http.StatusServiceUnavailable
	}
	w.Header().Set("Retry-After", ui.Itoa(int(locked.Wait.Seconds())+1))
	return http.StatusTooManyRequests
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := c.Sessions.SignOut(r); err != nil {
		return err
	}
	return c.back(w, r, "/signin", ui.Flash{Meaning: ui.Done, Text: "You are signed out."})
}

func (c *Console) setUpPage(w http.ResponseWriter, r *http.Request) error {
	token := r.URL.Query().Get("token")
	v := doorView{Page: c.bareFrame(w, r, "Set up"), Token: token}
	status := http.StatusOK
	if err := c.People.SetupValid(r.Context(), token); err != nil {
		if fault.KindOf(err) != fault.Denied {
			return err
		}
		v.Error, status = capital(fault.Message(err))+".", http.StatusForbidden
		if err := c.badSetUp(r, &v); err != nil {
			return err
		}
	}
	return c.show(w, r, status, setUpView(v))
}

// badSetUp makes the page one of a link that is no longer good.
func (c *Console) badSetUp(r *http.Request, v *doorView) error {
	us, err := c.People.Users(r.Context())
	v.Bad, v.Users = true, len(us) > 0
	return err
}

func (c *Console) setUp(w http.ResponseWriter, r *http.Request) error {
	token := r.PostFormValue("token")
	n := access.NewUser{Email: r.PostFormValue("email"), Name: r.PostFormValue("name"), Password: r.PostFormValue("password"), Role: access.Admin}
	if _, err := c.Sessions.SetUp(r, token, n); err != nil {
		v := doorView{Page: c.bareFrame(w, r, "Set up"), Token: token, Email: n.Email, Name: n.Name, Error: capital(fault.Message(err)) + "."}
		switch fault.KindOf(err) {
		case fault.Denied:
			if err := c.badSetUp(r, &v); err != nil {
				return err
			}
			return c.show(w, r, http.StatusForbidden, setUpView(v))
		case fault.Invalid, fault.Conflict:
			return c.show(w, r, http.StatusUnprocessableEntity, setUpView(v))
		}
		return err
	}
	return c.back(w, r, "/", ui.Flash{Meaning: ui.Done, Text: "Welcome. You can add the others under Settings."})
}

// theme keeps the choice in a cookie, so that the first paint has it without a script in the page.
func (c *Console) theme(w http.ResponseWriter, r *http.Request) error {
	ck := &http.Cookie{Name: themeCookie, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	switch v := r.PostFormValue("theme"); v {
	case "dark", "light":
		ck.Value = v
	default:
		ck.MaxAge = -1
	}
	http.SetCookie(w, ck)
	http.Redirect(w, r, local(r.PostFormValue("back")), http.StatusSeeOther)
	return nil
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
