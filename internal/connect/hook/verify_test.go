package hook_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"pgregory.net/rapid"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/fault"
)

const (
	oldSecret = connect.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	newSecret = connect.Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
)

// at is the time the documents of these tests arrive.
var at = time.Unix(1_790_000_000, 0)

func signer(t testing.TB, secrets ...connect.Secret) *hook.Signer {
	t.Helper()
	s, err := hook.NewSigner(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verifier(t testing.TB, secrets ...connect.Secret) *hook.Verifier {
	t.Helper()
	v, err := hook.NewVerifier(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func headers(t testing.TB, s *hook.Signer, id string, sent time.Time, body []byte) http.Header {
	t.Helper()
	ts, sig := s.Sign(id, sent, body)
	h := http.Header{}
	h.Set(hook.HeaderID, id)
	h.Set(hook.HeaderTimestamp, ts)
	h.Set(hook.HeaderSignature, sig)
	return h
}

func TestTheSpecificationsLibraryAgrees(t *testing.T) {
	lib, err := standardwebhooks.NewWebhook(oldSecret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	ours := signer(t, oldSecret)
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`).Draw(rt, "id")
		body := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "body")
		sent := time.Unix(rapid.Int64Range(1, 4e9).Draw(rt, "sent"), 0)
		want, err := lib.Sign(id, sent, body)
		if err != nil {
			rt.Fatal(err)
		}
		if _, got := ours.Sign(id, sent, body); got != want {
			rt.Fatalf("we sign %q, the library signs %q", got, want)
		}
	})
	// Its Verify reads the clock itself, so this document is sent now.
	body := []byte(`{"type":"order.placed"}`)
	if err := lib.Verify(body, headers(t, ours, "eff_1", time.Now(), body)); err != nil {
		t.Fatalf("the library refuses our document: %v", err)
	}
}

func TestRotation(t *testing.T) {
	body := []byte(`{"n":1}`)
	only := func(s ...connect.Secret) []connect.Secret { return s }
	other := hook.NewSecret()
	for _, c := range []struct {
		name           string
		signs, expects []connect.Secret
		ok             bool
	}{
		{"one secret", only(oldSecret), only(oldSecret), true},
		{"old sender, rotating receiver", only(oldSecret), only(newSecret, oldSecret), true},
		{"new sender, rotating receiver", only(newSecret), only(newSecret, oldSecret), true},
		{"rotating sender, old receiver", only(newSecret, oldSecret), only(oldSecret), true},
		{"rotating sender, new receiver", only(newSecret, oldSecret), only(newSecret), true},
		{"both rotating", only(newSecret, oldSecret), only(newSecret, oldSecret), true},
		{"empty second place", only(newSecret, ""), only(newSecret, ""), true},
		{"rotation over, old sender", only(oldSecret), only(newSecret), false},
		{"stranger", only(other), only(newSecret, oldSecret), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := headers(t, signer(t, c.signs...), "eff_1", at, body)
			id, err := verifier(t, c.expects...).Verify(h, body, at)
			if c.ok != (err == nil) {
				t.Fatalf("Verify = %v, want ok=%v", err, c.ok)
			}
			if c.ok && id != "eff_1" {
				t.Fatalf("id = %q", id)
			}
			if !c.ok && !errors.Is(err, hook.ErrSignature) {
				t.Fatalf("%v is no ErrSignature", err)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	body := []byte(`{"n":1}`)
	v, s := verifier(t, newSecret, oldSecret), signer(t, newSecret)
	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	del := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	resign := func(id string, sent time.Time) func(http.Header) {
		return func(h http.Header) {
			for k, v := range headers(t, s, id, sent, body) {
				h[k] = v
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(http.Header)
		cause  error
		kind   fault.Kind
		says   string
	}{
		{"no id", del(hook.HeaderID), hook.ErrHeader, fault.Denied, "webhook-id is missing"},
		{"empty id", set(hook.HeaderID, ""), hook.ErrHeader, fault.Denied, "webhook-id is missing"},
		{"no timestamp", del(hook.HeaderTimestamp), hook.ErrHeader, fault.Denied, "webhook-timestamp is missing"},
		{"no signature", del(hook.HeaderSignature), hook.ErrHeader, fault.Denied, "webhook-signature is missing"},
		{"two ids", func(h http.Header) { h.Add(hook.HeaderID, "eff_2") }, hook.ErrHeader, fault.Invalid, "2 times"},
		{"id with a full stop", resign("eff.1", at), hook.ErrHeader, fault.Invalid, "full stop"},
		{"long id", resign(strings.Repeat("x", 257), at), hook.ErrHeader, fault.Invalid, "256"},
		{"id with a space", resign("a b", at), hook.ErrHeader, fault.Invalid, "printable"},
		{"id with a byte above ASCII", resign("é", at), hook.ErrHeader, fault.Invalid, "printable"},
		{"words as time", set(hook.HeaderTimestamp, "yesterday"), hook.ErrHeader, fault.Invalid, "seconds since 1970"},
		{"signed number", set(hook.HeaderTimestamp, "+1790000000"), hook.ErrHeader, fault.Invalid, "seconds since 1970"},
		{"leading zero", set(hook.HeaderTimestamp, "01790000000"), hook.ErrHeader, fault.Invalid, "seconds since 1970"},
		{"milliseconds", set(hook.HeaderTimestamp, "1790000000000"), hook.ErrHeader, fault.Invalid, "seconds since 1970"},
		{"too old", resign("eff_1", at.Add(-hook.Tolerance-time.Second)), hook.ErrTimestamp, fault.Denied, "5 minutes old"},
		{"very old", resign("eff_1", at.Add(-72*time.Hour)), hook.ErrTimestamp, fault.Denied, "3 days old"},
		{"too new", resign("eff_1", at.Add(3*time.Hour)), hook.ErrTimestamp, fault.Denied, "3 hours in the future"},
		{"other id", set(hook.HeaderID, "eff_2"), hook.ErrSignature, fault.Denied, "does not match"},
		{"other time", set(hook.HeaderTimestamp, strconv.FormatInt(at.Unix()+1, 10)), hook.ErrSignature, fault.Denied, "does not match"},
		{"no version", set(hook.HeaderSignature, "abc"), hook.ErrSignature, fault.Denied, "no signature of version v1"},
		{"other version", set(hook.HeaderSignature, "v1a,"+strings.Repeat("A", 44)), hook.ErrSignature, fault.Denied, "no signature of version v1"},
		{"short signature", set(hook.HeaderSignature, "v1,AAAA"), hook.ErrSignature, fault.Denied, "does not match"},
		{"long signature", func(h http.Header) { h.Set(hook.HeaderSignature, h.Get(hook.HeaderSignature)+"=") }, hook.ErrSignature, fault.Denied, "does not match"},
		{"genuine behind too many others", func(h http.Header) {
			h.Set(hook.HeaderSignature, strings.Repeat("v1,x ", 8)+h.Get(hook.HeaderSignature))
		}, hook.ErrSignature, fault.Denied, "does not match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := headers(t, s, "eff_1", at, body)
			c.change(h)
			id, err := v.Verify(h, body, at)
			if err == nil || id != "" {
				t.Fatalf("Verify = %q, %v; want a refusal", id, err)
			}
			if !errors.Is(err, c.cause) || fault.KindOf(err) != c.kind || !strings.Contains(fault.Message(err), c.says) {
				t.Errorf("Verify says %q (%v), want %v, %v and %q in the message", err, fault.KindOf(err), c.cause, c.kind, c.says)
			}
			_, genuine := s.Sign(h.Get(hook.HeaderID), at, body)
			for _, secret := range []string{newSecret.Reveal()[6:], oldSecret.Reveal()[6:], genuine[3:]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error gives away %q: %v", secret, err)
				}
			}
		})
	}
}

func TestVerifyTakes(t *testing.T) {
	body := []byte("{}")
	v, s := verifier(t, newSecret), signer(t, newSecret)
	for _, c := range []struct {
		name string
		sent time.Time
		edit func(http.Header)
	}{
		{"at the edge, old", at.Add(-hook.Tolerance), nil},
		{"at the edge, new", at.Add(hook.Tolerance), nil},
		{"asymmetric signature first", at, func(h http.Header) {
			h.Set(hook.HeaderSignature, "v1a,zzzz "+h.Get(hook.HeaderSignature))
		}},
		{"wrong signature first", at, func(h http.Header) {
			h.Set(hook.HeaderSignature, "v1,"+strings.Repeat("A", 44)+" "+h.Get(hook.HeaderSignature))
		}},
	} {
		h := headers(t, s, "eff_1", c.sent, body)
		if c.edit != nil {
			c.edit(h)
		}
		if _, err := v.Verify(h, body, at); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestOneBitChanges: whatever bit of the body is changed, the document is refused.
func TestOneBitChanges(t *testing.T) {
	v, s := verifier(t, newSecret), signer(t, newSecret)
	rapid.Check(t, func(rt *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(rt, "body")
		h := headers(t, s, "eff_1", at, body)
		bit := rapid.IntRange(0, len(body)*8-1).Draw(rt, "bit")
		changed := bytes.Clone(body)
		changed[bit/8] ^= 1 << (bit % 8)
		if _, err := v.Verify(h, changed, at); !errors.Is(err, hook.ErrSignature) {
			rt.Fatalf("changed body: %v", err)
		}
	})
}

func TestSecrets(t *testing.T) {
	for _, bad := range []connect.Secret{"", "whsec_", "whsec_short", "whsec_!!!!", "whsec_AAAA", connect.Secret("whsec_" + strings.Repeat("QUFB", 30))} {
		if _, err := hook.NewVerifier(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("NewVerifier of a bad secret: %v", err)
		} else if len(bad) > 7 && strings.Contains(err.Error(), bad.Reveal()[6:]) {
			t.Errorf("the error shows the secret: %v", err)
		}
		if err := hook.ParseSecret(bad); bad != "" && err == nil {
			t.Errorf("ParseSecret took %d characters", len(bad))
		}
	}
	if _, err := hook.NewSigner(newSecret, oldSecret, hook.NewSecret()); err == nil {
		t.Error("three secrets are one too many")
	}
	a, b := hook.NewSecret(), hook.NewSecret()
	if a == b || hook.ParseSecret(a) != nil || len(a) != len("whsec_")+44 {
		t.Errorf("NewSecret gave %d and %d characters", len(a), len(b))
	}
	// A secret without its prefix or its padding is the same key.
	body := []byte("x")
	bare := connect.Secret(strings.TrimRight(strings.TrimPrefix(a.Reveal(), "whsec_"), "="))
	if _, err := verifier(t, bare).Verify(headers(t, signer(t, a), "m", at, body), body, at); err != nil {
		t.Errorf("bare secret: %v", err)
	}
	for _, text := range []string{fmt.Sprint(a), fmt.Sprintf("%v %+v %#v %s %q", a, a, a, a, a), fmt.Sprintf("%#v", struct{ S connect.Secret }{a})} {
		if strings.Contains(text, a.Reveal()[6:]) {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestVerifyIsSafeForConcurrentUse(t *testing.T) {
	v, s := verifier(t, newSecret, oldSecret), signer(t, oldSecret)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				body := bytes.Repeat([]byte{byte(g)}, i)
				h := headers(t, s, fmt.Sprintf("eff_%d_%d", g, i), at, body)
				if _, err := v.Verify(h, body, at); err != nil {
					t.Errorf("%d/%d: %v", g, i, err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzVerify(f *testing.F) {
	v, s := verifier(f, newSecret, oldSecret), signer(f, newSecret)
	ts, sig := s.Sign("eff_1", at, []byte("{}"))
	f.Add("eff_1", ts, sig, []byte("{}"))
	f.Add("", "", "", []byte(nil))
	f.Add("a.b", "-1", "v1,v1,, ,v1a,", []byte("\x00"))
	f.Fuzz(func(t *testing.T, id, ts, sig string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {ts}, "Webhook-Signature": {sig}}
		got, err := v.Verify(h, body, at)
		if err != nil {
			return
		}
		// Only the holder of a secret gets here: the same parts sign to one of the signatures given.
		sec, convErr := strconv.ParseInt(ts, 10, 64)
		if convErr != nil || got != id {
			t.Fatalf("taken with id %q (%q) and timestamp %q", got, id, ts)
		}
		both := false
		for _, k := range []connect.Secret{newSecret, oldSecret} {
			_, want := signer(t, k).Sign(id, time.Unix(sec, 0), body)
			both = both || strings.Contains(sig, want)
		}
		if !both {
			t.Fatalf("taken without a genuine signature: %q", sig)
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	f.Add(newSecret.Reveal())
	f.Add("whsec_=")
	f.Fuzz(func(t *testing.T, text string) {
		if err := hook.ParseSecret(connect.Secret(text)); err != nil {
			return
		}
		body := []byte("b")
		if _, err := verifier(t, connect.Secret(text)).Verify(headers(t, signer(t, connect.Secret(text)), "m", at, body), body, at); err != nil {
			t.Fatalf("%q parses but does not verify its own signature: %v", text, err)
		}
	})
}

func BenchmarkVerify4KB(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 4096)
	for _, c := range []struct {
		name    string
		expects []connect.Secret
	}{{"one secret", []connect.Secret{newSecret}}, {"rotating", []connect.Secret{oldSecret, newSecret}}} {
		b.Run(c.name, func(b *testing.B) {
			v := verifier(b, c.expects...)
			h := headers(b, signer(b, newSecret), "eff_1", at, body)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(h, body, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLibraryVerify4KB(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 4096)
	lib, err := standardwebhooks.NewWebhook(newSecret.Reveal())
	if err != nil {
		b.Fatal(err)
	}
	h := headers(b, signer(b, newSecret), "eff_1", at, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := lib.VerifyIgnoringTimestamp(body, h); err != nil {
			b.Fatal(err)
		}
	}
}
