package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/automation"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/decide"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/notify"
	"orderly.example/orderly/internal/proof"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/store"
)

// CSP is the content security policy that the pages are made for: no inline
// script, no inline style, nothing from elsewhere.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Reader is the read side of the store.
type Reader interface {
	View(ctx context.Context, fn func(*store.Tx) error) error
}

// Writer keeps what belongs to a person and not to the shop's history: saved filters.
type Writer interface {
	Update(ctx context.Context, fn func(*store.Tx) error) error
}

// Outcome is what became of a submitted event.
type Outcome struct {
	EventID string
	Status  string // decided, duplicate, refused, quarantined, conflict
	Reason  string
}

// Submitter is the one door for changes. It returns when the events are
// durable and decided, with one outcome for each, in their order.
type Submitter interface {
	Submit(ctx context.Context, evs []event.Event) ([]Outcome, error)
}

// Sessions signs people in and out; access.Web implements it. The signed-in
// user of a request is access.UserFrom of its context.
type Sessions interface {
	SignIn(r *http.Request, email, password string) (access.User, error)
	SetUp(r *http.Request, token string, n access.NewUser) (access.User, error)
	AcceptInvite(r *http.Request, token, name, password string) (access.User, error)
	SessionID(r *http.Request) string
	SignOut(r *http.Request) error
	SSO() string // name of the sign-in service; "" = none
	BeginSSO(r *http.Request, back string) (string, error)
	FinishSSO(r *http.Request) (u access.User, back string, err error)
	ChangePassword(r *http.Request, old, password string) error
	PasskeyOrigin(r *http.Request) (string, error) // an Unavailable error says what to set
	BeginPasskey(r *http.Request) ([]byte, error)
	FinishPasskey(r *http.Request, answer string) (access.User, error)
	Fresh(r *http.Request) bool // signed in lately: no password is asked before a passkey is added
	BeginAddPasskey(r *http.Request, name, password string) ([]byte, error)
	FinishAddPasskey(r *http.Request, answer string) (access.Passkey, error)
}

// Directory is who may enter, and what they did; access.Service implements it.
type Directory interface {
	SetupValid(ctx context.Context, token string) error
	Users(ctx context.Context) ([]access.User, error)
	User(ctx context.Context, id string) (access.User, error)
	SetRole(ctx context.Context, email string, role access.Role) error
	Disable(ctx context.Context, email string, off bool) error
	Invite(ctx context.Context, email, name string, role access.Role) (string, access.Invite, error)
	Invites(ctx context.Context) ([]access.Invite, error)
	InviteOf(ctx context.Context, token string) (access.Invite, error)
	RevokeInvite(ctx context.Context, email string) error
	UserSessions(ctx context.Context, u access.User) ([]access.Session, error)
	EndSession(ctx context.Context, u access.User, id string) error
	UserPasskeys(ctx context.Context, u access.User) ([]access.Passkey, error)
	RemovePasskey(ctx context.Context, u access.User, id string) (access.Passkey, error)
	TokenList(ctx context.Context) ([]access.APIToken, error)
	CreateToken(ctx context.Context, n access.NewToken) (string, access.APIToken, error)
	RevokeToken(ctx context.Context, name string) error
	Record(ctx context.Context, r access.Record) error
	Audit(ctx context.Context, f access.AuditFilter) ([]access.Record, error)
	Unsealed(ctx context.Context) (n int64, age time.Duration, err error)
}

// Topic names what changed, for live pages.
type Topic string

// The topics.
const (
	Orders      Topic = "orders"
	Tasks       Topic = "tasks"
	Stock       Topic = "stock"
	Effects     Topic = "effects"
	Automations Topic = "automations"
)

// Live tells what changes. The channel is closed when ctx ends; a reader that
// is slow may miss repetitions of a topic, never the topic.
type Live interface {
	Subscribe(ctx context.Context) <-chan Topic
}

// Explanation is why an automation fired for an order, or why it did not.
type Explanation struct {
	Automation string
	Mode       string // the automation's mode
	Why        string // the sentence its owner gave
	EventType  string
	EventID    string
	At         time.Time
	Outcome    string   // true, false or unknown
	Fired      bool     // true and applied
	NotDone    string   // why it did nothing although its condition held
	Reason     string   // one line: which part decided
	Did        []string // what it did, or would have done
	Tree       rule.Node
}

// Explainer re-evaluates the stored facts of an order's events with tracking.
type Explainer interface {
	// Why explains all automations considered for an order, or one of them.
	Why(ctx context.Context, orderID, automation string) ([]Explanation, error)
	// Unasked says why an automation was never asked about an order; without a name, why none was.
	Unasked(ctx context.Context, orderID, automation string) (Unasked, error)
}

// Unasked is why an automation was never asked about an order, and the days of the backtest that says what it would
// have done; none where a backtest cannot say.
type Unasked struct {
	Text, Since, Until string
	Verdict            []Explanation // what it would have said of this order, with what was known then; none when that is not known
}

// Checker says what can be shown of all automations together. The report is shared: it is not changed.
type Checker interface {
	Findings(ctx context.Context) (*proof.Report, error)
	// FindingsOf says what can be shown of a text that is not saved yet, in place of the policy text name ("" = a
	// new one), and runs its tests. A text that is no automation is a fault.Invalid.
	FindingsOf(ctx context.Context, name, text string) (*proof.Report, error)
	// Names are what the names in a text may stand for.
	Names(ctx context.Context) (automation.Names, error)
	// RunTests says what comes of each test of an automation that is not saved yet.
	RunTests(ctx context.Context, a *automation.Automation) ([]proof.Run, error)
}

// Replayer tries dead letters and quarantined events again.
type Replayer interface {
	// ReplayEffects puts dead letters back to pending. What may have arrived stays dead unless by gives a
	// person's word that it may arrive twice. What is not dead any more stays as it is.
	ReplayEffects(ctx context.Context, ids []string, by store.Replay) (ReplayOutcome, error)
	// ReplayCause does the same with all dead letters of a cause.
	ReplayCause(ctx context.Context, cause string, by store.Replay) (ReplayOutcome, error)
	// PreviewEffects writes what effects would send if they left now.
	PreviewEffects(ctx context.Context, ids []string) ([]Letter, error)
	// DecideAgain decides a quarantined event under today's policy. An event that is not in
	// quarantine any more is a Conflict.
	DecideAgain(ctx context.Context, eventID string) (Outcome, error)
	// PreviewRetry says what beginning a failed run again at a step would do; from "" is the step that failed.
	PreviewRetry(ctx context.Context, run, from string) (*decide.Retry, error)
	// RetryRun does it, in a run whose id it returns; whoever comes second gets the same. twice is a person's word.
	RetryRun(ctx context.Context, run, from string, twice bool, by string) (string, error)
}

// ReplayOutcome is what became of a replay.
type ReplayOutcome struct{ Replayed, Withheld int }

// Letter is what an effect would send if it left now.
type Letter struct {
	Effect            store.EffectRow
	To, Subject, Text string // Text is the document of a webhook
	Problem           string // why it cannot be made
	Replays           []store.Replayed
}

// ConnectionForm is a connection as a form shows and changes it. What it keeps
// secret goes in and never comes out.
type ConnectionForm struct {
	Name, Kind string // kind: inbound, webhook or smtp
	Exists     bool

	EventType               string // inbound: every body is the data of this type
	Expect                  string // inbound: how often it delivers at least, like "1 per day"
	URL                     string // webhook, in only; "" keeps the one it has
	Address                 string // webhook, out only: scheme and host of the URL
	AllowPrivate, AllowHTTP bool
	Host                    string // smtp
	Port                    int    // 0 = the usual one
	TLS, User               string
	From, ReplyTo           string
	Secret                  string // in only: password or signing secret; "" keeps it, or makes one
	Secrets                 int    // out only: signing secrets that are good; 2 while one is replaced
}

// Connections are the shop's ways in and out, with the checks of "orderly connection".
// A refusal is a fault whose problems point at the fields of the form, in snake case.
type Connections interface {
	Connection(ctx context.Context, name string) (ConnectionForm, error)
	// SetConnection makes or changes one and returns the signing secret it made, if any.
	SetConnection(ctx context.Context, f ConnectionForm) (made string, err error)
	// RotateConnection makes a second signing secret, or with finish forgets the old one.
	RotateConnection(ctx context.Context, name string, finish bool) (made string, err error)
	DeleteConnection(ctx context.Context, name string) error
	// TestConnection sends a mail to the address, or a signed document, and says what the other side answered.
	TestConnection(ctx context.Context, name, to string) (answer string, err error)
}

// PolicyEdit is one text of the policy as it shall be. Was is the hash of the text it began from, "" for a
// new one; the empty Text removes it.
type PolicyEdit struct {
	Kind            string // "" = an automation
	Name, Was, Text string
	Failing         bool // also when tests beside it fail
}

// PolicySaved is what a save made.
type PolicySaved struct {
	Version  int64 // its number among the versions of the automation
	Changed  bool
	Proposed bool // kept for a second person to confirm; nothing is changed yet
	Warnings []string
}

// Proposed is a change of an automation that waits for a second person.
type Proposed struct {
	ID, Name, Author, Reason string
	At                       time.Time
	Mode                     string // "" when it is a new text
	Text, Now                string // as it will be, and as it is
	Folder                   bool   // the policy of a whole folder, applied at a terminal; Text and Now have what changes
}

// MailWriter writes a mail of a template's text, as it would leave.
type MailWriter interface {
	// WriteMail takes an order of the shop, or an example when order is ""; personal is whether the customer may be shown.
	WriteMail(ctx context.Context, name, text, order string, personal bool) (notify.Rendered, error)
}

// PolicyEditor changes automations and mails, each time as a new version. A conflict with what somebody else saved is a fault.Conflict.
type PolicyEditor interface {
	Edit(ctx context.Context, e PolicyEdit, author, reason string) (PolicySaved, error)
	Rollback(ctx context.Context, name string, version int64, author, reason string) (PolicySaved, error)
	// Waiting lists what waits for a second person; Second confirms or refuses one of it and returns the automation's name.
	Waiting(ctx context.Context) ([]Proposed, error)
	Second(ctx context.Context, id, by string, confirm bool) (string, error)
}

// Keys opens personal data and hashes look-ups; store.Keyring implements it.
type Keys interface {
	Open(customerID, wrapped, sealed string) (customer.Personal, error)
	Hash(kind, value string) string
}

// Postal tells the coordinates of a postal code.
type Postal interface {
	Lookup(country, code string) (lat, lon float64, ok bool)
}

// Shop is what pages say about the shop itself.
type Shop struct {
	Name     string
	Zone     *time.Location
	Currency string
	BaseURL  string // how commands in help texts name this server

	FulfilOn         string // what a fulfilment waits for: authorized or paid
	ReviewSLA        time.Duration
	OpsOwner         string   // is told of incidents that nobody else owns
	Mail, Fulfilment string   // connections that carry what leaves; "" = none
	Alerts           []string // connections that take alerts besides mail
	Escalate         []string // people who are told one after another while nobody acknowledges an incident
	EscalateAfter    time.Duration
	Heartbeat        string // connection that is called while all is well
}

// Deps is what the console is built on. Postal, Backtest, Live, Modes, Why, Replay and Connect may be
// nil: their parts of the pages then say that they are not available.
type Deps struct {
	Read     Reader
	Lists    Reader // lists and figures are read from it: a replica, which may be some seconds old; nil: Read
	Write    Writer
	Keys     Keys
	Submit   Submitter
	Sessions Sessions
	People   Directory
	Why      Explainer
	Replay   Replayer
	Suggest  Suggester // nil: no suggestions
	Connect  Connections
	Live     Live
	Modes    Switcher
	Check    Checker
	Map      Mapper // nil: no system map
	Policy   PolicyEditor
	Mails    MailWriter
	Privacy  PrivacyOffice
	Postal   Postal
	Watch    Watch // nil: incidents only
	Backtest Backtester
	Shop     func() Shop
	Now      func() time.Time
	Log      *slog.Logger
}

// Console serves the pages.
type Console struct {
	Deps
	mux      *http.ServeMux
	hub      *hub
	patterns []string
}

// New returns the console. It expects to run below access.Web.Handler, which
// puts the signed-in user into the request and refuses forged requests.
func New(d Deps) *Console {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Shop == nil {
		d.Shop = func() Shop { return Shop{Name: "Orderly", Zone: time.UTC} }
	}
	c := &Console{Deps: d, mux: http.NewServeMux(), hub: newHub(d.Live)}
	c.routes()
	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", CSP)
	if r.Method != http.MethodGet && c.Lists != nil {
		http.SetCookie(w, &http.Cookie{
			Name: wroteCookie, Value: "1", Path: "/", MaxAge: int(wroteFor / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	c.mux.ServeHTTP(w, r)
}

// Who has just changed something sees it in every list, whatever a replica lags behind: for
// so long after a change, that person's lists are read from the database itself.
const (
	wroteCookie = "orderly_wrote"
	wroteFor    = time.Minute
)

// forLists is where the lists and figures of a page are read from.
func (c *Console) forLists(r *http.Request) Reader {
	if c.Lists == nil {
		return c.Read
	}
	if _, err := r.Cookie(wroteCookie); err == nil {
		return c.Read
	}
	return c.Lists
}

// page is a handler that may fail; fail writes its error page.
type page func(w http.ResponseWriter, r *http.Request) error

func (c *Console) routes() {
	c.patterns = append(c.patterns, "GET "+ui.AssetPrefix)
	c.mux.Handle("GET "+ui.AssetPrefix, ui.Assets())
	for _, x := range []struct {
		pattern string
		page    page
	}{
		{"GET /signin", c.signInPage},
		{"POST /signin", c.signIn},
		{"POST /signout", c.signOut},
		{"GET /signin/sso", c.beginSSO},
		{"GET " + access.SSOCallback, c.finishSSO},
		{"POST /signin/passkey/begin", c.beginPasskey},
		{"POST /signin/passkey", c.finishPasskey},
		{"GET /setup", c.setUpPage},
		{"POST /setup", c.setUp},
		{"GET /invite", c.invitePage},
		{"POST /invite", c.acceptInvite},
		{"POST /theme", c.theme},

		{"GET /{$}", c.today},
		{"GET /orders", c.orders},
		{"GET /orders.csv", c.ordersCSV},
		{"POST /orders/bulk", c.bulk},
		{"POST /orders/undo", c.undo},
		{"POST /filters", c.saveFilter},
		{"POST /filters/{id}/delete", c.deleteFilter},
		{"GET /orders/{id}", c.order},
		{"GET /orders/{id}/customer.json", c.exportCustomer},
		{"POST /orders/{id}/erase-customer", c.eraseCustomer},
		{"POST /orders/{id}/{action}", c.actOnOrder},
		{"GET /review", c.review},
		{"GET /review/{id}", c.review},
		{"POST /review/{id}", c.decide},
		{"POST /review/{id}/assign", c.assign},
		{"POST /proposals/{id}", c.second},
		{"GET /incidents", c.incidents},
		{"GET /incidents/{id}", c.incident},
		{"POST /incidents/{id}/{action}", c.actOnIncident},
		{"GET /expectations", c.expectations},
		{"GET /expectations/{name}", c.expectation},
		{"GET /stock", c.stock},
		{"GET /stock/{sku}", c.ledger},
		{"POST /stock/{sku}/{action}", c.actOnStock},
		{"GET /automations", c.automations},
		{"GET /automations/{name}", c.automation},
		{"POST /automations/{name}/{action}", c.switchMode},
		{"GET /suggestions", c.suggestions},
		{"POST /suggestions/{key}/accept", c.acceptSuggestion},
		{"POST /suggestions/{key}/refuse", c.refuseSuggestion},
		{"GET /automations/{name}/backtest", c.backtest},
		{"POST /automations/{name}/backtest", c.startBacktest},
		{"POST /automations/{name}/backtest/stop", c.stopBacktest},
		{"GET /automations/{name}/runs", c.runs},
		{"GET /runs/{id}", c.run},
		{"POST /runs/{id}/retry", c.retryRun},
		{"GET /automations/{name}/versions", c.versions},
		{"GET /automations/{name}/edit", c.editor},
		{"POST /automations/{name}/rollback", c.rollback},
		{"POST /automations/{name}/remove", c.removeAutomation},
		{"GET /changes", c.changes},
		{"GET /editor", c.newEditor},
		{"GET /editor/skus", c.suggest},
		{"POST /editor/check", c.checkEdit},
		{"POST /editor/complete", c.completeEdit},
		{"POST /editor/findings", c.findingsOfEdit},
		{"POST /editor/backtest", c.tryEdit},
		{"GET /editor/backtest", c.triedEdit},
		{"POST /editor/save", c.saveEdit},
		{"GET /mails", c.mails},
		{"GET /mails/{name}", c.mail},
		{"GET /mails/{name}/preview", c.mailPreview},
		{"POST /mails/{name}/remove", c.removeMail},
		{"GET /editor/mail", c.newMail},
		{"POST /editor/mail", c.saveMail},
		{"POST /editor/mail/preview", c.mailPreview},
		{"GET /effects", c.effects},
		{"POST /effects/replay", c.replay},
		{"GET /map", c.systemMap},
		{"GET /map.svg", c.mapSVG},
		{"POST /effects/decide", c.decideAgain},
		{"GET /settings", c.settings},
		{"GET /settings/alerts", c.alerts},
		{"POST /settings/alerts/test", c.testAlerts},
		{"GET /settings/locations/{id}", c.location},
		{"POST /settings/locations/{id}", c.saveLocation},
		{"GET /settings/connections/{name}", c.connection},
		{"POST /settings/connections/{name}", c.saveConnection},
		{"POST /settings/connections/{name}/{action}", c.actOnConnection},
		{"POST /settings/tokens", c.createToken},
		{"POST /settings/tokens/{name}/revoke", c.revokeToken},
		{"GET /settings/people", c.people},
		{"POST /settings/people", c.invite},
		{"GET /settings/people/{id}", c.person},
		{"POST /settings/people/{id}/{action}", c.changePerson},
		{"POST /settings/invites/revoke", c.revokeInvite},
		{"GET /audit", c.auditLog},
		{"GET /audit.csv", c.auditCSV},
		{"GET /profile", c.profile},
		{"POST /profile/password", c.changePassword},
		{"POST /profile/sessions/end", c.endSession},
		{"POST /profile/passkeys/begin", c.beginAddPasskey},
		{"POST /profile/passkeys", c.addPasskey},
		{"POST /profile/passkeys/remove", c.removePasskey},
		{"GET /frame", c.frameOnly},
		{"GET /palette", c.palette},
		{"GET /live", c.live},
		{"GET /", func(http.ResponseWriter, *http.Request) error {
			return fault.New(fault.NotFound, "console", "there is no such page")
		}},
	} {
		c.handle(x.pattern, x.page)
	}
}

func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
