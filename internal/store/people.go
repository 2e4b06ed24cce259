package store

import (
	"slices"
	"strings"
	"time"

	"orderly.example/orderly/internal/access"
)

// Users, sessions, tokens and settings: *Tx is access.Tx.
var _ access.Tx = (*Tx)(nil)

const userColumns = "id, email, name, role, password, created, disabled"

func scanUser(scan func(...any) error) (access.User, error) {
	var u access.User
	var created, disabled int64
	err := scan(&u.ID, &u.Email, &u.Name, &u.Role, &u.Password, &created, &disabled)
	u.Created, u.Disabled = fromMicros(created), disabled != 0
	return u, err
}

// Users returns every user by mail address.
func (tx *Tx) Users() ([]access.User, error) {
	var out []access.User
	err := tx.Each(func(scan func(...any) error) error {
		u, err := scanUser(scan)
		out = append(out, u)
		return err
	}, "SELECT "+userColumns+" FROM users ORDER BY email")
	return out, err
}

func (tx *Tx) user(where, v string) (access.User, bool, error) {
	u, err := scanUser(tx.QueryRow("SELECT "+userColumns+" FROM users WHERE "+where+" = $1", v).Scan)
	if err == ErrNoRows {
		return access.User{}, false, nil
	}
	return u, err == nil, err
}

// UserByEmail finds a user by lower-case mail address.
func (tx *Tx) UserByEmail(email string) (access.User, bool, error) { return tx.user("email", email) }

// UserByID finds a user.
func (tx *Tx) UserByID(id string) (access.User, bool, error) { return tx.user("id", id) }

// PutUser writes a user whole.
func (tx *Tx) PutUser(u access.User) error {
	_, err := tx.Exec(`INSERT INTO users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, role = excluded.role, password = excluded.password,
		disabled = excluded.disabled`, u.ID, u.Email, u.Name, string(u.Role), u.Password, micros(u.Created), flag(u.Disabled))
	return err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

const tokenColumns = "hash, name, scopes, created, created_by, last_used, revoked, expires"

func scanToken(scan func(...any) error) (access.APIToken, error) {
	var t access.APIToken
	var scopes string
	var created, used, revoked, expires int64
	err := scan(&t.Hash, &t.Name, &scopes, &created, &t.CreatedBy, &used, &revoked, &expires)
	for _, s := range strings.Fields(scopes) {
		t.Scopes = append(t.Scopes, access.Scope(s))
	}
	t.Created, t.LastUsed, t.Revoked, t.Expires = fromMicros(created), fromMicros(used), revoked != 0, fromMicros(expires)
	return t, err
}

// Tokens returns every API token by name.
func (tx *Tx) Tokens() ([]access.APIToken, error) {
	var out []access.APIToken
	err := tx.Each(func(scan func(...any) error) error {
		t, err := scanToken(scan)
		out = append(out, t)
		return err
	}, "SELECT "+tokenColumns+" FROM api_token ORDER BY name")
	return out, err
}

// TokenByHash finds a token.
func (tx *Tx) TokenByHash(hash string) (access.APIToken, bool, error) {
	t, err := scanToken(tx.QueryRow("SELECT "+tokenColumns+" FROM api_token WHERE hash = $1", hash).Scan)
	if err == ErrNoRows {
		return access.APIToken{}, false, nil
	}
	return t, err == nil, err
}

// PutToken writes a token whole.
func (tx *Tx) PutToken(t access.APIToken) error {
	scopes := make([]string, len(t.Scopes))
	for i, s := range t.Scopes {
		scopes[i] = string(s)
	}
	_, err := tx.Exec(`INSERT INTO api_token (`+tokenColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (hash) DO UPDATE SET name = excluded.name, scopes = excluded.scopes, last_used = excluded.last_used, revoked = excluded.revoked,
		expires = excluded.expires`,
		t.Hash, t.Name, strings.Join(scopes, " "), micros(t.Created), t.CreatedBy, micros(t.LastUsed), flag(t.Revoked), micros(t.Expires))
	return err
}

// TouchToken records that a token was used.
func (tx *Tx) TouchToken(hash string, at time.Time) error {
	_, err := tx.Exec("UPDATE api_token SET last_used = $1 WHERE hash = $2", micros(at), hash)
	return err
}

// Session returns the data of a session that has not expired.
func (tx *Tx) Session(hash string, now time.Time) (string, bool, error) {
	var data string
	err := tx.QueryRow("SELECT data FROM session WHERE token = $1 AND expiry > $2", hash, micros(now)).Scan(&data)
	if err == ErrNoRows {
		return "", false, nil
	}
	return data, err == nil, err
}

// PutSession writes a session.
func (tx *Tx) PutSession(hash, data string, expiry time.Time) error {
	_, err := tx.Exec(`INSERT INTO session (token, data, expiry) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, hash, data, micros(expiry))
	return err
}

// DeleteSession ends a session.
func (tx *Tx) DeleteSession(hash string) error {
	_, err := tx.Exec("DELETE FROM session WHERE token = $1", hash)
	return err
}

// DeleteExpiredSessions removes what has expired.
func (tx *Tx) DeleteExpiredSessions(now time.Time) error {
	_, err := tx.Exec("DELETE FROM session WHERE expiry <= $1", micros(now))
	return err
}

// Sessions returns what has not expired.
func (tx *Tx) Sessions(now time.Time) ([]access.SessionRow, error) {
	var out []access.SessionRow
	err := tx.Each(func(scan func(...any) error) error {
		var r access.SessionRow
		var expiry int64
		err := scan(&r.Hash, &r.Data, &expiry)
		r.Expiry = fromMicros(expiry)
		out = append(out, r)
		return err
	}, "SELECT token, data, expiry FROM session WHERE expiry > $1", micros(now))
	return out, err
}

// Identity returns the user that a subject of a sign-in service is known as.
func (tx *Tx) Identity(issuer, subject string) (string, bool, error) {
	var id string
	err := tx.QueryRow("SELECT user_id FROM identity WHERE issuer = $1 AND subject = $2", issuer, subject).Scan(&id)
	if err == ErrNoRows {
		return "", false, nil
	}
	return id, err == nil, err
}

// PutIdentity lets a subject of a sign-in service be a user.
func (tx *Tx) PutIdentity(issuer, subject, userID string) error {
	_, err := tx.Exec(`INSERT INTO identity (issuer, subject, user_id, created) VALUES ($1, $2, $3, $4)
		ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id`, issuer, subject, userID, tx.Now())
	return err
}

const passkeyColumns = "id, user_id, name, key, sign_count, challenge, created, last_used"

func scanPasskey(scan func(...any) error) (k access.Passkey, err error) {
	var count, created, used int64
	err = scan(&k.ID, &k.UserID, &k.Name, &k.Key, &count, &k.Challenge, &created, &used)
	k.Count, k.Created, k.LastUsed = uint32(count), fromMicros(created), fromMicros(used)
	return k, err
}

// Passkeys returns the passkeys of a user, oldest first.
func (tx *Tx) Passkeys(userID string) ([]access.Passkey, error) {
	var out []access.Passkey
	err := tx.Each(func(scan func(...any) error) error {
		k, err := scanPasskey(scan)
		out = append(out, k)
		return err
	}, "SELECT "+passkeyColumns+" FROM passkey WHERE user_id = $1 ORDER BY created, id", userID)
	return out, err
}

// Passkey finds a passkey by its credential's id.
func (tx *Tx) Passkey(id string) (access.Passkey, bool, error) {
	k, err := scanPasskey(tx.QueryRow("SELECT "+passkeyColumns+" FROM passkey WHERE id = $1", id).Scan)
	if err == ErrNoRows {
		return access.Passkey{}, false, nil
	}
	return k, err == nil, err
}

// PutPasskey adds a passkey.
func (tx *Tx) PutPasskey(k access.Passkey) error {
	_, err := tx.Exec("INSERT INTO passkey ("+passkeyColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		k.ID, k.UserID, k.Name, k.Key, int64(k.Count), k.Challenge, micros(k.Created), micros(k.LastUsed))
	return err
}

// UsePasskey notes an answer. The conditions stand in the statement, so that of two answers that come at once one counts.
func (tx *Tx) UsePasskey(id, challenge string, count uint32, at time.Time) (bool, error) {
	n, err := tx.Exec(`UPDATE passkey SET sign_count = $1, challenge = $2, last_used = $3
		WHERE id = $4 AND challenge <> $5 AND (sign_count < $6 OR sign_count + $7 = 0)`,
		int64(count), challenge, micros(at), id, challenge, int64(count), int64(count))
	return n == 1, err
}

// DeletePasskey removes a passkey.
func (tx *Tx) DeletePasskey(id string) error {
	_, err := tx.Exec("DELETE FROM passkey WHERE id = $1", id)
	return err
}

// Invites returns every invitation by mail address.
func (tx *Tx) Invites() ([]access.Invite, error) {
	var out []access.Invite
	err := tx.Each(func(scan func(...any) error) error {
		var i access.Invite
		var created, expires int64
		err := scan(&i.Hash, &i.Email, &i.Name, &i.Role, &created, &i.CreatedBy, &expires)
		i.Created, i.Expires = fromMicros(created), fromMicros(expires)
		out = append(out, i)
		return err
	}, "SELECT hash, email, name, role, created, created_by, expires FROM invite ORDER BY email")
	return out, err
}

// PutInvite writes an invitation in the place of an earlier one for the same address.
func (tx *Tx) PutInvite(i access.Invite) error {
	_, err := tx.Exec(`INSERT INTO invite (hash, email, name, role, created, created_by, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (email) DO UPDATE SET hash = excluded.hash, name = excluded.name, role = excluded.role, created = excluded.created,
		created_by = excluded.created_by, expires = excluded.expires`,
		i.Hash, i.Email, i.Name, string(i.Role), micros(i.Created), i.CreatedBy, micros(i.Expires))
	return err
}

// DeleteInvite removes an invitation.
func (tx *Tx) DeleteInvite(hash string) error {
	_, err := tx.Exec("DELETE FROM invite WHERE hash = $1", hash)
	return err
}

// LockSetting returns a named value, made empty when there is none, and keeps other writers from it until the transaction ends.
func (tx *Tx) LockSetting(name string) (string, error) {
	var v string
	if _, err := tx.Exec("INSERT INTO setting (name, value) VALUES ($1, '') ON CONFLICT DO NOTHING", name); err != nil {
		return "", err
	}
	err := tx.QueryRow("SELECT value FROM setting WHERE name = $1 FOR UPDATE", name).Scan(&v)
	return v, err
}

// Setting returns a named value.
func (tx *Tx) Setting(name string) (string, bool, error) {
	var v string
	err := tx.QueryRow("SELECT value FROM setting WHERE name = $1", name).Scan(&v)
	if err == ErrNoRows {
		return "", false, nil
	}
	return v, err == nil, err
}

// PutSetting writes a named value.
func (tx *Tx) PutSetting(name, value string) error {
	_, err := tx.Exec("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// DeleteSetting removes a named value.
func (tx *Tx) DeleteSetting(name string) error {
	_, err := tx.Exec("DELETE FROM setting WHERE name = $1", name)
	return err
}

// Connection is a named way in or out. Config holds nothing secret; Secrets is sealed by the keyring.
type Connection struct {
	Name    string
	Kind    string // inbound, webhook, smtp
	Config  string // JSON
	Secrets string
	Updated time.Time
}

// Connections returns every connection by name.
func (tx *Tx) Connections() ([]Connection, error) {
	var out []Connection
	err := tx.Each(func(scan func(...any) error) error {
		var c Connection
		var updated int64
		err := scan(&c.Name, &c.Kind, &c.Config, &c.Secrets, &updated)
		c.Updated = fromMicros(updated)
		out = append(out, c)
		return err
	}, "SELECT name, kind, config, secrets, updated FROM connection ORDER BY name")
	return out, err
}

// seen is when every node knows of a connection that was written: each looks again within a second.
const seen = 2 * time.Second

// PutConnection writes a connection whole, and lets what waits to leave by it be tried soon: it may wait for just that.
func (tx *Tx) PutConnection(c Connection) error {
	_, err := tx.Exec(`INSERT INTO connection (name, kind, config, secrets, updated) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, config = excluded.config, secrets = excluded.secrets, updated = excluded.updated`,
		c.Name, c.Kind, c.Config, c.Secrets, micros(c.Updated))
	if err != nil {
		return err
	}
	now, err := tx.Clock()
	if err != nil {
		return err
	}
	due := now.Add(seen)
	var ids []string
	err = tx.each("UPDATE effect SET due = $1 WHERE destination = $2 AND state = 'pending' AND due > $1 RETURNING id", []any{due, c.Name}, func(r *Rows) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(ids) // the order of creation
	var jobs []Job
	for some := range slices.Chunk(ids, EffectsPerJob) {
		jobs = append(jobs, Deliver(c.Name, some).At(due))
	}
	return tx.Enqueue(jobs...)
}

// DeleteConnection removes a connection.
func (tx *Tx) DeleteConnection(name string) error {
	_, err := tx.Exec("DELETE FROM connection WHERE name = $1", name)
	return err
}
