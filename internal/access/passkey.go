package access

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"orderly.example/orderly/internal/fault"
)

// Passkey is a key that a person's device keeps and that signs them in.
type Passkey struct {
	ID        string // the credential's id, base64url
	UserID    string
	Name      string
	Key       string // the public key and what belongs to it, as the library writes it
	Count     uint32 // of signatures, as the device counts them; 0 when it does not
	Challenge string // the one that was answered last: no answer counts twice
	Created   time.Time
	LastUsed  time.Time // zero = never
}

// The bounds of passkeys.
const (
	maxPasskeys   = 20       // of one person
	maxAnswer     = 32 << 10 // bytes of what a browser sends
	maxKeyName    = 60
	passkeyTime   = 5 * time.Minute  // that a person may take at the device
	passkeyFresh  = 10 * time.Minute // after a sign-in no password is asked before one is added
	byPasskey     = "passkey"
	keyPasskeyIn  = "passkey_in"  // an attempt to sign in, in the visitor's session
	keyPasskeyNew = "passkey_new" // an attempt to add one
)

// passkeyAttempt is what an answer must fit. It stands in the visitor's session and is good once.
type passkeyAttempt struct {
	Data webauthn.SessionData
	Name string
	At   time.Time
}

// passkeyUser is a user as the library sees them.
type passkeyUser struct {
	u    User
	keys []webauthn.Credential
}

func (p passkeyUser) WebAuthnID() []byte                         { return []byte(p.u.ID) }
func (p passkeyUser) WebAuthnName() string                       { return p.u.Email }
func (p passkeyUser) WebAuthnDisplayName() string                { return p.u.Name }
func (p passkeyUser) WebAuthnCredentials() []webauthn.Credential { return p.keys }

func (k Passkey) credential() (c webauthn.Credential, err error) {
	if err := json.Unmarshal([]byte(k.Key), &c); err != nil {
		return c, fault.Wrap(err, fault.Internal, "access.Passkey", "a stored passkey cannot be read")
	}
	c.Authenticator.SignCount = k.Count
	return c, nil
}

// PasskeyOrigin is the address for which a request's passkeys are made, or an Unavailable
// error that says what to set. A passkey belongs to one host name for ever, so it is the
// configured one; only a trial on the machine itself does without.
func (w *Web) PasskeyOrigin(r *http.Request) (string, error) {
	const op = "access.PasskeyOrigin"
	origin := w.opts.BaseURL
	if origin == "" {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if !strings.EqualFold(host, "localhost") {
			return "", fault.New(fault.Unavailable, op, "passkeys belong to the address of the console: set base_url to it, like https://orderly.shop.example, and start the server again. "+
				"To try them on this machine, open the console at http://localhost instead")
		}
		scheme := "http://"
		if w.opts.Secure(r) {
			scheme = "https://"
		}
		return scheme + strings.ToLower(r.Host), nil
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		return "", fault.Wrap(err, fault.Invalid, op, "base_url cannot be read")
	case net.ParseIP(u.Hostname()) != nil:
		return "", fault.New(fault.Unavailable, op, "passkeys need a host name, and base_url has the address %s: set it to a name like https://orderly.shop.example", u.Hostname())
	case u.Scheme != "https" && u.Hostname() != "localhost":
		return "", fault.New(fault.Unavailable, op, "browsers use passkeys only by https, and base_url is %s: set it to the address by https", origin)
	}
	return u.Scheme + "://" + u.Host, nil
}

// party is this server as the library sees it.
func (w *Web) party(r *http.Request) (*webauthn.WebAuthn, error) {
	origin, err := w.PasskeyOrigin(r)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	p, err := webauthn.New(&webauthn.Config{
		RPID: strings.ToLower(u.Hostname()), RPDisplayName: "Orderly", RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			RequireResidentKey: protocol.ResidentKeyRequired(), ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		// Some password managers say things unasked; nothing of it is used.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "access.Passkey", "passkeys cannot be used at %s", origin)
	}
	return p, nil
}

func (w *Web) keepAttempt(ctx context.Context, key string, a passkeyAttempt) error {
	a.At = w.svc.now()
	doc, err := json.Marshal(a)
	if err != nil {
		return err
	}
	w.sessions.Put(ctx, key, string(doc))
	return nil
}

// takeAttempt returns the attempt of this session, which is used up with it.
func (w *Web) takeAttempt(ctx context.Context, key string) (a passkeyAttempt, err error) {
	doc := w.sessions.PopString(ctx, key)
	if doc == "" || json.Unmarshal([]byte(doc), &a) != nil || w.svc.now().Sub(a.At) > passkeyTime {
		return a, fault.New(fault.Denied, "access.Passkey", "this was begun elsewhere, answered already or took longer than five minutes; begin again")
	}
	return a, nil
}

// BeginPasskey returns what a browser needs to ask its devices for a passkey, as JSON.
// Nobody is named: the device knows whose it is. Call it below Handler.
func (w *Web) BeginPasskey(r *http.Request) ([]byte, error) {
	p, err := w.party(r)
	if err != nil {
		return nil, err
	}
	ask, data, err := p.BeginDiscoverableLogin()
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "access.BeginPasskey", "the sign-in could not be begun")
	}
	if err := w.keepAttempt(r.Context(), keyPasskeyIn, passkeyAttempt{Data: *data}); err != nil {
		return nil, err
	}
	return json.Marshal(ask.Response)
}

// FinishPasskey takes a browser's answer to BeginPasskey and begins a session. Call it below Handler.
func (w *Web) FinishPasskey(r *http.Request, answer string) (u User, err error) {
	const op = "access.FinishPasskey"
	ctx, who := r.Context(), ""
	defer func() {
		if err != nil && fault.KindOf(err) == fault.Denied {
			w.svc.log.InfoContext(ctx, "a passkey was refused", "who", who, "error", err)
			if rerr := w.svc.Record(ctx, Record{Who: who, Action: "user.signin", Subject: who, Result: Refused, Detail: byPasskey}); rerr != nil {
				err = rerr
			}
		}
	}()
	a, err := w.takeAttempt(ctx, keyPasskeyIn)
	if err != nil {
		return u, err
	}
	parsed, err := readAssertion(answer)
	if err != nil {
		return u, err
	}
	id := base64.RawURLEncoding.EncodeToString(parsed.RawID)
	account, address := "p:"+id, addressKey(w.opts.Address(r))
	if wait := w.svc.limit.attempt(account, address); wait > 0 {
		return u, locked(wait, op)
	}
	p, err := w.party(r)
	if err != nil {
		return u, err
	}
	owner := func(rawID, handle []byte) (webauthn.User, error) {
		k, found, err := w.svc.passkey(ctx, id)
		if err != nil || !found {
			return nil, errors.Join(err, errNoPasskey)
		}
		if u, err = w.svc.User(ctx, k.UserID); err != nil {
			return nil, err
		}
		who = u.Email
		c, err := k.credential()
		return passkeyUser{u, []webauthn.Credential{c}}, err
	}
	c, err := p.ValidateDiscoverableLogin(owner, a.Data, parsed)
	switch {
	case errors.Is(err, errNoPasskey):
		return User{}, fault.New(fault.Denied, op, "this passkey is not known here: it was removed, or is of another shop; sign in in another way")
	case err != nil:
		return User{}, fault.Wrap(err, fault.Denied, op, "this passkey was not accepted; sign in in another way")
	case c.Authenticator.CloneWarning:
		return User{}, copied()
	case u.Disabled:
		return User{}, fault.New(fault.Denied, op, "this account is closed")
	}
	err = w.svc.store.Update(ctx, func(tx Tx) error {
		ok, err := tx.UsePasskey(id, a.Data.Challenge, c.Authenticator.SignCount, w.svc.now())
		if err == nil && !ok {
			err = copied()
		}
		return err
	})
	if err != nil {
		return User{}, err
	}
	w.svc.limit.success(account, address)
	return u, w.begin(r, u, byPasskey)
}

var errNoPasskey = errors.New("access: no such passkey")

// copied says that a device counted less than before: two devices hold the same key. The same is said of an answer that comes twice.
func copied() error {
	return fault.New(fault.Denied, "access.FinishPasskey", "this passkey has been used elsewhere since, so it may have been copied; sign in in another way, remove it from your account and add it anew")
}

func readAssertion(answer string) (*protocol.ParsedCredentialAssertionData, error) {
	const op = "access.FinishPasskey"
	if len(answer) > maxAnswer {
		return nil, fault.New(fault.Denied, op, "the browser's answer is too long")
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, fault.Wrap(err, fault.Denied, op, "the browser's answer cannot be read; try again")
	}
	return parsed, nil
}

// Fresh reports whether a session began so lately that its person need not prove again who they are.
func (w *Web) Fresh(r *http.Request) bool {
	began, err := time.Parse(time.RFC3339, w.sessions.GetString(r.Context(), keyBegan))
	return err == nil && w.svc.now().Sub(began) < passkeyFresh
}

// BeginAddPasskey returns what a browser needs to make a passkey for the signed-in user, as JSON.
// Unless the session is Fresh the password is asked for. Call it below Handler.
func (w *Web) BeginAddPasskey(r *http.Request, name, password string) ([]byte, error) {
	const op = "access.AddPasskey"
	ctx := r.Context()
	u, ok := UserFrom(ctx)
	if !ok {
		return nil, fault.New(fault.Denied, op, "sign in first")
	}
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > maxKeyName || name != plainText(name) {
		return nil, fault.New(fault.Invalid, op, "give the passkey a name of up to %d letters, such as the device it is on", maxKeyName)
	}
	p, err := w.party(r)
	if err != nil {
		return nil, err
	}
	if !w.Fresh(r) {
		if u.Password == "" {
			return nil, fault.New(fault.Denied, op, "your sign-in is too long ago: sign out, sign in again and add the passkey within ten minutes")
		}
		if _, err := w.svc.SignIn(ctx, u.Email, password, w.opts.Address(r)); err != nil {
			if fault.KindOf(err) == fault.Denied {
				err = fault.New(fault.Denied, op, "the password is wrong")
			}
			return nil, err
		}
	}
	keys, err := w.svc.UserPasskeys(ctx, u)
	if err != nil {
		return nil, err
	}
	if len(keys) >= maxPasskeys {
		return nil, fault.New(fault.Conflict, op, "you have %d passkeys already; remove one first", len(keys))
	}
	has := make([]protocol.CredentialDescriptor, 0, len(keys))
	for _, k := range keys {
		c, err := k.credential()
		if err != nil {
			return nil, err
		}
		has = append(has, c.Descriptor())
	}
	ask, data, err := p.BeginRegistration(passkeyUser{u: u}, webauthn.WithExclusions(has))
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, op, "the passkey could not be begun")
	}
	if err := w.keepAttempt(ctx, keyPasskeyNew, passkeyAttempt{Data: *data, Name: name}); err != nil {
		return nil, err
	}
	return json.Marshal(ask.Response)
}

// FinishAddPasskey takes a browser's answer to BeginAddPasskey and keeps the passkey. Call it below Handler.
func (w *Web) FinishAddPasskey(r *http.Request, answer string) (k Passkey, err error) {
	const op = "access.AddPasskey"
	ctx := r.Context()
	u, ok := UserFrom(ctx)
	if !ok {
		return k, fault.New(fault.Denied, op, "sign in first")
	}
	a, err := w.takeAttempt(ctx, keyPasskeyNew)
	if err != nil {
		return k, err
	}
	p, err := w.party(r)
	if err != nil {
		return k, err
	}
	if len(answer) > maxAnswer {
		return k, fault.New(fault.Invalid, op, "the browser's answer is too long")
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return k, fault.Wrap(err, fault.Invalid, op, "the browser's answer cannot be read; nothing was kept")
	}
	c, err := p.CreateCredential(passkeyUser{u: u}, a.Data, parsed)
	if err != nil {
		return k, fault.Wrap(err, fault.Denied, op, "the passkey was not accepted; nothing was kept")
	}
	c.Attestation = webauthn.CredentialAttestation{} // what kind of device it is does not concern us
	doc, err := json.Marshal(c)
	if err != nil {
		return k, err
	}
	k = Passkey{
		ID: base64.RawURLEncoding.EncodeToString(c.ID), UserID: u.ID, Name: a.Name, Key: string(doc), Count: c.Authenticator.SignCount, Challenge: a.Data.Challenge, Created: w.svc.now(),
	}
	return k, w.svc.addPasskey(ctx, u, k)
}

func (s *Service) addPasskey(ctx context.Context, u User, k Passkey) error {
	const op = "access.AddPasskey"
	return s.store.Update(ctx, func(tx Tx) error {
		if _, found, err := tx.Passkey(k.ID); err != nil || found {
			if found {
				return fault.New(fault.Conflict, op, "this passkey is known already")
			}
			return err
		}
		if has, err := tx.Passkeys(u.ID); err != nil || len(has) >= maxPasskeys {
			if err == nil {
				err = fault.New(fault.Conflict, op, "you have %d passkeys already; remove one first", len(has))
			}
			return err
		}
		if err := tx.PutPasskey(k); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "passkey.add", Subject: u.Email, Detail: k.Name})
	})
}

func (s *Service) passkey(ctx context.Context, id string) (k Passkey, ok bool, err error) {
	err = s.store.View(ctx, func(tx Tx) error { k, ok, err = tx.Passkey(id); return err })
	return k, ok, err
}

// UserPasskeys lists the passkeys of a user, oldest first.
func (s *Service) UserPasskeys(ctx context.Context, u User) (ks []Passkey, err error) {
	err = s.store.View(ctx, func(tx Tx) error { ks, err = tx.Passkeys(u.ID); return err })
	return ks, err
}

// RemovePasskey takes a passkey from a user. Sessions that it began go on.
func (s *Service) RemovePasskey(ctx context.Context, u User, id string) (k Passkey, err error) {
	err = s.store.Update(ctx, func(tx Tx) error {
		ks, err := tx.Passkeys(u.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(ks, func(k Passkey) bool { return k.ID == id })
		if i < 0 {
			return fault.New(fault.NotFound, "access.RemovePasskey", "there is no such passkey any more")
		}
		k = ks[i]
		if err := tx.DeletePasskey(id); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "passkey.remove", Subject: u.Email, Detail: k.Name})
	})
	return k, err
}
