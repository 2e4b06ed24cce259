package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
)

// connectionView is the page of one connection.
type connectionView struct {
	Page   ui.PageView
	F      ConnectionForm
	Port   string // as typed
	Errors map[string]string
	Made   string // a signing secret, shown this once
	Said   *ui.Flash
	Mail   string // where a test mail goes
	Base   string // how other systems reach this server
}

// kinds are the kinds of connections with what they are for.
var kinds = []ui.Option{
	{Value: "smtp", Label: "Mail server: Orderly sends mail"},
	{Value: "webhook", Label: "Webhook out: Orderly posts signed documents, such as fulfilment requests"},
	{Value: "inbound", Label: "Webhook in: another system delivers signed events"},
	{Value: "chat", Label: "Chat: incidents go to a channel by an incoming webhook (Slack, Mattermost)"},
	{Value: "on-call", Label: "On-call: incidents wake people by a service (PagerDuty Events API v2)"},
	{Value: "heartbeat", Label: "Heartbeat: an outside address is called every minute, so that others notice when Orderly is gone"},
}

func (c *Console) connection(w http.ResponseWriter, r *http.Request) error {
	if c.Connect == nil {
		return fault.New(fault.Unavailable, "console.connection", "connections cannot be set on this server")
	}
	name := r.PathValue("name")
	if name == "new" {
		kind := firstOf(r.URL.Query().Get("kind"), "smtp")
		if kindLabel(kind) == "" {
			return notFound("kind of connection " + strconv.Quote(kind))
		}
		return c.showConnection(w, r, http.StatusOK, connectionView{F: ConnectionForm{Kind: kind}})
	}
	f, err := c.Connect.Connection(r.Context(), name)
	if err != nil {
		return err
	}
	return c.showConnection(w, r, http.StatusOK, connectionView{F: f})
}

func (c *Console) showConnection(w http.ResponseWriter, r *http.Request, status int, v connectionView) (err error) {
	u, _ := access.UserFrom(r.Context())
	v.Mail, v.Base = u.Email, c.Shop().BaseURL
	if v.Port == "" && v.F.Port != 0 {
		v.Port = strconv.Itoa(v.F.Port)
	}
	v.F.Secret, v.F.URL = "", "" // what was typed in secret is typed again
	heading := v.F.Name
	if !v.F.Exists {
		heading = "New connection"
	}
	if v.Page, err = c.frame(w, r, heading, "Settings"); err != nil {
		return err
	}
	return c.show(w, r, status, connectionPage(v))
}

// saveConnection makes or changes a connection; a secret made for it is shown in the answer itself.
func (c *Console) saveConnection(w http.ResponseWriter, r *http.Request) error {
	if c.Connect == nil {
		return fault.New(fault.Unavailable, "console.saveConnection", "connections cannot be set on this server")
	}
	name := r.PathValue("name")
	text := func(field string) string { return strings.TrimSpace(r.PostFormValue(field)) }
	v := connectionView{Errors: map[string]string{}, Port: text("port")}
	if name == "new" {
		v.F = ConnectionForm{Name: text("name"), Kind: text("kind")}
		if _, err := c.Connect.Connection(r.Context(), v.F.Name); err == nil {
			v.Errors["name"] = "There is a connection of this name already."
		}
	} else {
		f, err := c.Connect.Connection(r.Context(), name)
		if err != nil {
			return err
		}
		v.F = f
	}
	if kindLabel(v.F.Kind) == "" {
		return fault.New(fault.Invalid, "console.saveConnection", "a connection is of the kind inbound, webhook, smtp, chat, on-call or heartbeat")
	}
	f := &v.F
	f.EventType, f.Expect, f.URL, f.Host, f.TLS, f.User, f.From, f.ReplyTo = text("event_type"), text("expect"), text("url"), text("host"), text("tls"), text("user"), text("from"), text("reply_to")
	f.AllowPrivate, f.AllowHTTP, f.Secret = text("allow_private") == "yes", text("allow_http") == "yes", r.PostFormValue("secret")
	f.Port = 0
	if v.Port != "" {
		n, err := strconv.Atoi(v.Port)
		if err != nil || n < 1 || n > 65535 {
			v.Errors["port"] = "A port is a number from 1 to 65535."
		}
		f.Port = n
	}
	if len(v.Errors) > 0 {
		return c.showConnection(w, r, http.StatusUnprocessableEntity, v)
	}
	made, err := c.Connect.SetConnection(r.Context(), *f)
	if k := fault.KindOf(err); err != nil && (k == fault.Invalid || k == fault.Conflict) {
		v.Errors = fieldErrors(err)
		return c.showConnection(w, r, http.StatusUnprocessableEntity, v)
	}
	if err != nil {
		return err
	}
	if made == "" {
		return c.back(w, r, "/settings/connections/"+pathEscape(f.Name), ui.Flash{Meaning: ui.Done, Text: "The connection " + f.Name + " is kept; it is used from the next second on."})
	}
	if v.F, err = c.Connect.Connection(r.Context(), f.Name); err != nil {
		return err
	}
	v.Made = made
	return c.showConnection(w, r, http.StatusOK, v)
}

// actOnConnection rotates a signing secret, sends a test, or deletes the connection.
func (c *Console) actOnConnection(w http.ResponseWriter, r *http.Request) error {
	if c.Connect == nil {
		return fault.New(fault.Unavailable, "console.actOnConnection", "connections cannot be set on this server")
	}
	name := r.PathValue("name")
	v := connectionView{}
	var err error
	switch r.PathValue("action") {
	case "rotate":
		v.Made, err = c.Connect.RotateConnection(r.Context(), name, false)
	case "finish":
		if _, err = c.Connect.RotateConnection(r.Context(), name, true); err == nil {
			return c.back(w, r, "/settings/connections/"+pathEscape(name), ui.Flash{Meaning: ui.Done, Text: "Only the new secret is good now."})
		}
	case "delete":
		if err = c.Connect.DeleteConnection(r.Context(), name); err == nil {
			return c.back(w, r, "/settings#connections", ui.Flash{Meaning: ui.Done, Text: "The connection " + name + " is deleted with its secrets."})
		}
	case "test":
		u, _ := access.UserFrom(r.Context())
		var answer string
		if answer, err = c.Connect.TestConnection(r.Context(), name, u.Email); err == nil {
			v.Said = &ui.Flash{Meaning: ui.Done, Text: "It works. The other side answered: " + firstOf(answer, "taken") + "."}
		} else if k := fault.KindOf(err); k != fault.NotFound && k != fault.Invalid {
			v.Said, err = &ui.Flash{Meaning: ui.Danger, Text: "It did not work: " + strings.TrimSuffix(fault.Message(err), ".") + "."}, nil
		}
	default:
		err = notFound("such step")
	}
	if err != nil {
		return err
	}
	if v.F, err = c.Connect.Connection(r.Context(), name); err != nil {
		return err
	}
	return c.showConnection(w, r, http.StatusOK, v)
}

func kindLabel(kind string) string {
	for _, k := range kinds {
		if k.Value == kind {
			return k.Label
		}
	}
	return ""
}

// fieldErrors are the problems of a refusal by field; "" holds what belongs to none.
func fieldErrors(err error) map[string]string {
	out := map[string]string{}
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		for _, p := range fe.Problems {
			out[strings.TrimPrefix(p.Pointer, "/")] = capital(strings.TrimSuffix(p.Message, ".")) + "."
		}
	}
	if len(out) == 0 {
		out[""] = capital(strings.TrimSuffix(fault.Message(err), ".")) + "."
	}
	return out
}

// connectionID is the name in the address of a connection's form.
func connectionID(v connectionView) string {
	if v.F.Exists {
		return v.F.Name
	}
	return "new"
}

func connectionStep(v connectionView, step string) templ.SafeURL {
	return templ.SafeURL("/settings/connections/" + pathEscape(v.F.Name) + "/" + step)
}

var tlsOptions = []ui.Option{{Value: "starttls", Label: "STARTTLS"}, {Value: "tls", Label: "TLS from the start"}, {Value: "none", Label: "none"}}

func urlHint(v connectionView) string {
	if v.F.Exists {
		return "now " + v.F.Address + "/…; it may hold a key, so it is not shown. Empty keeps it"
	}
	return "it may hold a key: it is kept sealed"
}

func secretHint(v connectionView) string {
	if v.F.Exists {
		return "empty keeps the one it has"
	}
	return "kept sealed, never shown again"
}

// signs reports whether documents of a kind of connection are signed.
func signs(kind string) bool { return kind == "webhook" || kind == "inbound" }

// urlLike is an address of a kind of connection.
func urlLike(kind string) string {
	switch kind {
	case "chat":
		return "https://hooks.slack.com/services/…"
	case "on-call":
		return "https://events.pagerduty.com/v2/enqueue"
	case "heartbeat":
		return "https://hc-ping.com/…"
	}
	return "https://wms.example.com/orders"
}
