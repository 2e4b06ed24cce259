package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/fault"
)

// Service is the one door to users, tokens and sign-in.
type Service struct {
	store  Store
	log    *slog.Logger
	now    func() time.Time
	hash   *hasher
	limit  *limiter
	tokens *tokenCache
	mac    func(string) string
}

// UseKey gives the service the shop's keyed hash, by which the audit log names what it must not keep.
// Call it before the first sign-in.
func (s *Service) UseKey(mac func(string) string) { s.mac = mac }

// New returns a Service on a store. now may be nil for the wall clock; log may be nil.
func New(store Store, log *slog.Logger, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Service{store: store, log: log, now: now, hash: newHasher(), limit: newLimiter(now), tokens: newTokenCache()}
}

// Run keeps house until ctx ends: once a minute it writes down when tokens were last
// used, removes expired sessions and seals the audit log. mac is the shop's keyed hash.
func (s *Service) Run(ctx context.Context, mac func(string) string) error {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		if err := s.Seal(ctx, mac); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the audit log could not be sealed; it is tried again in a minute", "error", err)
		}
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			s.tidy(end)
			return nil
		case <-t.C:
			s.tidy(ctx)
		}
	}
}

func (s *Service) tidy(ctx context.Context) {
	used := s.tokens.takeUsed()
	now := s.now()
	err := s.store.Update(ctx, func(tx Tx) error {
		for hash, at := range used {
			if err := tx.TouchToken(hash, at); err != nil {
				return err
			}
		}
		return tx.DeleteExpiredSessions(now)
	})
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "could not write down token use or remove old sessions", "error", err)
	}
}

// NormalEmail returns the form in which a mail address is stored and compared,
// or an Invalid error.
func NormalEmail(email string) (string, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || a.Name != "" || len(email) > 200 {
		return "", fault.New(fault.Invalid, "access.NormalEmail", "%q is not a mail address like you@example.com", email)
	}
	return email, nil
}

// NewUser is what is needed to make a user.
type NewUser struct {
	Email, Name, Password string
	Role                  Role
}

// userName is a name as it is kept; "" is made from the mail address.
func userName(name, email string) (string, error) {
	if name = strings.TrimSpace(name); name == "" {
		name, _, _ = strings.Cut(email, "@")
	}
	if len(name) > 200 || name != plainText(name) {
		return "", fault.New(fault.Invalid, "access.AddUser", "the name is too long or holds control characters")
	}
	return name, nil
}

func (s *Service) prepare(ctx context.Context, n NewUser) (User, error) {
	email, err := NormalEmail(n.Email)
	if err != nil {
		return User{}, err
	}
	name, err := userName(n.Name, email)
	if err != nil {
		return User{}, err
	}
	if !n.Role.Valid() {
		return User{}, fault.New(fault.Invalid, "access.AddUser", "unknown role %q; the roles are viewer, agent, operator and admin", n.Role)
	}
	if err := CheckPassword(n.Password, email, name); err != nil {
		return User{}, err
	}
	phc, err := s.hash.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return User{}, err
	}
	return User{ID: "usr_" + id.String(), Email: email, Name: name, Role: n.Role, Password: phc, Created: s.now()}, nil
}

// AddUser makes a user. The mail address must be free.
func (s *Service) AddUser(ctx context.Context, n NewUser) (User, error) {
	u, err := s.prepare(ctx, n)
	if err != nil {
		return User{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if _, ok, err := tx.UserByEmail(u.Email); err != nil || ok {
			if ok {
				return fault.New(fault.Conflict, "access.AddUser", "there is a user %s already", u.Email)
			}
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "user.add", Subject: u.Email, Detail: string(u.Role)})
	})
	return u, err
}

// Users lists every user.
func (s *Service) Users(ctx context.Context) (us []User, err error) {
	err = s.store.View(ctx, func(tx Tx) error { us, err = tx.Users(); return err })
	return us, err
}

// User returns a user by id.
func (s *Service) User(ctx context.Context, id string) (u User, err error) {
	err = s.store.View(ctx, func(tx Tx) error {
		var ok bool
		if u, ok, err = tx.UserByID(id); err == nil && !ok {
			err = fault.New(fault.NotFound, "access.User", "there is no user %s", id)
		}
		return err
	})
	return u, err
}

// ResetPassword sets a new password without the old one: an admin's act. Every
// session of the user ends.
func (s *Service) ResetPassword(ctx context.Context, email, password string) error {
	email, err := NormalEmail(email)
	if err != nil {
		return err
	}
	return s.setPassword(ctx, email, password, nil)
}

// ChangePassword is a person's own change: the old password is required, and
// guessing it is limited like a sign-in. Every other session of the user ends.
func (s *Service) ChangePassword(ctx context.Context, userID, old, password, addr string) error {
	u, err := s.User(ctx, userID)
	if err != nil {
		return err
	}
	if _, err := s.SignIn(ctx, u.Email, old, addr); err != nil {
		return err
	}
	return s.setPassword(ctx, u.Email, password, &u.Password)
}

func (s *Service) setPassword(ctx context.Context, email, password string, was *string) error {
	const op = "access.setPassword"
	var name string
	err := s.store.View(ctx, func(tx Tx) error {
		u, ok, err := tx.UserByEmail(email)
		if err == nil && !ok {
			err = fault.New(fault.NotFound, op, "there is no user %s", email)
		}
		name = u.Name
		return err
	})
	if err != nil {
		return err
	}
	if err := CheckPassword(password, email, name); err != nil {
		return err
	}
	phc, err := s.hash.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx Tx) error {
		u, ok, err := tx.UserByEmail(email)
		switch {
		case err != nil:
			return err
		case !ok:
			return fault.New(fault.NotFound, op, "there is no user %s", email)
		case was != nil && u.Password != *was:
			return fault.New(fault.Conflict, op, "the password was changed elsewhere at the same time; nothing was changed")
		}
		u.Password = phc
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "user.password", Subject: email})
	})
}

// errSignIn is the one answer to a wrong password, an unknown account and a disabled one.
func errSignIn() error {
	return fault.New(fault.Denied, "access.SignIn", "the mail address or the password is wrong")
}

// LockedError says that too many attempts failed; it wraps nothing, so that the
// answer is the same for accounts that exist and those that do not.
type LockedError struct{ Wait time.Duration }

func (e *LockedError) Error() string {
	return fmt.Sprintf("too many failed attempts; try again in %s", e.Wait.Round(time.Second))
}

func locked(w time.Duration, op string) error {
	w = max(w, time.Second)
	return fault.Wrap(&LockedError{Wait: w}, fault.Unavailable, op, "too many failed attempts; try again in %s", w.Round(time.Second))
}

// SignIn verifies a password. addr is the client's address, for the limit on
// guesses. The error tells nothing about which accounts exist.
func (s *Service) SignIn(ctx context.Context, email, password, addr string) (User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	if len(email) > 200 {
		email = email[:200]
	}
	account, address := accountKey(email), addressKey(addr)
	if w := s.limit.attempt(account, address); w > 0 {
		return User{}, locked(w, "access.SignIn")
	}
	var u User
	var ok bool
	err := s.store.View(ctx, func(tx Tx) (err error) {
		u, ok, err = tx.UserByEmail(email)
		return err
	})
	if err != nil {
		return User{}, err
	}
	phc := ""
	if ok {
		phc = u.Password
	}
	right, err := s.hash.verify(ctx, phc, password)
	if err != nil {
		return User{}, err
	}
	if !right || !ok || u.Disabled {
		// Recorded for accounts that do not exist as well: an attempt costs the same, and tells the same.
		who := u.Email
		if !ok {
			who = s.strange(email)
		}
		if err := s.Record(ctx, Record{Who: who, Action: "user.signin", Subject: who, Origin: addr, Result: Refused}); err != nil {
			return User{}, err
		}
		return User{}, errSignIn()
	}
	s.limit.success(account, address)
	return u, nil
}

// strange is how the audit log calls what was typed in place of a mail address and is nobody's: it may
// be a password, or somebody's who never was here, and records stay for ever. The keyed hash lets
// attempts on one name be seen as such.
func (s *Service) strange(typed string) string {
	if s.mac == nil {
		return "(no account)"
	}
	return "(no account " + s.mac(typed)[:8] + ")"
}

// The one-time link that lets the first user be made.
const (
	setupSetting = "access.setup"
	setupTTL     = 24 * time.Hour
)

type setup struct {
	Hash    string    `json:"hash"`
	Expires time.Time `json:"expires"`
}

// SetupToken returns a new one-time token for the first user, or "" when there
// is a user already. It replaces an earlier one and is good for a day.
func (s *Service) SetupToken(ctx context.Context) (string, error) {
	token := randomToken("")
	doc, err := json.Marshal(setup{Hash: hashToken(token), Expires: s.now().Add(setupTTL)})
	if err != nil {
		return "", err
	}
	var needed bool
	err = s.store.Update(ctx, func(tx Tx) error {
		us, err := tx.Users()
		if err != nil {
			return err
		}
		if needed = len(us) == 0; !needed {
			return nil
		}
		return tx.PutSetting(setupSetting, string(doc))
	})
	if err != nil || !needed {
		return "", err
	}
	return token, nil
}

// checkSetup returns a Denied error unless token is the current one-time token.
func (s *Service) checkSetup(tx Tx, token string) error {
	const op = "access.SetUp"
	us, err := tx.Users()
	if err != nil {
		return err
	}
	if len(us) > 0 {
		return fault.New(fault.Denied, op, "this set-up link is used up, as there is a user already; sign in, or let an admin add you")
	}
	doc, ok, err := tx.Setting(setupSetting)
	if err != nil {
		return err
	}
	var want setup
	switch {
	case !ok || json.Unmarshal([]byte(doc), &want) != nil || subtle.ConstantTimeCompare([]byte(hashToken(token)), []byte(want.Hash)) != 1:
		return fault.New(fault.Denied, op, "each start of Orderly prints a new set-up link, and this is not the newest; "+
			"use the one that was printed last, or start Orderly again to have a new one printed")
	case s.now().After(want.Expires):
		return fault.New(fault.Denied, op, "this set-up link is older than a day; start Orderly again to have a new one printed")
	}
	return nil
}

// SetupValid reports with nil that a token from a set-up link may still be used.
func (s *Service) SetupValid(ctx context.Context, token string) error {
	return s.store.View(ctx, func(tx Tx) error { return s.checkSetup(tx, token) })
}

// SetUp makes the first user, an admin, by the one-time token, which is used up with it.
func (s *Service) SetUp(ctx context.Context, token string, n NewUser) (User, error) {
	// The cheap check first: the hash below costs memory and time.
	if err := s.SetupValid(ctx, token); err != nil {
		return User{}, err
	}
	n.Role = Admin
	u, err := s.prepare(ctx, n)
	if err != nil {
		return User{}, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		if err := s.checkSetup(tx, token); err != nil {
			return err
		}
		if err := tx.DeleteSetting(setupSetting); err != nil {
			return err
		}
		if err := tx.PutUser(u); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Actor: u.ID, Who: u.Email, Action: "user.setup", Subject: u.Email, Detail: string(u.Role)})
	})
	return u, err
}

// randomToken returns a prefix and 200 random bits in lower-case letters and digits.
func randomToken(prefix string) string {
	var b [25]byte
	rand.Read(b[:])
	return prefix + tokenEncoding.EncodeToString(b[:])
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// RetryAfter says when another attempt is looked at; the HTTP answer becomes 429 with it.
func (e *LockedError) RetryAfter() time.Duration { return e.Wait }
