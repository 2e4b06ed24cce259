// Package alert tells incidents by the ways that people look at: a chat channel, an
// on-call service, and the outside address that hears the heartbeat. Each translates the
// document of an alert, nothing else: what is told, and to whom, was decided before.
package alert

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/fault"
)

// document is the body that webhooks get; here it is read again.
type document struct {
	ID   string            `json:"id"`
	Time time.Time         `json:"time"`
	Data map[string]string `json:"data"`
	Link string            `json:"link"`
}

// The actions of an alert, as decide writes them.
const (
	trigger     = "trigger"
	acknowledge = "acknowledge"
	resolve     = "resolve"
	test        = "test"
)

// caller posts JSON to one address.
type caller struct {
	url, host string
	client    *http.Client
	guard     connect.Guard
}

var _ connect.Certified = (*caller)(nil)

func newCaller(address string, g connect.Guard) (*caller, error) {
	if err := g.CheckURL(address); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, connect.Fail(connect.ClassPermanent, nil, "the address is not a URL")
	}
	client := connect.NewClient(g)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller{url: address, host: u.Hostname(), client: client, guard: g}, nil
}

// Certificate implements connect.Certified.
func (c *caller) Certificate(ctx context.Context) (*x509.Certificate, error) {
	return c.guard.Certificate(ctx, c.url)
}

// Close gives idle connections back.
func (c *caller) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func (c *caller) call(ctx context.Context, method string, body []byte) (connect.Receipt, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return connect.Receipt{}, connect.Fail(connect.ClassPermanent, nil, "the address of %s cannot be called", c.host)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("User-Agent", "Orderly")
	resp, err := connect.Do(c.client, r)
	if err != nil {
		return connect.Receipt{}, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // the status decides; the rest lets the connection be used again
	code := resp.StatusCode
	status := strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
	switch {
	case code >= 200 && code < 300:
		return connect.Receipt{Text: status}, nil
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		e := connect.Fail(connect.ClassRetry, nil, "%s answered %s", c.host, status)
		if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 && n < 3600 {
			e.After = time.Duration(n) * time.Second
		}
		return connect.Receipt{}, e
	}
	return connect.Receipt{}, connect.Fail(connect.ClassPermanent, nil, "%s answered %s", c.host, status)
}

func read(body []byte) (document, error) {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return d, connect.Fail(connect.ClassPermanent, err, "the alert cannot be read")
	}
	return d, nil
}

// Chat tells alerts to a channel by an incoming webhook in the form that Slack
// made and Mattermost, Rocket.Chat and others take: a JSON object with a text.
type Chat struct{ *caller }

var _ connect.Hook = Chat{}

// NewChat returns the way to a channel.
func NewChat(address string, g connect.Guard) (Chat, error) {
	c, err := newCaller(address, g)
	return Chat{c}, err
}

// Post implements connect.Hook.
func (c Chat) Post(ctx context.Context, d connect.Delivery) (connect.Receipt, error) {
	doc, err := read(d.Body)
	if err != nil {
		return connect.Receipt{}, err
	}
	body, err := json.Marshal(map[string]string{"text": chatText(doc)})
	if err != nil {
		return connect.Receipt{}, err
	}
	return c.call(ctx, http.MethodPost, body)
}

// maxChat bounds a message in runes; longer ones are cut by the service where it likes.
const maxChat = 3000

// chatText words an alert. What was said by others is escaped: a "<!channel>" in an order's
// text must not call everybody.
func chatText(d document) string {
	get := func(k string) string { return chatEscape(d.Data[k]) }
	title := get("title")
	if d.Link != "" {
		title = "<" + chatEscape(d.Link) + "|" + strings.ReplaceAll(title, "|", "/") + ">"
	}
	switch d.Data["action"] {
	case acknowledge:
		return ":eyes: Somebody looks after it: " + title
	case resolve:
		return ":white_check_mark: Over: " + title
	case test:
		return ":information_source: " + get("detail")
	}
	out := ":rotating_light: *" + title + "*"
	add := func(label, text string) {
		if text != "" {
			out += "\n" + label + text
		}
	}
	add("", get("detail"))
	add("*Costs:* ", get("impact"))
	add("*To do:* ", get("next"))
	add("*Owner:* ", get("owner"))
	if r := []rune(out); len(r) > maxChat {
		out = string(r[:maxChat]) + "…"
	}
	return out
}

var chatEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func chatEscape(s string) string { return chatEscaper.Replace(s) }

// PagerDuty is the address of its Events API, version 2.
const PagerDuty = "https://events.pagerduty.com/v2/enqueue"

// OnCall tells alerts to an on-call service that takes events in the form of
// PagerDuty's Events API v2. The incident's id is the key by which it
// recognises what belongs together.
type OnCall struct {
	*caller
	key connect.Secret
}

var _ connect.Hook = OnCall{}

// NewOnCall returns the way to a service; "" is PagerDuty's own address.
func NewOnCall(address string, key connect.Secret, g connect.Guard) (OnCall, error) {
	if address == "" {
		address = PagerDuty
	}
	if key == "" {
		return OnCall{}, fault.New(fault.Invalid, "alert.NewOnCall", "an on-call connection needs the integration key of the service")
	}
	c, err := newCaller(address, g)
	return OnCall{c, key}, err
}

// onCallEvent is an event of the API.
type onCallEvent struct {
	RoutingKey string         `json:"routing_key"`
	Action     string         `json:"event_action"`
	DedupKey   string         `json:"dedup_key"`
	Payload    *onCallPayload `json:"payload,omitempty"`
	Links      []onCallLink   `json:"links,omitempty"`
	Client     string         `json:"client,omitempty"`
	ClientURL  string         `json:"client_url,omitempty"`
}

type onCallPayload struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component"`
	Details   map[string]string `json:"custom_details,omitempty"`
}

type onCallLink struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// maxSummary is the longest summary that the API takes.
const maxSummary = 1024

// Post implements connect.Hook.
func (o OnCall) Post(ctx context.Context, d connect.Delivery) (connect.Receipt, error) {
	doc, err := read(d.Body)
	if err != nil {
		return connect.Receipt{}, err
	}
	body, err := json.Marshal(o.event(doc))
	if err != nil {
		return connect.Receipt{}, err
	}
	return o.call(ctx, http.MethodPost, body)
}

func (o OnCall) event(d document) onCallEvent {
	ev := onCallEvent{RoutingKey: o.key.Reveal(), Action: trigger, DedupKey: d.Data["incident"]}
	if ev.DedupKey == "" {
		ev.DedupKey = d.ID // a word to an owner that is no incident
	}
	switch d.Data["action"] {
	case acknowledge:
		ev.Action = acknowledge
		return ev
	case resolve, test:
		// The service takes the end of what never began, and wakes nobody: the way is tried and it stays quiet.
		ev.Action = resolve
		return ev
	}
	details := map[string]string{}
	for _, k := range []string{"detail", "impact", "next", "evidence", "owner"} {
		if v := d.Data[k]; v != "" {
			details[k] = v
		}
	}
	summary := d.Data["title"]
	if r := []rune(summary); len(r) > maxSummary {
		summary = string(r[:maxSummary])
	}
	ev.Payload = &onCallPayload{Summary: summary, Source: "orderly", Severity: "error", Timestamp: d.Time.Format(time.RFC3339), Component: "orderly", Details: details}
	ev.Client = "Orderly"
	if d.Link != "" {
		ev.ClientURL, ev.Links = d.Link, []onCallLink{{Href: d.Link, Text: "The incident in Orderly"}}
	}
	return ev
}

// Heart is the outside address that is called while the shop is well.
type Heart struct{ *caller }

// NewHeart returns the way to the address.
func NewHeart(address string, g connect.Guard) (Heart, error) {
	c, err := newCaller(address, g)
	return Heart{c}, err
}

// Beat calls it once.
func (h Heart) Beat(ctx context.Context) error {
	_, err := h.call(ctx, http.MethodGet, nil)
	return err
}
