package access

import (
	"context"
	"time"
)

// User is a person of the shop who signs in.
type User struct {
	ID       string
	Email    string // lower case; what one signs in with
	Name     string
	Role     Role
	Password string // argon2id, PHC string
	Created  time.Time
	Disabled bool
}

// APIToken is a program's key. The token itself is shown once and never stored.
type APIToken struct {
	Hash      string // SHA-256 of the token, hex
	Name      string // unique; names the actor of the events it submits
	Scopes    []Scope
	Created   time.Time
	CreatedBy string
	LastUsed  time.Time // within a minute; zero = never
	Expires   time.Time // refused from then on; zero = never
	Revoked   bool
}

// Expired reports whether a token's time is over.
func (t APIToken) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// Invite is a one-time link that lets a person make their account. The token in it is shown once and never stored.
type Invite struct {
	Hash      string // SHA-256 of the token, hex
	Email     string
	Name      string
	Role      Role
	Created   time.Time
	CreatedBy string
	Expires   time.Time
}

// Store is where users, tokens, sessions and settings stand. Like the program's
// store, Update runs its function in one transaction and may run it again.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is what a transaction of Store can do. The look-ups return ok=false, and
// no error, for what does not exist.
type Tx interface {
	Users() ([]User, error)
	UserByEmail(email string) (u User, ok bool, err error)
	UserByID(id string) (u User, ok bool, err error)
	PutUser(u User) error // insert or replace by ID

	Tokens() ([]APIToken, error)
	TokenByHash(hash string) (t APIToken, ok bool, err error)
	PutToken(t APIToken) error // insert or replace by Hash
	TouchToken(hash string, at time.Time) error

	Session(hash string, now time.Time) (data string, ok bool, err error) // not the expired ones
	PutSession(hash, data string, expiry time.Time) error
	DeleteSession(hash string) error
	DeleteExpiredSessions(now time.Time) error
	Sessions(now time.Time) ([]SessionRow, error) // not the expired ones

	Identity(issuer, subject string) (userID string, ok bool, err error) // of a sign-in service
	PutIdentity(issuer, subject, userID string) error

	Passkeys(userID string) ([]Passkey, error) // oldest first
	Passkey(id string) (k Passkey, ok bool, err error)
	PutPasskey(k Passkey) error // a new one
	// UsePasskey notes an answer; ok=false when its challenge was answered already or the device counted back.
	UsePasskey(id, challenge string, count uint32, at time.Time) (ok bool, err error)
	DeletePasskey(id string) error

	Invites() ([]Invite, error)
	PutInvite(i Invite) error // replaces one for the same mail address
	DeleteInvite(hash string) error

	PutRecord(r Record) error                // appends, and lets it wait to be sealed
	Records(f AuditFilter) ([]Record, error) // newest first
	OpenRecords(limit int) ([]Record, error) // those that wait, oldest first
	Unsealed() (n int64, oldest time.Time, err error)
	PutLinks(ls []Link) error              // appends to the chain; the records wait no more
	EachSealed(fn func(Sealed) bool) error // by Seq, until fn returns false
	StrayRecord() (id string, err error)   // one that neither is in the chain nor waits; "" = none

	Setting(name string) (value string, ok bool, err error)
	PutSetting(name, value string) error
	DeleteSetting(name string) error
	LockSetting(name string) (value string, err error) // held until the transaction ends; "" when there is none
}

// SessionRow is a session as it is stored.
type SessionRow struct {
	Hash   string
	Data   string
	Expiry time.Time
}
