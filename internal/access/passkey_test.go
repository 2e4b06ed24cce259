package access

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"

	"orderly.example/orderly/internal/fault"
)

// device is a small authenticator with one passkey.
type device struct {
	t      *testing.T
	id     []byte
	key    *ecdsa.PrivateKey
	handle string
	count  uint32
	origin string
	seen   byte // flags: user present, user verified
}

func newDevice(t *testing.T, origin string) *device {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &device{t: t, id: id, key: key, origin: origin, seen: 0x05}
}

func (d *device) data(rp string, attested []byte) []byte {
	sum := sha256.Sum256([]byte(rp))
	flags := d.seen
	if attested != nil {
		flags |= 0x40
	}
	out := append(sum[:], flags)
	out = binary.BigEndian.AppendUint32(out, d.count)
	return append(out, attested...)
}

func (d *device) client(typ, challenge string) []byte {
	b, _ := json.Marshal(map[string]any{"type": typ, "challenge": challenge, "origin": d.origin, "crossOrigin": false})
	return b
}

func (d *device) answer(response map[string]any) string {
	b, _ := json.Marshal(map[string]any{"id": b64(d.id), "rawId": b64(d.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	return string(b)
}

// create answers what BeginAddPasskey asks.
func (d *device) create(ask string) string {
	d.t.Helper()
	var o struct {
		Challenge string
		RP        struct{ ID string }
		User      struct{ ID string }
	}
	if err := json.Unmarshal([]byte(ask), &o); err != nil || o.Challenge == "" {
		d.t.Fatalf("%s: %v", ask, err)
	}
	handle, _ := base64.RawURLEncoding.DecodeString(o.User.ID)
	d.handle = string(handle)
	pub, err := d.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		d.t.Fatal(err)
	}
	cose, err := webauthncbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: pub[1:33], -3: pub[33:]})
	if err != nil {
		d.t.Fatal(err)
	}
	attested := binary.BigEndian.AppendUint16(slices.Repeat([]byte{0}, 16), uint16(len(d.id))) // no model
	attested = slices.Concat(attested, d.id, cose)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": d.data(o.RP.ID, attested)})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": b64(d.client("webauthn.create", o.Challenge)), "attestationObject": b64(object)})
}

// get answers what BeginPasskey asks, and counts.
func (d *device) get(ask string) string {
	d.t.Helper()
	var o struct{ Challenge, RPID string }
	if err := json.Unmarshal([]byte(ask), &o); err != nil || o.Challenge == "" {
		d.t.Fatalf("%s: %v", ask, err)
	}
	d.count++
	data, client := d.data(o.RPID, nil), d.client("webauthn.get", o.Challenge)
	sum := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), sum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, d.key, digest[:])
	if err != nil {
		d.t.Fatal(err)
	}
	return d.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(sig), "userHandle": b64([]byte(d.handle))})
}

// keySite is a site with passkeys at http://localhost, or at a base address.
type keySite struct {
	*site
	web *Web
}

func newKeySite(t *testing.T, base string) *keySite {
	t.Helper()
	svc, mem, clk := newService(t)
	clk.t = time.Now()
	for _, mail := range []string{"kim@shop.example", "lee@shop.example"} {
		if _, err := svc.AddUser(t.Context(), NewUser{Email: mail, Password: goodPassword, Role: Agent}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := svc.AddUser(t.Context(), NewUser{Email: "ada@shop.example", Password: goodPassword, Role: Admin}); err != nil {
		t.Fatal(err)
	}
	web, err := NewWeb(svc, WebOptions{BaseURL: base})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, b []byte, err error) {
		if err != nil {
			http.Error(w, fault.Message(err), http.StatusForbidden)
			return
		}
		_, _ = w.Write(b)
	}
	mux.HandleFunc("POST /signin", func(w http.ResponseWriter, r *http.Request) {
		_, err := web.SignIn(r, r.FormValue("email"), r.FormValue("password"))
		answer(w, nil, err)
	})
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) { b, err := web.BeginPasskey(r); answer(w, b, err) })
	mux.HandleFunc("POST /in", func(w http.ResponseWriter, r *http.Request) {
		u, err := web.FinishPasskey(r, r.FormValue("answer"))
		answer(w, []byte(u.Email), err)
	})
	mux.HandleFunc("POST /new", func(w http.ResponseWriter, r *http.Request) {
		b, err := web.BeginAddPasskey(r, r.FormValue("name"), r.FormValue("password"))
		answer(w, b, err)
	})
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		k, err := web.FinishAddPasskey(r, r.FormValue("answer"))
		answer(w, []byte(k.Name), err)
	})
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, r *http.Request) {
		u, _ := UserFrom(r.Context())
		_, _ = io.WriteString(w, u.Email)
	})
	s := &site{httptest.NewServer(web.Handler(mux)), svc, mem, clk}
	t.Cleanup(s.Close)
	s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return &keySite{s, web}
}

// ok posts and must be let in.
func (s *keySite) ok(t *testing.T, c *http.Client, path string, form url.Values) string {
	t.Helper()
	status, body, _ := s.post(t, c, path, form)
	if status != 200 {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	return body
}

// no posts and must be refused with some words.
func (s *keySite) no(t *testing.T, c *http.Client, path string, form url.Values, words string) {
	t.Helper()
	status, body, _ := s.post(t, c, path, form)
	if status == 200 || !strings.Contains(body, words) {
		t.Errorf("%s: %d %q, want %q", path, status, body, words)
	}
	if path == "/in" {
		if got := s.who(t, c); got != "" {
			t.Errorf("signed in as %q all the same", got)
		}
	}
}

func (s *keySite) register(t *testing.T, mail string, d *device) *http.Client {
	t.Helper()
	c := s.browser(t)
	s.ok(t, c, "/signin", url.Values{"email": {mail}, "password": {goodPassword}})
	ask := s.ok(t, c, "/new", url.Values{"name": {"Desk"}})
	s.ok(t, c, "/add", url.Values{"answer": {d.create(ask)}})
	return c
}

func TestPasskeySignsIn(t *testing.T) {
	s := newKeySite(t, "")
	d := newDevice(t, s.URL)
	s.register(t, "kim@shop.example", d)

	c := s.browser(t)
	_, ask, resp := s.post(t, c, "/ask", nil)
	before := sessionCookie(resp)
	if !strings.Contains(ask, `"userVerification":"required"`) || strings.Contains(ask, "kim@") || strings.Contains(ask, "allowCredentials") {
		t.Errorf("asked: %s", ask)
	}
	answer := d.get(ask)
	status, body, resp := s.post(t, c, "/in", url.Values{"answer": {answer}})
	if after := sessionCookie(resp); status != 200 || body != "kim@shop.example" || after == nil || before == nil || after.Value == before.Value {
		t.Fatalf("%d %s; the token was %v and is %v: it must be a new one", status, body, before, after)
	}
	if got := s.who(t, c); got != "kim@shop.example" {
		t.Errorf("who = %q", got)
	}
	ks, err := s.svc.UserPasskeys(t.Context(), mustUser(t, s.svc, "kim@shop.example"))
	if err != nil || len(ks) != 1 || ks[0].Name != "Desk" || ks[0].LastUsed.IsZero() || ks[0].Count != 1 {
		t.Errorf("%+v, %v", ks, err)
	}
	// The record tells it once, and how.
	n := 0
	for _, r := range s.mem.records {
		if r.Action == "user.signin" && r.Detail == byPasskey && r.Result == Done && r.Who == "kim@shop.example" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the sign-in is recorded %d times", n)
	}
	// Removed: it opens nothing more.
	if _, err := s.svc.RemovePasskey(t.Context(), mustUser(t, s.svc, "lee@shop.example"), ks[0].ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("somebody else removes it: %v", err)
	}
	if _, err := s.svc.RemovePasskey(t.Context(), mustUser(t, s.svc, "kim@shop.example"), ks[0].ID); err != nil {
		t.Error(err)
	}
	c = s.browser(t)
	s.no(t, c, "/in", url.Values{"answer": {d.get(s.ok(t, c, "/ask", nil))}}, "not known here")
}

func mustUser(t *testing.T, s *Service, mail string) User {
	t.Helper()
	us, err := s.Users(t.Context())
	for _, u := range us {
		if u.Email == mail {
			return u
		}
	}
	t.Fatal(mail, err)
	return User{}
}

func TestPasskeyRefusals(t *testing.T) {
	s := newKeySite(t, "")
	kim, lee := newDevice(t, s.URL), newDevice(t, s.URL)
	s.register(t, "kim@shop.example", kim)
	s.register(t, "lee@shop.example", lee)
	begin := func() (*http.Client, string) { c := s.browser(t); return c, s.ok(t, c, "/ask", nil) }
	try := func(d *device, words string) {
		t.Helper()
		c, ask := begin()
		s.no(t, c, "/in", url.Values{"answer": {d.get(ask)}}, words)
	}

	evil := *kim
	evil.origin = "https://evil.example"
	try(&evil, "not accepted")
	kim.count = evil.count

	other := *kim // kim's key, and lee's handle
	other.handle = lee.handle
	try(&other, "not accepted")

	forged := *kim // kim's id, and another key
	forged.key = lee.key
	try(&forged, "not accepted")

	unseen := *kim // nobody gave a finger or a PIN
	unseen.seen = 0x01
	try(&unseen, "not accepted")

	// An answer is good once, in the browser that asked.
	c, ask := begin()
	answer := kim.get(ask)
	stranger, _ := begin()
	s.no(t, stranger, "/in", url.Values{"answer": {answer}}, "not accepted")
	if got := s.ok(t, c, "/in", url.Values{"answer": {answer}}); got != "kim@shop.example" {
		t.Error(got)
	}
	s.no(t, s.browser(t), "/in", url.Values{"answer": {answer}}, "begin again")

	// And within five minutes.
	c, ask = begin()
	s.clk.add(passkeyTime + time.Second)
	s.no(t, c, "/in", url.Values{"answer": {kim.get(ask)}}, "begin again")

	// A device that counts back is a copy.
	kim.count = 0
	try(kim, "may have been copied")
	kim.count = 100
	c, ask = begin()
	s.ok(t, c, "/in", url.Values{"answer": {kim.get(ask)}})

	// What was asked for adding does not sign in, and the other way round.
	in := s.browser(t)
	s.ok(t, in, "/signin", url.Values{"email": {"kim@shop.example"}, "password": {goodPassword}})
	s.no(t, in, "/add", url.Values{"answer": {newDevice(t, s.URL).create(s.ok(t, in, "/ask", nil))}}, "begin again")

	// Many wrong answers lock.
	locked := false
	for range 12 {
		c, ask := begin()
		_, body, _ := s.post(t, c, "/in", url.Values{"answer": {forged.get(ask)}})
		locked = locked || strings.Contains(body, "too many failed attempts")
	}
	if !locked {
		t.Error("wrong answers are looked at for ever")
	}
	s.clk.add(time.Hour)

	// A closed account.
	if err := s.svc.Disable(t.Context(), "lee@shop.example", true); err != nil {
		t.Fatal(err)
	}
	try(lee, "closed")
	for _, junk := range []string{"", "{}", "null", `{"id":"x"}`, strings.Repeat("a", maxAnswer+1)} {
		c, _ := begin()
		s.no(t, c, "/in", url.Values{"answer": {junk}}, "answer")
	}
	refused := 0
	for _, r := range s.mem.records {
		if r.Action == "user.signin" && r.Result == Refused && r.Detail == byPasskey {
			refused++
		}
	}
	if refused < 12 {
		t.Errorf("%d refusals are recorded", refused)
	}
}

// Two answers to one challenge at the same time, with the same session: one counts.
func TestPasskeyAnswersOnce(t *testing.T) {
	s := newKeySite(t, "")
	d := newDevice(t, s.URL)
	s.register(t, "kim@shop.example", d)
	id := b64(d.id)
	var wg sync.WaitGroup
	var mu sync.Mutex
	n := 0
	for range 8 {
		wg.Go(func() {
			err := s.svc.store.Update(context.WithoutCancel(t.Context()), func(tx Tx) error {
				ok, err := tx.UsePasskey(id, "one challenge", 0, s.clk.now()) // a device that does not count
				if ok {
					mu.Lock()
					n++
					mu.Unlock()
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n != 1 {
		t.Errorf("%d answers counted", n)
	}
}

func TestAddingAPasskey(t *testing.T) {
	s := newKeySite(t, "")
	d := newDevice(t, s.URL)
	c := s.register(t, "kim@shop.example", d)
	name := url.Values{"name": {"Phone"}}
	s.no(t, c, "/add", url.Values{"answer": {d.create(s.ok(t, c, "/new", name))}}, "known already")
	s.no(t, c, "/new", url.Values{"name": {" "}}, "name")
	s.no(t, s.browser(t), "/new", name, "sign in first")

	// Somebody else's answer, and one that was given for another page.
	lee := s.browser(t)
	s.ok(t, lee, "/signin", url.Values{"email": {"lee@shop.example"}, "password": {goodPassword}})
	ask := s.ok(t, c, "/new", name)
	s.no(t, lee, "/add", url.Values{"answer": {newDevice(t, s.URL).create(ask)}}, "begin again")
	evil := newDevice(t, "https://evil.example")
	s.no(t, c, "/add", url.Values{"answer": {evil.create(ask)}}, "not accepted")
	s.no(t, c, "/add", url.Values{"answer": {newDevice(t, s.URL).create(ask)}}, "begin again") // used up

	// Long after the sign-in the password is asked for.
	s.clk.add(passkeyFresh + time.Minute)
	s.no(t, c, "/new", name, "password is wrong")
	s.no(t, c, "/new", url.Values{"name": {"Phone"}, "password": {"not that one at all"}}, "password is wrong")
	ask = s.ok(t, c, "/new", url.Values{"name": {"Phone"}, "password": {goodPassword}})
	s.ok(t, c, "/add", url.Values{"answer": {newDevice(t, s.URL).create(ask)}})
	ks, err := s.svc.UserPasskeys(t.Context(), mustUser(t, s.svc, "kim@shop.example"))
	if err != nil || len(ks) != 2 || ks[1].Name != "Phone" {
		t.Errorf("%+v, %v", ks, err)
	}
	for _, k := range ks {
		if strings.Contains(k.Key, "clientDataJSON\":\"") {
			t.Errorf("what the browser said is kept: %s", k.Key)
		}
	}
}

func TestPasskeyOrigin(t *testing.T) {
	for _, x := range []struct{ base, host, want, words string }{
		{"https://orderly.shop.example", "10.0.0.7:8080", "https://orderly.shop.example", ""},
		{"", "localhost:8080", "http://localhost:8080", ""},
		{"", "127.0.0.1:8080", "", "base_url"},
		{"", "orderly.shop.example", "", "base_url"},
		{"https://192.0.2.7", "192.0.2.7", "", "host name"},
		{"http://orderly.shop.example", "orderly.shop.example", "", "https"},
	} {
		web, err := NewWeb(New(NewMemory(), slog.New(slog.DiscardHandler), nil), WebOptions{BaseURL: x.base})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = x.host
		got, err := web.PasskeyOrigin(r)
		if got != x.want || (err == nil) != (x.words == "") || err != nil && (fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Message(err), x.words)) {
			t.Errorf("%q at %q: %q, %v", x.base, x.host, got, err)
		}
	}
}

// The audit log does not keep what was typed in place of a mail address: it may be a password.
func TestStrangeNamesAreNotKept(t *testing.T) {
	s := newSite(t)
	s.svc.UseKey(func(x string) string { sum := sha256.Sum256([]byte("k" + x)); return b64(sum[:]) })
	for _, typed := range []string{"correct horse battery", "s3cret@shop.example", "s3cret@shop.example"} {
		s.post(t, s.browser(t), "/signin", url.Values{"email": {typed}, "password": {"x"}})
	}
	s.post(t, s.browser(t), "/signin", url.Values{"email": {"kim@shop.example"}, "password": {"wrong"}})
	who := map[string]int{}
	for _, r := range s.mem.records {
		if r.Action == "user.signin" && r.Result == Refused {
			who[r.Who]++
		}
		if strings.Contains(r.Who+r.Subject+r.Detail, "s3cret") || strings.Contains(r.Who+r.Subject+r.Detail, "horse") {
			t.Errorf("kept: %+v", r)
		}
	}
	twice := false
	for _, n := range who {
		twice = twice || n == 2
	}
	if len(who) != 3 || who["kim@shop.example"] != 1 || !twice {
		t.Errorf("%v", who)
	}
}

func TestOneSignInIsOneRecord(t *testing.T) {
	s := newSite(t)
	c := s.browser(t)
	count := func() (n int) {
		for _, r := range s.mem.records {
			if r.Action == "user.signin" {
				n++
			}
		}
		return n
	}
	s.post(t, c, "/signin", signIn)
	if n := count(); n != 1 {
		t.Errorf("one sign-in is %d records", n)
	}
	s.post(t, c, "/password", url.Values{"old": {goodPassword}, "password": {"river stone lamp moss"}})
	if n := count(); n != 1 {
		t.Errorf("a new password is told as a sign-in: %d records", n)
	}
}

func FuzzPasskeyAnswer(f *testing.F) {
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":"AA"}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, answer string) {
		if p, err := readAssertion(answer); err != nil && fault.KindOf(err) != fault.Denied || err == nil && p == nil {
			t.Errorf("%v, %v", p, err)
		}
	})
}
