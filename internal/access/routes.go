package access

import (
	"net/http"

	"orderly.example/orderly/internal/fault"
)

// Need says what a route asks of whoever comes, and what the audit log calls the act.
// Exactly one of Open, Act, Scope and Signed is set.
type Need struct {
	Open   bool     // anyone, also a stranger
	Act    Action   // a signed-in person whose role may do this
	Owner  string   // names the automation: "path:name" or "form:name"; its owner may do it as well, whatever their role
	Scope  Scope    // a program whose token has this scope
	Signed bool     // a program that signs with the secret of the connection in the path
	Audit  string   // the record's action; Inside when the act records itself; "" when nothing is changed
	Keep   []string // the form's and the path's words that the record keeps
	Shown  bool     // the form is first answered with what would be done; only with confirm=yes it is done
}

// Preview reports whether a request only asks what would be done.
func (n Need) Preview(r *http.Request) bool {
	return n.Shown && r.PostFormValue("confirm") != "yes"
}

// Inside says that an act writes its own record, in the transaction of what it changes.
const Inside = "inside"

// AnyOwner is an Owner for pages that every owner of some automation needs.
const AnyOwner = "any"

// routes is the table: every route of the console, the API and the server, and who may use it.
// A route that is not here is closed to everyone, and a test fails.
var routes = map[string]Need{
	// The server itself.
	"GET /healthz": {Open: true},
	"GET /readyz":  {Open: true},
	"GET /metrics": {Scope: AdminScope}, // the machine itself needs no token

	// The API.
	"POST /v1/events":            {Scope: EventsWrite},
	"POST /hooks/{connection}":   {Signed: true},
	"GET /v1/orders":             {Scope: Read},
	"GET /v1/orders/{order}":     {Scope: Read},
	"GET /v1/orders/{order}/why": {Scope: Read},
	"GET /v1/stock/{sku}":        {Scope: Read},
	"GET /openapi.json":          {Open: true},
	"GET /openapi.yaml":          {Open: true},
	"GET /docs":                  {Open: true},
	"GET /docs/style.css":        {Open: true},

	// The door of the console.
	"GET /assets/":               {Open: true},
	"GET /signin":                {Open: true},
	"POST /signin":               {Open: true, Audit: Inside},
	"POST /signout":              {Open: true, Audit: Inside},
	"GET /signin/sso":            {Open: true},
	"GET " + SSOCallback:         {Open: true, Audit: Inside},
	"POST /signin/passkey/begin": {Open: true}, // a question, kept in the visitor's session
	"POST /signin/passkey":       {Open: true, Audit: Inside},
	"GET /setup":                 {Open: true},
	"POST /setup":                {Open: true, Audit: Inside},
	"GET /invite":                {Open: true},
	"POST /invite":               {Open: true, Audit: Inside},
	"POST /theme":                {Open: true},

	// Pages.
	"GET /{$}":                                   {Act: See},
	"GET /":                                      {Act: See},
	"GET /frame":                                 {Act: See},
	"GET /palette":                               {Act: See},
	"GET /live":                                  {Act: See},
	"GET /orders":                                {Act: See},
	"GET /orders.csv":                            {Act: See, Audit: "orders.export"},
	"GET /orders/{id}/customer.json":             {Act: ErasePersonal, Audit: Inside},
	"POST /orders/{id}/erase-customer":           {Act: ErasePersonal, Audit: Inside},
	"GET /orders/{id}":                           {Act: See},
	"GET /review":                                {Act: See},
	"GET /review/{id}":                           {Act: See},
	"GET /incidents":                             {Act: See},
	"GET /incidents/{id}":                        {Act: See},
	"GET /expectations":                          {Act: See},
	"GET /expectations/{name}":                   {Act: See},
	"GET /stock":                                 {Act: See},
	"GET /stock/{sku}":                           {Act: See},
	"GET /automations":                           {Act: See},
	"GET /automations/{name}":                    {Act: See},
	"GET /automations/{name}/backtest":           {Act: See},
	"GET /automations/{name}/versions":           {Act: See},
	"GET /suggestions":                           {Act: See},
	"GET /changes":                               {Act: See},
	"GET /effects":                               {Act: See},
	"GET /mails":                                 {Act: See},
	"GET /mails/{name}":                          {Act: See},
	"GET /mails/{name}/preview":                  {Act: See},
	"GET /editor/mail":                           {Act: ApplyAutomation},
	"POST /editor/mail":                          {Act: ApplyAutomation, Audit: "mail.save", Keep: []string{"name"}},
	"POST /editor/mail/preview":                  {Act: ApplyAutomation}, // looks at a text; keeps nothing
	"POST /mails/{name}/remove":                  {Act: ApplyAutomation, Audit: "mail.remove"},
	"GET /map":                                   {Act: See},
	"GET /map.svg":                               {Act: See},
	"GET /automations/{name}/runs":               {Act: See},
	"GET /runs/{id}":                             {Act: See},
	"POST /editor/complete":                      {Act: ApplyAutomation, Owner: AnyOwner},
	"POST /editor/findings":                      {Act: ApplyAutomation, Owner: AnyOwner},
	"POST /editor/backtest":                      {Act: ApplyAutomation, Owner: AnyOwner},
	"GET /editor/backtest":                       {Act: ApplyAutomation, Owner: AnyOwner},
	"GET /settings":                              {Act: See},
	"GET /settings/locations/{id}":               {Act: See},
	"GET /settings/alerts":                       {Act: ManageConnect},
	"GET /settings/connections/{name}":           {Act: ManageConnect},
	"GET /settings/people":                       {Act: ManageUsers},
	"GET /settings/people/{id}":                  {Act: ManageUsers},
	"POST /proposals/{id}":                       {Act: ApplyAutomation, Audit: "automation.second", Keep: []string{"outcome", "name"}},
	"GET /profile":                               {Act: See},
	"GET /audit":                                 {Act: SeeAudit},
	"GET /audit.csv":                             {Act: SeeAudit, Audit: "audit.export"},
	"GET /automations/{name}/edit":               {Act: ApplyAutomation, Owner: "path:name"},
	"GET /editor":                                {Act: ApplyAutomation},
	"GET /editor/skus":                           {Act: ApplyAutomation, Owner: AnyOwner},
	"POST /editor/check":                         {Act: ApplyAutomation, Owner: AnyOwner}, // looks at a text; keeps nothing
	"POST /filters":                              {Act: See},                              // the person's own
	"POST /filters/{id}/delete":                  {Act: See},
	"POST /orders/bulk":                          {Act: ChangeOrder, Audit: "orders.change", Keep: []string{"verb", "id"}, Shown: true},
	"POST /orders/undo":                          {Act: ChangeOrder, Audit: "orders.undo"},
	"POST /orders/{id}/{action}":                 {Act: ChangeOrder, Audit: "order.change", Keep: []string{"action"}},
	"POST /review/{id}":                          {Act: DecideTask, Audit: "task.decide", Keep: []string{"outcome"}},
	"POST /incidents/{id}/{action}":              {Act: DecideTask, Audit: "incident.act", Keep: []string{"action", "for"}},
	"POST /review/{id}/assign":                   {Act: DecideTask, Audit: "task.assign", Keep: []string{"to"}},
	"POST /stock/{sku}/{action}":                 {Act: ChangeStock, Audit: "stock.change", Keep: []string{"action", "location", "qty"}},
	"POST /automations/{name}/{action}":          {Act: ApplyAutomation, Owner: "path:name", Audit: "automation.mode", Keep: []string{"action", "mode", "share"}},
	"POST /automations/{name}/backtest":          {Act: ApplyAutomation, Owner: "path:name"}, // reads the past
	"POST /automations/{name}/backtest/stop":     {Act: ApplyAutomation, Owner: "path:name"},
	"POST /automations/{name}/rollback":          {Act: ApplyAutomation, Owner: "path:name", Audit: "automation.rollback", Keep: []string{"version"}},
	"POST /automations/{name}/remove":            {Act: ApplyAutomation, Owner: "path:name", Audit: "automation.remove"},
	"POST /editor/save":                          {Act: ApplyAutomation, Owner: "form:name", Audit: "automation.save", Keep: []string{"name"}},
	"POST /suggestions/{key}/accept":             {Act: ApplyAutomation, Audit: "suggestion.accept"},
	"POST /suggestions/{key}/refuse":             {Act: ApplyAutomation, Audit: "suggestion.refuse"},
	"POST /effects/replay":                       {Act: ReplayEffect, Audit: "effects.replay", Keep: []string{"id"}, Shown: true},
	"POST /runs/{id}/retry":                      {Act: ReplayEffect, Audit: "run.retry", Keep: []string{"from", "twice"}, Shown: true},
	"POST /effects/decide":                       {Act: ReplayEffect, Audit: "events.decide", Keep: []string{"id"}, Shown: true},
	"POST /settings/locations/{id}":              {Act: ManageSettings, Audit: "location.save"},
	"POST /settings/alerts/test":                 {Act: ManageConnect, Audit: "alerts.test"},
	"POST /settings/connections/{name}":          {Act: ManageConnect, Audit: "connection.save", Keep: []string{"name", "kind"}},
	"POST /settings/connections/{name}/{action}": {Act: ManageConnect, Audit: "connection.change", Keep: []string{"action"}},
	"POST /settings/tokens":                      {Act: ManageTokens, Audit: Inside},
	"POST /settings/tokens/{name}/revoke":        {Act: ManageTokens, Audit: Inside},
	"POST /settings/people":                      {Act: ManageUsers, Audit: Inside},
	"POST /settings/people/{id}/{action}":        {Act: ManageUsers, Audit: Inside},
	"POST /settings/invites/revoke":              {Act: ManageUsers, Audit: Inside},
	"POST /profile/password":                     {Act: See, Audit: Inside}, // one's own
	"POST /profile/sessions/end":                 {Act: See, Audit: Inside},
	"POST /profile/passkeys/begin":               {Act: See, Audit: Inside},
	"POST /profile/passkeys":                     {Act: See, Audit: Inside},
	"POST /profile/passkeys/remove":              {Act: See, Audit: Inside},
}

// NeedOf returns what the table says about a route, as its pattern stands at the mux.
// A route that is not in the table is closed.
func NeedOf(pattern string) (Need, bool) {
	n, ok := routes[pattern]
	return n, ok
}

// Routes lists the patterns of the table.
func Routes() []string {
	out := make([]string, 0, len(routes))
	for p := range routes {
		out = append(out, p)
	}
	return out
}

// Who is behind a request: a signed-in person, a program with a token, or neither.
type Who struct {
	User   *User
	Caller *Caller
	// Owns reports whether a mail address owns an automation, or any when the name is "". nil: nobody owns one.
	Owns func(email, automation string) (bool, error)
}

// SignInError says that a person must sign in first.
type SignInError struct{}

func (SignInError) Error() string { return "sign in first" }

// Admit is the one place that lets a request in: nil, or a Denied error. A person that is
// not signed in gets one that wraps SignInError.
func (n Need) Admit(r *http.Request, w Who) error {
	const op = "access.Admit"
	switch {
	case n.Open, n.Signed:
		return nil
	case n.Scope != "":
		if w.Caller != nil && w.Caller.Has(n.Scope) {
			return nil
		}
		return fault.New(fault.Denied, op, "this token has not the scope %s", n.Scope)
	case n.Act == "":
		return fault.New(fault.Denied, op, "nobody may use this")
	case w.User == nil:
		return fault.Wrap(SignInError{}, fault.Denied, op, "sign in first")
	}
	refused := Require(*w.User, n.Act)
	if refused == nil || n.Owner == "" || w.Owns == nil || !Can(w.User.Role, See) {
		return refused
	}
	name, known := n.automation(r)
	if !known {
		return refused
	}
	owns, err := w.Owns(w.User.Email, name)
	if err != nil || owns {
		return err
	}
	return refused
}

// automation is the automation that a request names; "" with known is any.
func (n Need) automation(r *http.Request) (name string, known bool) {
	switch n.Owner {
	case AnyOwner:
		return "", true
	case "path:name":
		name = r.PathValue("name")
	case "form:name":
		name = r.PostFormValue("name")
	}
	return name, name != ""
}
