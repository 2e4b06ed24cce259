package access

import (
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"orderly.example/orderly/internal/fault"
)

// Disable closes a user's account: they cannot sign in and their sessions end; or
// opens it again. The last admin stays.
func (s *Service) Disable(ctx context.Context, email string, off bool) error {
	action := "user.close"
	if !off {
		action = "user.reopen"
	}
	return s.change(ctx, email, Record{Action: action}, func(u *User) error { u.Disabled = off; return nil })
}

// SetRole gives a user another role. The last admin stays one.
func (s *Service) SetRole(ctx context.Context, email string, role Role) error {
	if !role.Valid() {
		return fault.New(fault.Invalid, "access.SetRole", "unknown role %q; the roles are viewer, agent, operator and admin", role)
	}
	return s.change(ctx, email, Record{Action: "user.role", Detail: string(role)}, func(u *User) error { u.Role = role; return nil })
}

// change changes a user and records it, unless no admin would be left.
func (s *Service) change(ctx context.Context, email string, r Record, fn func(*User) error) error {
	const op = "access.change"
	email, err := NormalEmail(email)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		us, err := tx.Users()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(us, func(u User) bool { return u.Email == email })
		if i < 0 {
			return fault.New(fault.NotFound, op, "there is no user %s", email)
		}
		was := us[i]
		if err := fn(&us[i]); err != nil || us[i] == was {
			return err
		}
		admin := func(u User) bool { return u.Role == Admin && !u.Disabled }
		if admin(was) && !slices.ContainsFunc(us, admin) {
			return fault.New(fault.Conflict, op, "%s is the last admin; make another one first", email)
		}
		if err := tx.PutUser(us[i]); err != nil {
			return err
		}
		r := r
		r.Subject = email
		if was.Role != us[i].Role {
			r.Detail = string(was.Role) + " to " + string(us[i].Role)
		}
		return s.record(ctx, tx, r)
	})
}

// inviteTTL is how long the link of an invitation is good.
const inviteTTL = 7 * 24 * time.Hour

// Invite makes a one-time token with which a person makes their account. Another
// one for the same address takes its place.
func (s *Service) Invite(ctx context.Context, email, name string, role Role) (string, Invite, error) {
	const op = "access.Invite"
	email, err := NormalEmail(email)
	if err != nil {
		return "", Invite{}, err
	}
	if !role.Valid() {
		return "", Invite{}, fault.New(fault.Invalid, op, "unknown role %q; the roles are viewer, agent, operator and admin", role)
	}
	if name, err = userName(name, email); err != nil {
		return "", Invite{}, err
	}
	token := randomToken("")
	now := s.now()
	i := Invite{Hash: hashToken(token), Email: email, Name: name, Role: role, Created: now, CreatedBy: OriginFrom(ctx).Who, Expires: now.Add(inviteTTL)}
	err = s.store.Update(ctx, func(tx Tx) error {
		if _, ok, err := tx.UserByEmail(email); err != nil || ok {
			if ok {
				return fault.New(fault.Conflict, op, "there is a user %s already", email)
			}
			return err
		}
		if err := tx.PutInvite(i); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "user.invite", Subject: email, Detail: string(role)})
	})
	if err != nil {
		return "", Invite{}, err
	}
	return token, i, nil
}

// Invites lists the invitations that nobody has followed yet, also those that are too old.
func (s *Service) Invites(ctx context.Context) (is []Invite, err error) {
	err = s.store.View(ctx, func(tx Tx) error { is, err = tx.Invites(); return err })
	return is, err
}

// RevokeInvite ends an invitation.
func (s *Service) RevokeInvite(ctx context.Context, email string) error {
	return s.store.Update(ctx, func(tx Tx) error {
		is, err := tx.Invites()
		if err != nil {
			return err
		}
		for _, i := range is {
			if i.Email == email {
				if err := tx.DeleteInvite(i.Hash); err != nil {
					return err
				}
				return s.record(ctx, tx, Record{Action: "user.uninvite", Subject: email})
			}
		}
		return fault.New(fault.NotFound, "access.RevokeInvite", "there is no invitation for %s", email)
	})
}

// InviteOf returns the invitation of a token, or a Denied error.
func (s *Service) InviteOf(ctx context.Context, token string) (i Invite, err error) {
	err = s.store.View(ctx, func(tx Tx) error { i, err = s.checkInvite(tx, token); return err })
	return i, err
}

func (s *Service) checkInvite(tx Tx, token string) (Invite, error) {
	is, err := tx.Invites()
	if err != nil {
		return Invite{}, err
	}
	want := []byte(hashToken(token))
	for _, i := range is {
		if subtle.ConstantTimeCompare(want, []byte(i.Hash)) == 1 && s.now().Before(i.Expires) {
			return i, nil
		}
	}
	return Invite{}, fault.New(fault.Denied, "access.Invite", "this invitation is used up, taken back or too old; ask for another one")
}

// AcceptInvite makes the account of an invitation, which is used up with it.
func (s *Service) AcceptInvite(ctx context.Context, token, name, password string) (User, error) {
	i, err := s.InviteOf(ctx, token) // the cheap check first
	if err != nil {
		return User{}, err
	}
	if name == "" {
		name = i.Name
	}
	u, err := s.prepare(ctx, NewUser{Email: i.Email, Name: name, Password: password, Role: i.Role})
	if err != nil {
		return User{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		now, err := s.checkInvite(tx, token)
		if err != nil {
			return err
		}
		if _, ok, err := tx.UserByEmail(u.Email); err != nil || ok {
			if ok {
				return fault.New(fault.Conflict, "access.AcceptInvite", "there is a user %s already", u.Email)
			}
			return err
		}
		u.Role = now.Role
		if err := tx.DeleteInvite(now.Hash); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Actor: u.ID, Who: u.Email, Action: "user.join", Subject: u.Email, Detail: string(u.Role)})
	})
	return u, err
}

// Session is a sign-in that goes on.
type Session struct {
	ID      string // the hash of its token: names it, and opens nothing
	UserID  string
	Began   time.Time
	Seen    time.Time // within sessionTouch
	From    string    // address at the sign-in
	Browser string
	How     string // password, or the name of a sign-in service
}

// UserSessions lists the sessions of a user that are good, newest first.
func (s *Service) UserSessions(ctx context.Context, u User) ([]Session, error) {
	var out []Session
	now := s.now()
	err := s.store.View(ctx, func(tx Tx) error {
		out = nil
		rows, err := tx.Sessions(now)
		if err != nil {
			return err
		}
		for _, row := range rows {
			_, v, err := (jsonCodec{}).Decode([]byte(row.Data))
			if err != nil {
				continue // of an older program; nobody is signed in by it
			}
			text := func(k string) string { t, _ := v[k].(string); return t }
			seen, _ := time.Parse(time.RFC3339, text(keySeen))
			if text(keyUser) != u.ID || text(keyStamp) != stamp(u) || u.Disabled || now.Sub(seen) > SessionIdle {
				continue
			}
			began, _ := time.Parse(time.RFC3339, text(keyBegan))
			out = append(out, Session{ID: row.Hash, UserID: u.ID, Began: began, Seen: seen, From: text(keyFrom), Browser: text(keyAgent), How: text(keyHow)})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Session) int { return cmp.Or(b.Seen.Compare(a.Seen), cmp.Compare(a.ID, b.ID)) })
	return out, err
}

// EndSession ends one session of a user; with id "" all of them.
func (s *Service) EndSession(ctx context.Context, u User, id string) error {
	ss, err := s.UserSessions(ctx, u)
	if err != nil {
		return err
	}
	found := id == ""
	return s.store.Update(ctx, func(tx Tx) error {
		for _, x := range ss {
			if id != "" && x.ID != id {
				continue
			}
			found = true
			if err := tx.DeleteSession(x.ID); err != nil {
				return err
			}
		}
		if !found {
			return fault.New(fault.NotFound, "access.EndSession", "there is no such session any more")
		}
		return s.record(ctx, tx, Record{Action: "user.sessions_end", Subject: u.Email})
	})
}
