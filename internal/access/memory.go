package access

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Memory is a Store in memory: for tests of what is built on access.
type Memory struct {
	mu       sync.Mutex
	users    map[string]User
	tokens   map[string]APIToken
	sessions map[string]memorySession
	settings map[string]string
	invites  map[string]Invite
	records  []Record
	ids      map[string]string
	keys     map[string]Passkey
	open     map[string]bool // records that wait to be sealed
	chain    []Link
	Updates  int // how many updates ran
}

type memorySession struct {
	data   string
	expiry time.Time
}

// NewMemory returns an empty Store in memory.
func NewMemory() *Memory {
	return &Memory{
		users: map[string]User{}, tokens: map[string]APIToken{}, sessions: map[string]memorySession{}, settings: map[string]string{},
		invites: map[string]Invite{}, ids: map[string]string{}, keys: map[string]Passkey{}, open: map[string]bool{},
	}
}

// View implements Store.
func (m *Memory) View(_ context.Context, fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn((*memoryTx)(m))
}

// Update implements Store. A function that fails must not have written: there is no rollback here.
func (m *Memory) Update(_ context.Context, fn func(Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Updates++
	return fn((*memoryTx)(m))
}

type memoryTx Memory

func (m *memoryTx) Users() ([]User, error) {
	var us []User
	for _, u := range m.users {
		us = append(us, u)
	}
	slices.SortFunc(us, func(a, b User) int { return cmp.Compare(a.Email, b.Email) })
	return us, nil
}

func (m *memoryTx) UserByEmail(email string) (User, bool, error) {
	for _, u := range m.users {
		if u.Email == email {
			return u, true, nil
		}
	}
	return User{}, false, nil
}

func (m *memoryTx) UserByID(id string) (User, bool, error) {
	u, ok := m.users[id]
	return u, ok, nil
}

func (m *memoryTx) PutUser(u User) error { m.users[u.ID] = u; return nil }

func (m *memoryTx) Tokens() ([]APIToken, error) {
	var ts []APIToken
	for _, t := range m.tokens {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b APIToken) int { return cmp.Compare(a.Name, b.Name) })
	return ts, nil
}

func (m *memoryTx) TokenByHash(hash string) (APIToken, bool, error) {
	t, ok := m.tokens[hash]
	return t, ok, nil
}

func (m *memoryTx) PutToken(t APIToken) error { m.tokens[t.Hash] = t; return nil }

func (m *memoryTx) TouchToken(hash string, at time.Time) error {
	if t, ok := m.tokens[hash]; ok {
		t.LastUsed = at
		m.tokens[hash] = t
	}
	return nil
}

func (m *memoryTx) Session(hash string, now time.Time) (string, bool, error) {
	s, ok := m.sessions[hash]
	return s.data, ok && now.Before(s.expiry), nil
}

func (m *memoryTx) PutSession(hash, data string, expiry time.Time) error {
	m.sessions[hash] = memorySession{data, expiry}
	return nil
}

func (m *memoryTx) DeleteSession(hash string) error { delete(m.sessions, hash); return nil }

func (m *memoryTx) DeleteExpiredSessions(now time.Time) error {
	for h, s := range m.sessions {
		if !now.Before(s.expiry) {
			delete(m.sessions, h)
		}
	}
	return nil
}

func (m *memoryTx) Setting(name string) (string, bool, error) {
	v, ok := m.settings[name]
	return v, ok, nil
}

func (m *memoryTx) PutSetting(name, value string) error { m.settings[name] = value; return nil }

func (m *memoryTx) DeleteSetting(name string) error { delete(m.settings, name); return nil }

func (m *memoryTx) LockSetting(name string) (string, error) { return m.settings[name], nil }

func (m *memoryTx) Sessions(now time.Time) ([]SessionRow, error) {
	var out []SessionRow
	for h, s := range m.sessions {
		if now.Before(s.expiry) {
			out = append(out, SessionRow{h, s.data, s.expiry})
		}
	}
	return out, nil
}

func (m *memoryTx) Invites() ([]Invite, error) {
	var out []Invite
	for _, i := range m.invites {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b Invite) int { return cmp.Compare(a.Email, b.Email) })
	return out, nil
}

func (m *memoryTx) PutInvite(i Invite) error { m.invites[i.Email] = i; return nil }

func (m *memoryTx) DeleteInvite(hash string) error {
	for k, i := range m.invites {
		if i.Hash == hash {
			delete(m.invites, k)
		}
	}
	return nil
}

func (m *memoryTx) PutRecord(r Record) error {
	m.records = append(m.records, r)
	m.open[r.ID] = true
	return nil
}

func (m *memoryTx) Records(f AuditFilter) ([]Record, error) {
	out := slices.Clone(m.records)
	slices.Reverse(out)
	return out[:min(len(out), f.Limit)], nil
}

func (m *memoryTx) OpenRecords(limit int) ([]Record, error) {
	var out []Record
	for _, r := range m.records {
		if m.open[r.ID] && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

func (m *memoryTx) Unsealed() (n int64, oldest time.Time, err error) {
	for _, r := range m.records {
		if m.open[r.ID] {
			if n++; n == 1 {
				oldest = r.At
			}
		}
	}
	return n, oldest, nil
}

func (m *memoryTx) PutLinks(ls []Link) error {
	m.chain = append(m.chain, ls...)
	for _, l := range ls {
		delete(m.open, l.ID)
	}
	return nil
}

func (m *memoryTx) EachSealed(fn func(Sealed) bool) error {
	for _, l := range m.chain {
		x := Sealed{Link: l, Missing: true}
		for _, r := range m.records {
			if r.ID == l.ID {
				x.Record, x.Missing = r, false
			}
		}
		if !fn(x) {
			return nil
		}
	}
	return nil
}

func (m *memoryTx) StrayRecord() (string, error) {
	for _, r := range m.records {
		if !m.open[r.ID] && !slices.ContainsFunc(m.chain, func(l Link) bool { return l.ID == r.ID }) {
			return r.ID, nil
		}
	}
	return "", nil
}

func (m *memoryTx) Identity(issuer, subject string) (string, bool, error) {
	id, ok := m.ids[issuer+" "+subject]
	return id, ok, nil
}

func (m *memoryTx) PutIdentity(issuer, subject, userID string) error {
	m.ids[issuer+" "+subject] = userID
	return nil
}

func (m *memoryTx) Passkeys(userID string) ([]Passkey, error) {
	var out []Passkey
	for _, k := range m.keys {
		if k.UserID == userID {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b Passkey) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (m *memoryTx) Passkey(id string) (Passkey, bool, error) {
	k, ok := m.keys[id]
	return k, ok, nil
}

func (m *memoryTx) PutPasskey(k Passkey) error { m.keys[k.ID] = k; return nil }

func (m *memoryTx) UsePasskey(id, challenge string, count uint32, at time.Time) (bool, error) {
	k, ok := m.keys[id]
	if !ok || k.Challenge == challenge || count <= k.Count && (count != 0 || k.Count != 0) {
		return false, nil
	}
	k.Challenge, k.Count, k.LastUsed = challenge, count, at
	m.keys[id] = k
	return true, nil
}

func (m *memoryTx) DeletePasskey(id string) error { delete(m.keys, id); return nil }
