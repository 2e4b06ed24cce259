package console

import (
	"net/http"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
)

// hasPasskeys reports whether passkeys can be used at the address of a request.
func (c *Console) hasPasskeys(r *http.Request) bool {
	_, err := c.Sessions.PasskeyOrigin(r)
	return err == nil
}

// asked answers the script that asks for a passkey: the question, or why there is none.
func (c *Console) asked(w http.ResponseWriter, r *http.Request, question []byte, err error) error {
	if err == nil {
		w.Header().Set("Content-Type", "application/json")
		_, err = w.Write(question)
		return err
	}
	status := http.StatusUnprocessableEntity
	switch fault.KindOf(err) {
	case fault.Denied:
		status = http.StatusForbidden
	case fault.Invalid, fault.Conflict:
	case fault.Unavailable:
		status = unavailable(w, err)
	default:
		return err
	}
	answerJSON(w, status, map[string]any{"ok": false, "message": capital(fault.Message(err)) + "."})
	return nil
}

func (c *Console) beginPasskey(w http.ResponseWriter, r *http.Request) error {
	question, err := c.Sessions.BeginPasskey(r)
	return c.asked(w, r, question, err)
}

func (c *Console) finishPasskey(w http.ResponseWriter, r *http.Request) error {
	if _, err := c.Sessions.FinishPasskey(r, r.PostFormValue("answer")); err != nil {
		return c.refusedDoor(w, r, err)
	}
	http.Redirect(w, r, local(firstOf(r.PostFormValue("back"), "/")), http.StatusSeeOther)
	return nil
}

func (c *Console) beginAddPasskey(w http.ResponseWriter, r *http.Request) error {
	question, err := c.Sessions.BeginAddPasskey(r, r.PostFormValue("name"), r.PostFormValue("password"))
	return c.asked(w, r, question, err)
}

func (c *Console) addPasskey(w http.ResponseWriter, r *http.Request) error {
	k, err := c.Sessions.FinishAddPasskey(r, r.PostFormValue("answer"))
	switch fault.KindOf(err) {
	case fault.Denied, fault.Invalid, fault.Conflict:
		u, _ := access.UserFrom(r.Context())
		return c.showPerson(w, r, http.StatusUnprocessableEntity, personView{U: u, Own: true, Errors: map[string]string{"passkey": problemText(err)}})
	}
	if err != nil {
		return err
	}
	return c.back(w, r, "/profile", ui.Flash{Meaning: ui.Done, Text: "The passkey “" + k.Name + "” is added. It signs you in from now on."})
}

func (c *Console) removePasskey(w http.ResponseWriter, r *http.Request) error {
	u, _ := access.UserFrom(r.Context())
	k, err := c.People.RemovePasskey(r.Context(), u, r.PostFormValue("passkey"))
	if err != nil {
		return err
	}
	return c.back(w, r, "/profile", ui.Flash{Meaning: ui.Done, Text: "The passkey “" + k.Name + "” is removed. You may delete it on your device as well."})
}
