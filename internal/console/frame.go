package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

const (
	themeCookie = "orderly_theme"
	flashCookie = "orderly_flash"
)

// frame is the part around a page: navigation with its counts, open problems, the flash.
func (c *Console) frame(w http.ResponseWriter, r *http.Request, title, current string) (ui.PageView, error) {
	p := c.bareFrame(w, r, title)
	u, ok := access.UserFrom(r.Context())
	if !ok {
		return p, nil
	}
	p.FramePath = "/frame?at=" + current
	p.Signed, p.UserName, p.UserRole = true, u.Name, string(u.Role)
	var n store.Counts
	var incidents []store.TaskRow
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if n, err = tx.Counts(c.Now()); err != nil {
			return err
		}
		if incidents, err = tx.Incidents(100); err == nil { // what somebody looks after is no news
			incidents = slices.DeleteFunc(incidents, func(t store.TaskRow) bool { return t.Task.Alarm.Quiet(c.Now()) })
		}
		return err
	})
	if err != nil {
		return p, err
	}
	p.Nav = []ui.NavItem{
		{Icon: "today", Label: "Today", Href: "/", Key: "t"},
		{Icon: "orders", Label: "Orders", Href: "/orders", Key: "o"},
		{Icon: "review", Label: "Review", Href: "/review", Key: "r", Count: count(n.Tasks), Meaning: ui.Held},
		{Icon: "warn", Label: "Incidents", Href: "/incidents", Key: "i", Count: incidentCount(incidents), Meaning: ui.Danger},
		{Icon: "stock", Label: "Stock", Href: "/stock", Key: "s"},
		{Icon: "auto", Label: "Automations", Href: "/automations", Key: "a"},
		{Icon: "effects", Label: "Effects", Href: "/effects", Key: "e", Count: count(n.DeadEffects), Meaning: ui.Danger},
		{Icon: "map", Label: "Map", Href: "/map", Key: "m"},
		{Icon: "settings", Label: "Settings", Href: "/settings", Key: "p"},
	}
	for i := range p.Nav {
		p.Nav[i].Current = p.Nav[i].Label == current
	}
	for i, t := range incidents {
		if i == 5 {
			p.More = len(incidents) - 5
			break
		}
		doc := t.Task
		detail := firstReason(doc)
		if detail == doc.Title {
			detail = ""
		}
		said := ""
		if event.IsDead(doc.Subject) {
			said, detail = detail, "It is not tried again by itself."
			if doc.Alarm != nil && len(doc.Alarm.Orders) > 0 {
				detail = "It is about " + ui.Plural(int64(len(doc.Alarm.Orders)), "order", "orders") + " and is not tried again by itself."
			}
		}
		p.Problems = append(p.Problems, ui.Problem{Title: doc.Title, Detail: detail, Said: said, Href: "/incidents/" + t.ID})
	}
	return p, nil
}

// frameOnly answers navigation and banner without a page, for live refreshes.
func (c *Console) frameOnly(w http.ResponseWriter, r *http.Request) error {
	p, err := c.frame(w, r, "Orderly", r.URL.Query().Get("at"))
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, ui.Page(p))
}

func (c *Console) bareFrame(w http.ResponseWriter, r *http.Request, title string) ui.PageView {
	p := ui.PageView{Title: title, Shop: c.Shop().Name, Path: r.URL.RequestURI()}
	if r.Method != http.MethodGet { // the answer to a form that was refused has no address of its own
		p.Path = "/"
	}
	if ck, err := r.Cookie(themeCookie); err == nil && (ck.Value == "dark" || ck.Value == "light") {
		p.Theme = ck.Value
	}
	// A part that htmx asks for shows no toast, so the flash waits for the whole page.
	if ck, err := r.Cookie(flashCookie); err == nil && r.Header.Get("HX-Request") == "" {
		http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		if b, err := base64.RawURLEncoding.DecodeString(ck.Value); err == nil {
			f := &ui.Flash{}
			if json.Unmarshal(b, f) == nil && f.Text != "" {
				p.Flash = safeFlash(f)
			}
		}
	}
	return p
}

// safeFlash keeps a forged cookie harmless: known meanings, and undo only where undo is.
func safeFlash(f *ui.Flash) *ui.Flash {
	switch f.Meaning {
	case ui.Neutral, ui.Attention, ui.Danger, ui.Done, ui.Held:
	default:
		f.Meaning = ui.Neutral
	}
	if f.Undo != "/orders/undo" {
		f.Undo, f.UndoKey = "", ""
	}
	return f
}

func count(c store.Capped) string {
	if c.N == 0 {
		return ""
	}
	if c.N > 99 {
		return "99+"
	}
	return capped(c)
}

// show renders a page with the shop's zone and the present time.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, page templ.Component) error {
	shop := c.Shop()
	ctx := ui.With(r.Context(), ui.Env{Zone: shop.Zone, Now: c.Now()})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := page.Render(ctx, w); err != nil && !errors.Is(err, context.Canceled) {
		c.Log.Error("rendering a page", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	return nil
}

// fail answers an error as a page that says what happened and what to do next.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	kind := fault.KindOf(err)
	status, heading := http.StatusInternalServerError, "Something went wrong on our side"
	next := "Nothing was changed. Try again; if it stays, the log of the server has the details."
	switch kind {
	case fault.Invalid:
		status, heading, next = http.StatusUnprocessableEntity, "That did not fit", "Nothing was changed. Go back and mend it."
	case fault.NotFound:
		status, heading, next = http.StatusNotFound, "Not found", "Search with Ctrl K, or start from one of these."
	case fault.Conflict:
		status, heading, next = http.StatusConflict, "It has changed meanwhile", "Nothing was changed by you. Load the page again to see how it stands."
	case fault.Denied:
		status, heading, next = http.StatusForbidden, "Not allowed", "Nothing was changed. Ask an admin if you should be able to do this."
	case fault.Unavailable:
		status, heading, next = http.StatusServiceUnavailable, "Not available at the moment", "Nothing was changed. Try again in a moment."
	default:
		if r.Context().Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			// Whoever asked is gone, or it took too long: nothing went wrong.
			status, heading, next = http.StatusServiceUnavailable, "This took too long", "Nothing was changed. Try again in a moment."
			err = fault.Wrap(err, fault.Unavailable, "console", "the page was given up before it was ready")
			break
		}
		c.Log.Error("console", slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	msg := fault.Message(err)
	var problems []string
	fields := map[string]string{} // what is wrong, by field
	if fe, ok := errors.AsType[*fault.Error](err); ok {
		for _, p := range fe.Problems {
			field := strings.TrimPrefix(p.Pointer, "/")
			problems, fields[field] = append(problems, field+" "+p.Message), p.Message
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		answerJSON(w, status, map[string]any{"ok": false, "message": msg, "fields": fields})
		return
	}
	p, ferr := c.frame(w, r, heading, "")
	if ferr != nil { // the store is what is broken
		p = c.bareFrame(w, r, heading)
	}
	_ = c.show(w, r, status, errorPage(p, heading, capital(msg)+".", next, problems))
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// back redirects after a POST with a message for the next page.
func (c *Console) back(w http.ResponseWriter, r *http.Request, to string, f ui.Flash) error {
	if f.Text != "" {
		b, _ := json.Marshal(f)
		http.SetCookie(w, &http.Cookie{
			Name: flashCookie, Value: base64.RawURLEncoding.EncodeToString(b), Path: "/", MaxAge: 60,
			HttpOnly: true, SameSite: http.SameSiteStrictMode,
		})
	}
	http.Redirect(w, r, local(to), http.StatusSeeOther)
	return nil
}

// local keeps a redirect on this site: a path, nothing that a browser reads as a host.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n") {
		return "/"
	}
	return to
}

// onceKey is the one-time key of a form.
func onceKey() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// act turns a click into an event. key is the form's one-time key: the same
// click, sent twice, is the same event.
func (c *Console) act(r *http.Request, key string, data event.Payload) (event.Event, error) {
	u, _ := access.UserFrom(r.Context())
	if ps := data.Validate(); len(ps) > 0 {
		return event.Event{}, fault.Problems("console.act", ps)
	}
	if key == "" {
		return event.Event{}, fault.New(fault.Invalid, "console.act", "the form came without its key; load the page again")
	}
	id, err := uuid.NewV7()
	if err != nil {
		return event.Event{}, err
	}
	now := c.Now().UTC().Truncate(time.Microsecond)
	return event.Event{
		ID: id.String(), Source: "console", Key: key, Type: data.EventType(), Subject: data.EventSubject(),
		At: now, Received: now, Mode: event.Live, Actor: u.ID, Data: data,
	}, nil
}

// submit sends one event and turns a refusal into an error.
func (c *Console) submit(ctx context.Context, ev event.Event) error {
	out, err := c.Submit.Submit(ctx, []event.Event{ev})
	if err != nil {
		return err
	}
	for _, o := range out {
		switch o.Status {
		case "refused", "quarantined":
			return fault.New(fault.Conflict, "console.submit", "%s", firstOf(c.nameIDs(ctx, o.Reason), "it could not be decided; it is kept in quarantine with the reason"))
		case "conflict":
			return fault.New(fault.Conflict, "console.submit", "this form was already sent with other content; load the page again")
		}
	}
	return nil
}

var userID = regexp.MustCompile(`usr_[0-9a-f-]{36}`)

// nameIDs puts names in the place of user ids: the engine knows people by id only.
func (c *Console) nameIDs(ctx context.Context, text string) string {
	if !userID.MatchString(text) {
		return text
	}
	us, err := c.People.Users(ctx)
	if err != nil {
		return text
	}
	return userID.ReplaceAllStringFunc(text, func(id string) string {
		for _, u := range us {
			if u.ID == id {
				return firstOf(u.Name, u.Email)
			}
		}
		return id
	})
}

func incidentCount(open []store.TaskRow) string {
	switch n := len(open); {
	case n == 0:
		return ""
	case n > 99:
		return "99+"
	default:
		return strconv.Itoa(n)
	}
}
