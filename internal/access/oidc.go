package access

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"orderly.example/orderly/internal/fault"
)

// SSOConfig is a sign-in service that speaks OpenID Connect.
type SSOConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Name         string // on the button
	Role         Role   // of accounts that it makes; "" = only people who have an account may come
	BaseURL      string // of the console: where the service sends people back to
	Client       *http.Client
}

// SSOCallback is the path to which a sign-in service sends people back.
const SSOCallback = "/signin/sso/callback"

// sso keeps what was discovered about the service. It is asked when it is first needed, so
// that the program starts while the service is away.
type sso struct {
	SSOConfig
	mu       sync.Mutex
	provider *oidc.Provider
}

// UseSSO lets people sign in by a service. Call it before the first request.
func (w *Web) UseSSO(c SSOConfig) {
	if c.Name == "" {
		c.Name = "single sign-on"
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	w.sso = &sso{SSOConfig: c}
}

// SSO is the name of the sign-in service, or "".
func (w *Web) SSO() string {
	if w.sso == nil {
		return ""
	}
	return w.sso.Name
}

func (s *sso) discover(ctx context.Context) (*oidc.Provider, oauth2.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.provider == nil {
		// The provider fetches keys under this context for as long as it lives.
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), s.Client), s.Issuer)
		if err != nil {
			return nil, oauth2.Config{}, fault.Wrap(err, fault.Unavailable, "access.SSO", "%s cannot be reached at the moment; sign in with your password, or try again", s.Name)
		}
		s.provider = p
	}
	return s.provider, oauth2.Config{
		ClientID: s.ClientID, ClientSecret: s.ClientSecret, Endpoint: s.provider.Endpoint(), RedirectURL: strings.TrimSuffix(s.BaseURL, "/") + SSOCallback,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, nil
}

// keySSO holds one attempt in the visitor's session: what comes back must fit it.
const keySSO = "sso"

// ssoTime is how long a person may take at the service.
const ssoTime = 10 * time.Minute

type ssoAttempt struct {
	State, Nonce, Verifier, Back string
	At                           time.Time
}

// BeginSSO returns the service's address for a sign-in. Call it below Handler.
func (w *Web) BeginSSO(r *http.Request, back string) (string, error) {
	if w.sso == nil {
		return "", fault.New(fault.NotFound, "access.SSO", "no sign-in service is set up")
	}
	_, conf, err := w.sso.discover(r.Context())
	if err != nil {
		return "", err
	}
	a := ssoAttempt{State: randomToken(""), Nonce: randomToken(""), Verifier: oauth2.GenerateVerifier(), Back: back, At: w.svc.now()}
	doc, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	w.sessions.Put(r.Context(), keySSO, string(doc))
	return conf.AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

// FinishSSO takes what the service sent back, and signs the person in: the account that the
// service's subject is known for, else the one of the verified mail address, else a new one
// where that is allowed. It returns where they wanted to go. Call it below Handler.
func (w *Web) FinishSSO(r *http.Request) (u User, back string, err error) {
	ctx := r.Context()
	who := ""
	defer func() {
		if fault.KindOf(err) == fault.Denied && err != nil {
			if rerr := w.svc.Record(ctx, Record{Who: who, Action: "user.signin", Subject: who, Result: Refused, Detail: "sso"}); rerr != nil {
				err = rerr
			}
		}
	}()
	const op = "access.SSO"
	if w.sso == nil {
		return u, "", fault.New(fault.NotFound, op, "no sign-in service is set up")
	}
	var a ssoAttempt
	doc := w.sessions.PopString(ctx, keySSO) // good once
	q := r.URL.Query()
	if json.Unmarshal([]byte(doc), &a) != nil || a.State == "" || w.svc.now().Sub(a.At) > ssoTime ||
		subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return u, "", fault.New(fault.Denied, op, "this sign-in was begun elsewhere, or too long ago; begin again")
	}
	if q.Get("error") != "" {
		return u, a.Back, fault.New(fault.Denied, op, "%s refused the sign-in: %s", w.sso.Name, cut(plainText(q.Get("error")), 100))
	}
	c, err := w.sso.claims(ctx, q.Get("code"), a)
	if err != nil {
		return u, a.Back, err
	}
	if who, err = NormalEmail(c.Email); err != nil || !c.verified() {
		who = ""
		return u, a.Back, fault.New(fault.Denied, op, "%s did not vouch for a mail address of yours", w.sso.Name)
	}
	if u, err = w.svc.ssoUser(ctx, w.sso.SSOConfig, c.Subject, who, c.Name); err != nil {
		return u, a.Back, err
	}
	return u, a.Back, w.begin(r, u, "sso")
}

// ssoClaims is what the service says of a person.
type ssoClaims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified any    `json:"email_verified"` // some services send the word
	Name     string `json:"name"`
}

func (c ssoClaims) verified() bool { return c.Verified == true || c.Verified == "true" }

func (s *sso) claims(ctx context.Context, code string, a ssoAttempt) (c ssoClaims, err error) {
	const op = "access.SSO"
	provider, conf, err := s.discover(ctx)
	if err != nil {
		return c, err
	}
	ctx = oidc.ClientContext(ctx, s.Client)
	t, err := conf.Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return c, fault.Wrap(err, fault.Denied, op, "%s did not confirm the sign-in; begin again", s.Name)
	}
	raw, _ := t.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: s.ClientID}).Verify(ctx, raw)
	if err != nil {
		return c, fault.Wrap(err, fault.Denied, op, "the answer of %s does not verify; begin again", s.Name)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return c, fault.New(fault.Denied, op, "the answer of %s is for another sign-in; begin again", s.Name)
	}
	if err := id.Claims(&c); err != nil {
		return c, fault.Wrap(err, fault.Denied, op, "the answer of %s cannot be read", s.Name)
	}
	return c, nil
}

// ssoUser finds or makes the account of a person that a service vouches for.
func (s *Service) ssoUser(ctx context.Context, c SSOConfig, subject, email, name string) (u User, err error) {
	const op = "access.SSO"
	if name, err = userName(cut(plainText(name), 200), email); err != nil {
		return u, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return u, err
	}
	err = s.store.Update(ctx, func(tx Tx) error {
		uid, known, err := tx.Identity(c.Issuer, subject)
		if err != nil {
			return err
		}
		found := false
		if known {
			u, found, err = tx.UserByID(uid)
		} else {
			u, found, err = tx.UserByEmail(email)
		}
		switch {
		case err != nil:
			return err
		case !found && (known || c.Role == ""):
			return fault.New(fault.Denied, op, "there is no account for %s here; ask an admin for an invitation", email)
		case found && u.Disabled:
			return fault.New(fault.Denied, op, "the account of %s is closed", email)
		}
		if !found {
			// No password: they sign in by the service, until an admin sets one.
			u = User{ID: "usr_" + id.String(), Email: email, Name: name, Role: c.Role, Created: s.now()}
			if err := tx.PutUser(u); err != nil {
				return err
			}
			if err := s.record(ctx, tx, Record{Actor: u.ID, Who: email, Action: "user.join", Subject: email, Detail: string(c.Role) + ", by sso"}); err != nil {
				return err
			}
		}
		if known {
			return nil
		}
		return tx.PutIdentity(c.Issuer, subject, u.ID)
	})
	return u, err
}
