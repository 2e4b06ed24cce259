package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"orderly.example/orderly/internal/fault"
)

// How long a sign-in lasts: at most SessionLife, and no longer than
// SessionIdle without a request. Activity is written down at most every
// sessionTouch, so that reading pages does not write to the database.
const (
	SessionLife  = 7 * 24 * time.Hour
	SessionIdle  = 12 * time.Hour
	sessionTouch = 10 * time.Minute
)

// CookieName is the name of the session cookie.
const CookieName = "orderly_session"

// Web binds people to HTTP requests: sessions, protection against forged
// cross-site requests, and the signed-in user in the request's context.
type Web struct {
	svc      *Service
	sessions *scs.SessionManager
	csrf     *http.CrossOriginProtection
	opts     WebOptions
	sso      *sso // nil: passwords only
}

// WebOptions says how Web sees the outside.
type WebOptions struct {
	// Secure reports whether the browser came by https, also through a trusted
	// proxy; the cookie is then marked Secure. nil: r.TLS decides.
	Secure func(*http.Request) bool
	// Address is the client's address for the limit on guesses. nil: r.RemoteAddr.
	Address func(*http.Request) string
	// Error writes an error answer. nil: plain text.
	Error func(http.ResponseWriter, *http.Request, error)
	// BaseURL, when set, is an origin that browsers may come from although the
	// Host header differs (a proxy that rewrites it).
	BaseURL string
}

// NewWeb returns a Web on a service.
func NewWeb(svc *Service, o WebOptions) (*Web, error) {
	if o.Secure == nil {
		o.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	if o.Address == nil {
		o.Address = func(r *http.Request) string { return r.RemoteAddr }
	}
	if o.Error == nil {
		o.Error = func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, fault.Message(err), http.StatusForbidden)
		}
	}
	w := &Web{svc: svc, opts: o, csrf: http.NewCrossOriginProtection()}
	if o.BaseURL != "" {
		if err := w.csrf.AddTrustedOrigin(o.BaseURL); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "access.NewWeb", "base_url must be an origin like https://shop.example.com")
		}
	}
	w.csrf.SetDenyHandler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		o.Error(rw, r, fault.New(fault.Denied, "access.Web", "the request came from another web site, so it was refused; nothing was changed"))
	}))
	m := scs.New()
	m.Lifetime = SessionLife
	m.Store = sessionStore{svc}
	m.HashTokenInStore = true
	m.Codec = jsonCodec{}
	m.Cookie.Name = CookieName
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteLaxMode
	m.ErrorFunc = func(rw http.ResponseWriter, r *http.Request, err error) { o.Error(rw, r, err) }
	w.sessions = m
	return w, nil
}

type userKey struct{}

// UserFrom returns the signed-in user of a request.
func UserFrom(ctx context.Context) (User, bool) {
	u, ok := ctx.Value(userKey{}).(User)
	return u, ok
}

// WithUser returns a context in which u is signed in.
func WithUser(ctx context.Context, u User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

const (
	keyUser  = "user"
	keyStamp = "stamp" // changes with the password: a new one ends all sessions
	keySeen  = "seen"
	keyBegan = "began"
	keyFrom  = "from"
	keyAgent = "agent"
	keyHow   = "how"
)

// byPassword is how most sessions begin.
const byPassword = "password"

func stamp(u User) string {
	sum := sha256.Sum256([]byte("session stamp\x00" + u.ID + "\x00" + u.Password))
	return hex.EncodeToString(sum[:12])
}

// Handler puts the session and its user, if any, into the context of every
// request below it and refuses forged cross-site requests.
func (w *Web) Handler(next http.Handler) http.Handler {
	inner := w.csrf.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r = r.WithContext(WithOrigin(r.Context(), Origin{From: w.opts.Address(r)}))
		u, ok, err := w.current(r.Context())
		if err != nil {
			w.opts.Error(rw, r, err)
			return
		}
		if ok {
			r = r.WithContext(WithUser(r.Context(), u))
		}
		next.ServeHTTP(rw, r)
	}))
	secure := *w.sessions // the same sessions, another cookie
	secure.Cookie.Secure = true
	plain, tls := w.sessions.LoadAndSave(inner), secure.LoadAndSave(inner)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.opts.Secure(r) {
			tls.ServeHTTP(rw, r)
		} else {
			plain.ServeHTTP(rw, r)
		}
	})
}

func (w *Web) current(ctx context.Context) (User, bool, error) {
	id := w.sessions.GetString(ctx, keyUser)
	if id == "" {
		return User{}, false, nil
	}
	u, err := w.svc.User(ctx, id)
	if fault.KindOf(err) == fault.NotFound {
		return User{}, false, w.sessions.Destroy(ctx)
	}
	if err != nil {
		return User{}, false, err
	}
	now := w.svc.now()
	seen, _ := time.Parse(time.RFC3339, w.sessions.GetString(ctx, keySeen))
	if u.Disabled || w.sessions.GetString(ctx, keyStamp) != stamp(u) || now.Sub(seen) > SessionIdle {
		return User{}, false, w.sessions.Destroy(ctx)
	}
	if now.Sub(seen) > sessionTouch {
		w.sessions.Put(ctx, keySeen, now.UTC().Format(time.RFC3339))
	}
	return u, true, nil
}

// begin opens a session and records the sign-in.
func (w *Web) begin(r *http.Request, u User, how string) error {
	if err := w.open(r, u, how); err != nil {
		return err
	}
	return w.svc.Record(r.Context(), Record{Actor: u.ID, Who: u.Email, Action: "user.signin", Subject: u.Email, Detail: how})
}

// open puts a user into a session with a new token.
func (w *Web) open(r *http.Request, u User, how string) error {
	ctx := r.Context()
	// A new token: one that was planted before the sign-in is worth nothing after it.
	if err := w.sessions.RenewToken(ctx); err != nil {
		return err
	}
	w.sessions.Put(ctx, keyUser, u.ID)
	w.sessions.Put(ctx, keyStamp, stamp(u))
	now := w.svc.now().UTC().Format(time.RFC3339)
	w.sessions.Put(ctx, keySeen, now)
	w.sessions.Put(ctx, keyBegan, now)
	w.sessions.Put(ctx, keyFrom, w.opts.Address(r))
	w.sessions.Put(ctx, keyAgent, cut(plainText(r.UserAgent()), maxField))
	w.sessions.Put(ctx, keyHow, how)
	return nil
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// SignIn verifies a password and begins a session. Call it below Handler.
func (w *Web) SignIn(r *http.Request, email, password string) (User, error) {
	u, err := w.svc.SignIn(r.Context(), email, password, w.opts.Address(r))
	if err != nil {
		return User{}, err
	}
	return u, w.begin(r, u, byPassword)
}

// SetUp makes the first user by the one-time token and signs them in. Call it below Handler.
func (w *Web) SetUp(r *http.Request, token string, n NewUser) (User, error) {
	u, err := w.svc.SetUp(r.Context(), token, n)
	if err != nil {
		return User{}, err
	}
	return u, w.begin(r, u, byPassword)
}

// AcceptInvite makes the account of an invitation and signs its owner in. Call it below Handler.
func (w *Web) AcceptInvite(r *http.Request, token, name, password string) (User, error) {
	u, err := w.svc.AcceptInvite(r.Context(), token, name, password)
	if err != nil {
		return User{}, err
	}
	return u, w.begin(r, u, byPassword)
}

// SignOut ends the session. Call it below Handler.
func (w *Web) SignOut(r *http.Request) error {
	if _, ok := UserFrom(r.Context()); ok {
		if err := w.svc.Record(r.Context(), Record{Action: "user.signout"}); err != nil {
			return err
		}
	}
	return w.sessions.Destroy(r.Context())
}

// SessionID names the session of a request, as Session.ID does.
func (w *Web) SessionID(r *http.Request) string {
	sum := sha256.Sum256([]byte(w.sessions.Token(r.Context())))
	return base64.RawURLEncoding.EncodeToString(sum[:]) // as scs does
}

// ChangePassword changes the signed-in user's password; their other sessions
// end, this one goes on. Call it below Handler.
func (w *Web) ChangePassword(r *http.Request, old, password string) error {
	u, ok := UserFrom(r.Context())
	if !ok {
		return fault.New(fault.Denied, "access.ChangePassword", "sign in first")
	}
	if err := w.svc.ChangePassword(r.Context(), u.ID, old, password, w.opts.Address(r)); err != nil {
		return err
	}
	u, err := w.svc.User(r.Context(), u.ID)
	if err != nil {
		return err
	}
	return w.open(r, u, byPassword)
}

// sessionStore is scs's store over ours. scs hands it hashed tokens.
type sessionStore struct{ svc *Service }

var errNoContext = errors.New("access: session store used without a context")

func (s sessionStore) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (s sessionStore) Commit(string, []byte, time.Time) error { return errNoContext }
func (s sessionStore) Delete(string) error                    { return errNoContext }

// FindCtx implements scs.CtxStore.
func (s sessionStore) FindCtx(ctx context.Context, token string) (b []byte, ok bool, err error) {
	err = s.svc.store.View(ctx, func(tx Tx) error {
		var data string
		data, ok, err = tx.Session(token, s.svc.now())
		b = []byte(data)
		return err
	})
	return b, ok, err
}

// CommitCtx implements scs.CtxStore.
func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.svc.store.Update(ctx, func(tx Tx) error { return tx.PutSession(token, string(b), expiry) })
}

// DeleteCtx implements scs.CtxStore.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.svc.store.Update(ctx, func(tx Tx) error { return tx.DeleteSession(token) })
}

// jsonCodec writes sessions as JSON: readable in the database, and, unlike
// gob, no decoder of types for data at rest.
type jsonCodec struct{}

type sessionDoc struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	d := sessionDoc{Deadline: deadline, Values: make(map[string]string, len(values))}
	for k, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("access: session value %q is a %T; only strings are kept", k, v)
		}
		d.Values[k] = s
	}
	return json.Marshal(d)
}

func (jsonCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var d sessionDoc
	if err := json.Unmarshal(b, &d); err != nil {
		return time.Time{}, nil, err
	}
	values := make(map[string]any, len(d.Values))
	for k, v := range d.Values {
		values[k] = v
	}
	return d.Deadline, values, nil
}
