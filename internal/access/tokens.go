package access

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"orderly.example/orderly/internal/fault"
)

// TokenPrefix begins every API token, so that people and secret scanners know one when they see it.
const TokenPrefix = "ord_"

var tokenEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// tokenLength is the prefix and 200 bits, 5 to a character.
const tokenLength = len(TokenPrefix) + 40

// Caller is the program behind a verified token.
type Caller struct {
	Name   string // of the token
	Scopes []Scope
}

// Has reports whether the caller may do what a scope covers; admin covers all.
func (c Caller) Has(s Scope) bool {
	for _, h := range c.Scopes {
		if h == s || h == AdminScope {
			return true
		}
	}
	return false
}

// cacheFor is how long a verified token is believed without a look at the
// store: the longest a token that another process revoked goes on working.
const cacheFor = time.Second

// maxCachedTokens bounds the cache; a shop has a handful.
const maxCachedTokens = 1024

type cachedToken struct {
	caller Caller
	hash   string
	until  int64        // unix nanoseconds; never after the token expires
	used   atomic.Int64 // unix nanoseconds of the last use not yet written down; 0 = none
}

// tokenCache keeps verified tokens by their SHA-256. Looking a hash up in a map
// takes a time that depends on the hash only, and nobody can aim a hash.
type tokenCache struct {
	mu sync.RWMutex
	m  map[[sha256.Size]byte]*cachedToken
}

func newTokenCache() *tokenCache { return &tokenCache{m: map[[sha256.Size]byte]*cachedToken{}} }

func (c *tokenCache) get(sum [sha256.Size]byte) *cachedToken {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[sum]
}

func (c *tokenCache) put(sum [sha256.Size]byte, t *cachedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.m[sum]; old != nil {
		t.used.Store(max(t.used.Load(), old.used.Load()))
	} else if len(c.m) >= maxCachedTokens {
		clear(c.m)
	}
	c.m[sum] = t
}

func (c *tokenCache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
}

func (c *tokenCache) takeUsed() map[string]time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := map[string]time.Time{}
	for _, t := range c.m {
		if n := t.used.Swap(0); n != 0 {
			out[t.hash] = time.Unix(0, n)
		}
	}
	return out
}

func errToken() error {
	return fault.New(fault.Denied, "access.Verify",
		"the API token is missing, unknown, revoked or expired; send it as \"Authorization: Bearer ord_…\" (make one with \"orderly token create\")")
}

// Verify returns the caller behind a token. It is made for the hot path: a
// token seen in the last second costs one SHA-256 and a map look-up.
func (s *Service) Verify(ctx context.Context, token string) (Caller, error) {
	if len(token) != tokenLength || !strings.HasPrefix(token, TokenPrefix) {
		return Caller{}, errToken()
	}
	sum := sha256.Sum256([]byte(token))
	now := s.now().UnixNano()
	if t := s.tokens.get(sum); t != nil && now < t.until {
		t.used.Store(now)
		return t.caller, nil
	}
	hash := hex.EncodeToString(sum[:])
	var t APIToken
	var ok bool
	err := s.store.View(ctx, func(tx Tx) (err error) {
		t, ok, err = tx.TokenByHash(hash)
		return err
	})
	if err != nil {
		return Caller{}, err
	}
	if !ok || t.Revoked || t.Expired(time.Unix(0, now)) {
		return Caller{}, errToken()
	}
	c := &cachedToken{caller: Caller{Name: t.Name, Scopes: t.Scopes}, hash: hash, until: now + int64(cacheFor)}
	if !t.Expires.IsZero() {
		c.until = min(c.until, t.Expires.UnixNano())
	}
	c.used.Store(now)
	s.tokens.put(sum, c)
	return c.caller, nil
}

// NewToken is what is needed to make an API token.
type NewToken struct {
	Name    string
	Scopes  []Scope
	By      string        // who makes it
	GoodFor time.Duration // 0 = until it is revoked
}

// longestToken bounds GoodFor.
const longestToken = 10 * 366 * 24 * time.Hour

// CreateToken makes an API token and returns it. It is shown this once: only
// its hash is stored. The name must be free, also among revoked tokens, as it
// names the actor of events for ever.
func (s *Service) CreateToken(ctx context.Context, n NewToken) (string, APIToken, error) {
	const op = "access.CreateToken"
	name, scopes := strings.TrimSpace(n.Name), n.Scopes
	if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' }) {
		return "", APIToken{}, fault.New(fault.Invalid, op, "a token needs a name of at most 100 characters without blanks, like web-shop")
	}
	if len(scopes) == 0 {
		return "", APIToken{}, fault.New(fault.Invalid, op, "a token needs at least one scope: events:write, read or admin")
	}
	for _, sc := range scopes {
		if !slices.Contains(Scopes(), sc) {
			return "", APIToken{}, fault.New(fault.Invalid, op, "unknown scope %q", sc)
		}
	}
	if n.GoodFor < 0 || n.GoodFor > longestToken {
		return "", APIToken{}, fault.New(fault.Invalid, op, "a token is good for at most ten years")
	}
	token := randomToken(TokenPrefix)
	t := APIToken{Hash: hashToken(token), Name: name, Scopes: scopes, Created: s.now(), CreatedBy: n.By}
	if n.GoodFor > 0 {
		t.Expires = t.Created.Add(n.GoodFor)
	}
	err := s.store.Update(ctx, func(tx Tx) error {
		ts, err := tx.Tokens()
		if err != nil {
			return err
		}
		for _, o := range ts {
			if o.Name == name {
				return fault.New(fault.Conflict, op, "there is a token named %q already; choose another name", name)
			}
		}
		if err := tx.PutToken(t); err != nil {
			return err
		}
		return s.record(ctx, tx, Record{Action: "token.issue", Subject: name, Detail: tokenDetail(t)})
	})
	if err != nil {
		return "", APIToken{}, err
	}
	return token, t, nil
}

func tokenDetail(t APIToken) string {
	var words []string
	for _, sc := range t.Scopes {
		words = append(words, string(sc))
	}
	until := "until it is revoked"
	if !t.Expires.IsZero() {
		until = "until " + t.Expires.UTC().Format(time.RFC3339)
	}
	return strings.Join(words, " ") + ", " + until
}

// TokenList lists every token, revoked ones included.
func (s *Service) TokenList(ctx context.Context) (ts []APIToken, err error) {
	err = s.store.View(ctx, func(tx Tx) error { ts, err = tx.Tokens(); return err })
	return ts, err
}

// RevokeToken ends a token for good: here at once, in other processes within a second.
func (s *Service) RevokeToken(ctx context.Context, name string) error {
	defer s.tokens.drop()
	return s.store.Update(ctx, func(tx Tx) error {
		ts, err := tx.Tokens()
		if err != nil {
			return err
		}
		for _, t := range ts {
			if t.Name == name {
				t.Revoked = true
				if err := tx.PutToken(t); err != nil {
					return err
				}
				return s.record(ctx, tx, Record{Action: "token.revoke", Subject: name})
			}
		}
		return fault.New(fault.NotFound, "access.RevokeToken", "there is no token named %q", name)
	})
}
