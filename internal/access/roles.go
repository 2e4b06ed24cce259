package access

import (
	"slices"
	"strings"

	"orderly.example/orderly/internal/fault"
)

// Role is what a person of the shop is trusted with. Each role may do
// everything the one before it may.
type Role string

// The roles, least first.
const (
	Viewer   Role = "viewer"   // sees everything, changes nothing
	Agent    Role = "agent"    // works the review queue and single orders
	Operator Role = "operator" // stock, automations, dead letters
	Admin    Role = "admin"    // users, tokens, connections, settings
)

// Roles lists every role, least first.
func Roles() []Role { return []Role{Viewer, Agent, Operator, Admin} }

// Valid reports whether r is a role.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Action is something a person may be allowed to do.
type Action string

// The actions that roles are asked about.
const (
	See             Action = "see"               // read every page
	SeePersonal     Action = "see_personal"      // names, mail addresses and street lines of customers
	DecideTask      Action = "decide_task"       // approve, reject, ask; take a task
	ChangeOrder     Action = "change_order"      // hold, release, cancel, route again
	ChangeStock     Action = "change_stock"      // receive, count, adjust, transfer
	ReplayEffect    Action = "replay_effect"     // try a dead letter or a quarantined event again
	ApplyAutomation Action = "apply_automation"  // change automations and policies
	ManageUsers     Action = "manage_users"      // users, roles, passwords of others
	ManageTokens    Action = "manage_tokens"     // API tokens
	ManageConnect   Action = "manage_connection" // connections and their secrets
	ManageSettings  Action = "manage_settings"   // the shop's settings
	SeeAudit        Action = "see_audit"         // who did what
	ErasePersonal   Action = "erase_personal"    // give out or destroy what is kept of a customer
)

// least is the matrix: the least role that may do an action.
var least = map[Action]Role{
	See: Viewer, SeePersonal: Agent, DecideTask: Agent, ChangeOrder: Agent,
	ChangeStock: Operator, ReplayEffect: Operator, ApplyAutomation: Operator,
	ManageUsers: Admin, ManageTokens: Admin, ManageConnect: Admin, ManageSettings: Admin,
	SeeAudit: Admin, ErasePersonal: Admin,
}

// Can reports whether a role may do an action. An unknown role or action may nothing.
func Can(r Role, a Action) bool {
	need, ok := least[a]
	return ok && r.Valid() && slices.Index(Roles(), r) >= slices.Index(Roles(), need)
}

// Require returns a Denied error that names the role that is needed when u may not do a.
func Require(u User, a Action) error {
	if Can(u.Role, a) {
		return nil
	}
	return fault.New(fault.Denied, "access.Require",
		"your role %q may not do this; it needs the role %q or more", u.Role, least[a])
}

// Scope is what an API token may be used for.
type Scope string

// The scopes of API tokens.
const (
	EventsWrite Scope = "events:write" // submit events of channels and warehouses
	Read        Scope = "read"         // read orders, stock and explanations
	AdminScope  Scope = "admin"        // both of the above, people's decisions, and /metrics
)

// Scopes lists every scope.
func Scopes() []Scope { return []Scope{EventsWrite, Read, AdminScope} }

// ParseScopes reads a list of scopes separated by commas or blanks. At least one is required.
func ParseScopes(s string) ([]Scope, error) {
	var out []Scope
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		sc := Scope(f)
		if !slices.Contains(Scopes(), sc) {
			return nil, fault.New(fault.Invalid, "access.ParseScopes",
				"unknown scope %q; the scopes are events:write, read and admin", f)
		}
		if !slices.Contains(out, sc) {
			out = append(out, sc)
		}
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, "access.ParseScopes", "a token needs at least one scope: events:write, read or admin")
	}
	slices.Sort(out)
	return out, nil
}
