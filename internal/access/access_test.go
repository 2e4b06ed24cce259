package access

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

// clock is a time the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 5, 1, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }

func (c *clock) add(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.t = c.t.Add(d) }

const goodPassword = "glass tiger walks nine"

func newService(t *testing.T) (*Service, *Memory, *clock) {
	t.Helper()
	m, c := NewMemory(), newClock()
	return New(m, nil, c.now), m, c
}

func wantKind(t *testing.T, err error, k fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != k {
		t.Fatalf("got error %v of kind %v, want kind %v", err, fault.KindOf(err), k)
	}
}

func TestRolesAreOrdered(t *testing.T) {
	for a, need := range least {
		allowed := false
		for _, r := range Roles() {
			allowed = allowed || r == need
			if Can(r, a) != allowed {
				t.Errorf("Can(%s, %s) = %v, want %v", r, a, !allowed, allowed)
			}
		}
	}
	if Can("", See) || Can("root", See) || Can(Admin, "fly") {
		t.Error("an unknown role or action was allowed")
	}
	wantKind(t, Require(User{Role: Viewer}, DecideTask), fault.Denied)
}

func TestPasswordRules(t *testing.T) {
	for _, tc := range []struct{ pw, why string }{
		{"short", "at least 12"},
		{"aaaaaaaaaaaaaaaa", "repeats"},
		{"password1234", "easy to guess"},
		{"Password123456789", "easy to guess"},
		{"kim@shop.example", "easy to guess"},
		{strings.Repeat("long", 300), "longer than"},
		{"bad \xff bytes here", "not text"},
	} {
		err := CheckPassword(tc.pw, "kim@shop.example", "Kim Sample")
		if err == nil || !strings.Contains(err.Error(), tc.why) {
			t.Errorf("CheckPassword(%.20q) = %v, want an error with %q", tc.pw, err, tc.why)
		}
		if err != nil && strings.Contains(err.Error(), tc.pw) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
	for _, pw := range []string{goodPassword, "übergroße Mäuse", "x7#kQ9!vLp2z"} {
		if err := CheckPassword(pw, "kim@shop.example", "Kim Sample"); err != nil {
			t.Errorf("CheckPassword(%q) = %v", pw, err)
		}
	}
}

func TestPHC(t *testing.T) {
	h := newHasher()
	phc, err := h.hash(t.Context(), goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("not a PHC string of the chosen parameters: %s", phc)
	}
	if ok, err := h.verify(t.Context(), phc, goodPassword); !ok || err != nil {
		t.Errorf("verify = %v, %v", ok, err)
	}
	for _, tc := range []struct{ phc, pw string }{
		{phc, goodPassword + "x"},
		{phc, ""},
		{"", goodPassword},
		{"$argon2id$v=19$m=999999999,t=2,p=1$AAAA$AAAA", ""},
		{strings.Replace(phc, "t=2", "t=3", 1), goodPassword},
	} {
		if ok, _ := h.verify(t.Context(), tc.phc, tc.pw); ok {
			t.Errorf("verify(%q, %q) passed", tc.phc, tc.pw)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(encodePHC(make([]byte, 16), make([]byte, 32)))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parsePHC(s)
		if ok && (p.memory > 256*1024 || len(p.key) < 16 || p.threads == 0 || p.time == 0) {
			t.Errorf("parsePHC(%q) accepted %+v", s, p)
		}
	})
}

func TestHashWaitsForItsTurn(t *testing.T) {
	h := newHasher()
	for range argonParallel {
		release, err := h.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer release()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := h.hash(ctx, goodPassword)
	wantKind(t, err, fault.Unavailable)
}

func TestSetUpOnce(t *testing.T) {
	s, m, _ := newService(t)
	ctx := t.Context()
	first, err := s.SetupToken(ctx)
	if err != nil || first == "" {
		t.Fatalf("SetupToken = %q, %v", first, err)
	}
	token, err := s.SetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.settings {
		if strings.Contains(v, token) {
			t.Error("the token itself is stored")
		}
	}
	admin := NewUser{Email: "Kim@Shop.example ", Name: "Kim", Password: goodPassword}
	_, err = s.SetUp(ctx, first, admin) // replaced by the second
	wantKind(t, err, fault.Denied)
	if !strings.Contains(fault.Message(err), "printed last") {
		t.Errorf("the older link says %q", fault.Message(err))
	}
	_, err = s.SetUp(ctx, token, NewUser{Email: "kim@shop.example", Password: "short"})
	wantKind(t, err, fault.Invalid) // and the link is still good:
	u, err := s.SetUp(ctx, token, admin)
	if err != nil {
		t.Fatal(err)
	}
	if u.Role != Admin || u.Email != "kim@shop.example" {
		t.Errorf("first user = %+v", u)
	}
	_, err = s.SetUp(ctx, token, NewUser{Email: "eve@shop.example", Password: goodPassword})
	wantKind(t, err, fault.Denied)
	if !strings.Contains(fault.Message(err), "sign in") {
		t.Errorf("the used link says %q", fault.Message(err))
	}
	if tok, err := s.SetupToken(ctx); tok != "" || err != nil {
		t.Errorf("SetupToken with a user = %q, %v; want none", tok, err)
	}

	s, _, c := newService(t)
	token, _ = s.SetupToken(ctx)
	c.add(25 * time.Hour)
	wantKind(t, s.SetupValid(ctx, token), fault.Denied)
}

func TestSignInAnswersAlike(t *testing.T) {
	s, m, _ := newService(t)
	ctx := t.Context()
	u, err := s.AddUser(ctx, NewUser{Email: "kim@shop.example", Password: goodPassword, Role: Agent})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddUser(ctx, NewUser{Email: "KIM@shop.example", Password: goodPassword, Role: Agent}); fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second user with one address: %v", err)
	}
	got, err := s.SignIn(ctx, " Kim@shop.example", goodPassword, "192.0.2.1:1234")
	if err != nil || got.ID != u.ID {
		t.Fatalf("SignIn = %+v, %v", got, err)
	}
	_, wrong := s.SignIn(ctx, "kim@shop.example", goodPassword+"!", "192.0.2.1:1")
	_, unknown := s.SignIn(ctx, "nobody@shop.example", goodPassword, "192.0.2.1:1")
	wantKind(t, wrong, fault.Denied)
	if wrong.Error() != unknown.Error() {
		t.Errorf("answers differ: %q and %q", wrong, unknown)
	}
	u.Disabled = true
	m.users[u.ID] = u
	_, disabled := s.SignIn(ctx, "kim@shop.example", goodPassword, "192.0.2.1:1")
	if disabled == nil || disabled.Error() != wrong.Error() {
		t.Errorf("a disabled account answers %v", disabled)
	}
}

// lockedFor fails sign-ins until the account is locked and says after how many.
func lockedFor(t *testing.T, s *Service, email, addr string) (attempts int, wait time.Duration) {
	t.Helper()
	for n := range 100 {
		_, err := s.SignIn(t.Context(), email, "wrong wrong wrong", addr)
		if l, ok := errors.AsType[*LockedError](err); ok {
			return n, l.Wait
		}
		wantKind(t, err, fault.Denied)
	}
	t.Fatal("never locked")
	return 0, 0
}

func TestSignInLocks(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes some dozens of passwords")
	}
	s, _, c := newService(t)
	if _, err := s.AddUser(t.Context(), NewUser{Email: "kim@shop.example", Password: goodPassword, Role: Agent}); err != nil {
		t.Fatal(err)
	}
	n1, w1 := lockedFor(t, s, "kim@shop.example", "192.0.2.1:1")
	n2, w2 := lockedFor(t, s, "nobody@shop.example", "192.0.2.9:1")
	if n1 != n2 || w1 != w2 {
		t.Errorf("a known account locks after %d for %v, an unknown one after %d for %v", n1, w1, n2, w2)
	}
	// Locked: even the right password is not looked at. After the wait it is, and clears the account.
	_, err := s.SignIn(t.Context(), "kim@shop.example", goodPassword, "192.0.2.2:1")
	wantKind(t, err, fault.Unavailable)
	c.add(w1)
	if _, err := s.SignIn(t.Context(), "kim@shop.example", goodPassword, "192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(t.Context(), "kim@shop.example", goodPassword, "192.0.2.1:1"); err != nil {
		t.Fatal(err)
	}
}

func TestLimiterDoublesAndForgets(t *testing.T) {
	c := newClock()
	l := newLimiter(c.now)
	var last time.Duration
	for i := range 30 {
		if w := l.attempt("a:kim", "i:1"); w > 0 {
			if w < last {
				t.Errorf("attempt %d: lock of %v after one of %v", i, w, last)
			}
			last = w
			c.add(w)
		}
	}
	if last != longestAccount && last < 30*time.Second {
		t.Errorf("the lock grew to %v only", last)
	}
	c.add(time.Hour)
	if w := l.attempt("a:kim", "i:1"); w != 0 {
		t.Errorf("after an hour still locked for %v", w)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	c := newClock()
	l := newLimiter(c.now)
	l.max = 100
	for range 40 {
		l.attempt("a:victim", addressKey("192.0.2.1"))
	}
	if l.attempt("a:victim", "i:x") == 0 {
		t.Fatal("not locked")
	}
	for i := range 10_000 {
		l.attempt(fmt.Sprintf("a:%d", i), fmt.Sprintf("i:%d", i))
	}
	if len(l.buckets) > 100 {
		t.Errorf("%d buckets, want at most 100", len(l.buckets))
	}
	if l.attempt("a:victim", "i:x") == 0 {
		t.Error("a flood of new keys washed the lock out")
	}
}

func TestAddressKey(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
	} {
		if got := addressKey(tc.a) == addressKey(tc.b); got != tc.same {
			t.Errorf("addressKey(%s) == addressKey(%s): %v", tc.a, tc.b, got)
		}
	}
}

func TestTokens(t *testing.T) {
	s, m, c := newService(t)
	ctx := t.Context()
	tok, rec, err := s.CreateToken(ctx, NewToken{Name: "web-shop", Scopes: []Scope{EventsWrite}, By: "cli"})
	if err != nil {
		t.Fatal(err)
	}
	if len(tok) != tokenLength || !strings.HasPrefix(tok, TokenPrefix) || strings.Contains(rec.Hash, tok) {
		t.Errorf("token %q, record %+v", tok, rec)
	}
	_, _, err = s.CreateToken(ctx, NewToken{Name: "web-shop", Scopes: []Scope{Read}, By: "cli"})
	wantKind(t, err, fault.Conflict)
	_, _, err = s.CreateToken(ctx, NewToken{Name: "two words", Scopes: []Scope{Read}, By: "cli"})
	wantKind(t, err, fault.Invalid)

	for range 3 {
		caller, err := s.Verify(ctx, tok)
		if err != nil || caller.Name != "web-shop" || !caller.Has(EventsWrite) || caller.Has(Read) || caller.Has(AdminScope) {
			t.Fatalf("Verify = %+v, %v", caller, err)
		}
	}
	for _, bad := range []string{"", "ord_", tok[:len(tok)-1], tok + "0", strings.ToUpper(tok), randomToken(TokenPrefix)} {
		_, err := s.Verify(ctx, bad)
		wantKind(t, err, fault.Denied)
	}

	// Use is written down by the tidy run, not by every request.
	before := m.Updates
	for range 1000 {
		_, _ = s.Verify(ctx, tok)
	}
	if m.Updates != before {
		t.Errorf("%d updates for 1000 verifications", m.Updates-before)
	}
	s.tidy(ctx)
	if got := m.tokens[rec.Hash].LastUsed; !got.Equal(c.now()) {
		t.Errorf("last used %v, want %v", got, c.now())
	}

	if err := s.RevokeToken(ctx, "web-shop"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Verify(ctx, tok)
	wantKind(t, err, fault.Denied)
	wantKind(t, s.RevokeToken(ctx, "nope"), fault.NotFound)
}

func TestRevokedElsewhereEndsWithTheCache(t *testing.T) {
	s, m, c := newService(t)
	tok, rec, _ := s.CreateToken(t.Context(), NewToken{Name: "a", Scopes: []Scope{AdminScope}, By: "cli"})
	if _, err := s.Verify(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	rec.Revoked = true
	m.tokens[rec.Hash] = rec
	c.add(cacheFor)
	_, err := s.Verify(t.Context(), tok)
	wantKind(t, err, fault.Denied)
}

func TestChangePassword(t *testing.T) {
	s, _, _ := newService(t)
	ctx := t.Context()
	u, _ := s.AddUser(ctx, NewUser{Email: "kim@shop.example", Password: goodPassword, Role: Agent})
	wantKind(t, s.ChangePassword(ctx, u.ID, "not the old one", "river stone lamp moss", "a"), fault.Denied)
	wantKind(t, s.ChangePassword(ctx, u.ID, goodPassword, "short", "a"), fault.Invalid)
	if err := s.ChangePassword(ctx, u.ID, goodPassword, "river stone lamp moss", "a"); err != nil {
		t.Fatal(err)
	}
	_, err := s.SignIn(ctx, u.Email, goodPassword, "a")
	wantKind(t, err, fault.Denied)
	if err := s.ResetPassword(ctx, u.Email, "candle fox under bridge"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(ctx, u.Email, "candle fox under bridge", "a"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.ResetPassword(ctx, "nobody@shop.example", goodPassword), fault.NotFound)
}

func TestParseScopes(t *testing.T) {
	got, err := ParseScopes("read, events:write read")
	if err != nil || len(got) != 2 {
		t.Errorf("ParseScopes = %v, %v", got, err)
	}
	for _, bad := range []string{"", " , ", "write"} {
		_, err := ParseScopes(bad)
		wantKind(t, err, fault.Invalid)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := New(NewMemory(), nil, nil)
	tok, _, err := s.CreateToken(b.Context(), NewToken{Name: "bench", Scopes: []Scope{EventsWrite}, By: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Verify(context.Background(), tok); err != nil {
				b.Error(err)
			}
		}
	})
}

func TestRandomTokensDiffer(t *testing.T) {
	var b [1]byte
	rand.Read(b[:])
	first := randomToken("x")
	if second := randomToken("x"); second == first {
		t.Error("two equal random tokens")
	}
}

func TestDisable(t *testing.T) {
	s, _, _ := newService(t)
	ctx := t.Context()
	for _, u := range []NewUser{{Email: "root@shop.example", Role: Admin}, {Email: "kim@shop.example", Role: Agent}} {
		u.Password = goodPassword
		if _, err := s.AddUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, s.Disable(ctx, "root@shop.example", true), fault.Conflict)
	wantKind(t, s.Disable(ctx, "nobody@shop.example", true), fault.NotFound)
	if err := s.Disable(ctx, "kim@shop.example", true); err != nil {
		t.Fatal(err)
	}
	_, err := s.SignIn(ctx, "kim@shop.example", goodPassword, "a")
	wantKind(t, err, fault.Denied)
	if err := s.Disable(ctx, "kim@shop.example", false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(ctx, "kim@shop.example", goodPassword, "a"); err != nil {
		t.Fatal(err)
	}
}

func TestTokensExpire(t *testing.T) {
	s, m, c := newService(t)
	tok, rec, err := s.CreateToken(t.Context(), NewToken{Name: "a", Scopes: []Scope{Read}, GoodFor: time.Hour})
	if err != nil || !rec.Expires.Equal(c.now().Add(time.Hour)) {
		t.Fatal(rec, err)
	}
	c.add(time.Hour - cacheFor/2)
	if _, err := s.Verify(t.Context(), tok); err != nil {
		t.Fatalf("refused before its time: %v", err)
	}
	c.add(cacheFor / 2) // it was verified less than cacheFor ago, and is refused all the same
	_, err = s.Verify(t.Context(), tok)
	wantKind(t, err, fault.Denied)
	if m.tokens[rec.Hash].Revoked {
		t.Error("an expired token was marked revoked")
	}
	_, _, err = s.CreateToken(t.Context(), NewToken{Name: "b", Scopes: []Scope{Read}, GoodFor: -time.Hour})
	wantKind(t, err, fault.Invalid)
}

func TestInvitations(t *testing.T) {
	s, m, c := newService(t)
	ctx := WithOrigin(t.Context(), Origin{Actor: "usr_1", Who: "root@shop.example", From: "192.0.2.1"})
	old, _, err := s.Invite(ctx, "Kim@shop.example", "Kim", Agent)
	if err != nil {
		t.Fatal(err)
	}
	token, i, err := s.Invite(ctx, "kim@shop.example", "Kim", Operator)
	if err != nil || i.CreatedBy != "root@shop.example" || strings.Contains(i.Hash, token) {
		t.Fatal(i, err)
	}
	_, err = s.AcceptInvite(ctx, old, "", goodPassword) // replaced
	wantKind(t, err, fault.Denied)
	_, err = s.AcceptInvite(ctx, token, "", "short")
	wantKind(t, err, fault.Invalid)
	u, err := s.AcceptInvite(ctx, token, "", goodPassword)
	if err != nil || u.Role != Operator || u.Email != "kim@shop.example" || u.Name != "Kim" {
		t.Fatal(u, err)
	}
	_, err = s.AcceptInvite(ctx, token, "", goodPassword)
	wantKind(t, err, fault.Denied)
	_, _, err = s.Invite(ctx, "kim@shop.example", "", Agent)
	wantKind(t, err, fault.Conflict)
	late, _, _ := s.Invite(ctx, "eve@shop.example", "", Agent)
	c.add(inviteTTL)
	_, err = s.AcceptInvite(ctx, late, "", goodPassword)
	wantKind(t, err, fault.Denied)
	if err := s.RevokeInvite(ctx, "eve@shop.example"); err != nil || len(m.invites) != 0 {
		t.Error(m.invites, err)
	}
}

// mac stands for the shop's keyed hash.
func mac(text string) string { return hashToken("key " + text) }

func TestAuditChain(t *testing.T) {
	s, m, c := newService(t)
	ctx := WithOrigin(t.Context(), Origin{Actor: "usr_1", Who: "kim@shop.example", From: "192.0.2.1"})
	for n := range 6 {
		if err := s.Record(ctx, Record{Action: "task.decide", Subject: fmt.Sprint("tsk_", n), Detail: "a\nb\x1b[31m"}); err != nil {
			t.Fatal(err)
		}
		c.add(30 * time.Second) // two records a seal
		if err := s.Seal(ctx, mac); err != nil {
			t.Fatal(err)
		}
	}
	if r := m.records[0]; r.Who != "kim@shop.example" || r.Origin != "192.0.2.1" || strings.ContainsAny(r.Detail, "\n\x1b") {
		t.Errorf("recorded as %+v", r)
	}
	n, age, _ := s.Unsealed(ctx)
	v, err := s.VerifyAudit(ctx, mac, Head{})
	if err != nil || !v.OK || v.Sealed+n != 6 || v.Sealed < 3 {
		t.Fatal(v, n, age, err)
	}
	c.add(time.Minute)
	if err := s.Seal(ctx, mac); err != nil {
		t.Fatal(err)
	}
	noted, err := ParseHead(v.Head)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := s.VerifyAudit(ctx, mac, noted); !v.OK || v.Sealed != 6 || v.Unsealed != 0 {
		t.Errorf("with a head noted earlier: %+v", v)
	}
	if v, _ := s.VerifyAudit(ctx, mac, Head{Seq: noted.Seq, Hash: strings.Repeat("0", 64)}); v.OK {
		t.Error("a chain passes for another one")
	}
	if v, _ := s.VerifyAudit(ctx, mac, Head{Seq: 7, Hash: noted.Hash}); v.OK || !strings.Contains(v.Broken, "newest records were removed") {
		t.Errorf("a chain that was longer once: %+v", v)
	}
	if v, _ := s.VerifyAudit(ctx, func(string) string { return "another key" }, Head{}); v.OK {
		t.Error("a chain that another key sealed passes")
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add("12:" + strings.Repeat("ab", 32))
	f.Add(":")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHead(text)
		if err != nil {
			return
		}
		if again, err := ParseHead(h.String()); err != nil || again != h {
			t.Errorf("%q is read as %v, and that as %v, %v", text, h, again, err)
		}
	})
}
