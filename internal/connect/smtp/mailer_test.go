package smtp_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/connecttest"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/smtp"
	"orderly.example/orderly/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server(t *testing.T, o fake.SMTPOptions) *fake.SMTP {
	t.Helper()
	s, err := fake.StartSMTP(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// mailer returns a mailer for the server; edit may change its settings.
func mailer(t *testing.T, s *fake.SMTP, edit func(*smtp.Settings)) *smtp.Mailer {
	t.Helper()
	host, port := s.HostPort()
	set := smtp.Settings{Host: host, Port: port, TLS: smtp.None, From: "Sample Shop <orders@shop.example>", Timeout: 5 * time.Second}
	if edit != nil {
		edit(&set)
	}
	m, err := smtp.New(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func message(id string) connect.Message {
	return connect.Message{ID: id, To: "pat@example.net", Subject: "Order 1001", Text: "Thank you.\n", HTML: "<p>Thank you.</p>"}
}

func TestContract(t *testing.T) {
	connecttest.Run(t, func(t *testing.T) *connecttest.World {
		cert, roots := certificate(t)
		s := server(t, fake.SMTPOptions{User: "shop", Password: "s3cret-password", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
		m := mailer(t, s, func(set *smtp.Settings) {
			set.TLS, set.RootCAs, set.User, set.Password = smtp.StartTLS, roots, "shop", "s3cret-password"
			set.Timeout = 700 * time.Millisecond
		})
		return &connecttest.World{
			Mailer: m,
			Key:    func(id string) string { return strings.Trim(m.MessageID(id), "<>") },
			Fail: func(f connecttest.Fault) {
				s.Fail(map[connecttest.Fault]fake.MailFault{
					connecttest.Busy:    {Code: 451},
					connecttest.Refused: {Code: 550, AtRecipient: true},
					connecttest.Silent:  {Hang: true, Take: true},
					connecttest.Broken:  {Drop: true, Take: true},
				}[f])
			},
			Taken: func() (out []connecttest.Taken) {
				for _, m := range s.Messages() {
					out = append(out, connecttest.Taken{Key: m.ID, To: strings.Join(m.To, ","), Body: m.Text})
				}
				return out
			},
			Wait:     s.Wait,
			Stop:     func() { s.Close() },
			Secrets:  []string{"s3cret"},
			Patience: 5 * time.Second,
		}
	})
}

func TestWhatArrives(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, func(set *smtp.Settings) {
		set.From, set.ReplyTo = `"Bücher & Tee" <orders@bücher.example>`, "help@bücher.example"
	})
	long := strings.Repeat("a line that is longer than a mail's line may be, ", 40)
	msg := connect.Message{
		ID: "eff_0123", To: "pat@exämple.net", Subject: "Bestellung 1001 – größer, 日本語, 🫖 " + strings.Repeat("x", 80),
		Text: "Schöne Grüße\n.\n..\nFrom here on\n" + long + "\n", HTML: "<p>Schöne Grüße = \"ja\"</p>\n" + long,
	}
	r, err := m.Send(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Reference != "<eff_0123@xn--bcher-kva.example>" || !strings.Contains(r.Text, "OK") {
		t.Errorf("receipt %+v", r)
	}
	got := s.Messages()[0]
	if got.ID != "eff_0123@xn--bcher-kva.example" || got.From != "orders@xn--bcher-kva.example" || fmt.Sprint(got.To) != "[pat@xn--exmple-cua.net]" {
		t.Errorf("id %q from %q to %v", got.ID, got.From, got.To)
	}
	if got.Subject != msg.Subject || got.Text != msg.Text || got.HTML != msg.HTML {
		t.Errorf("subject %q\ntext %q\nhtml %q", got.Subject, got.Text, got.HTML)
	}
	for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "Reply-To": "<help@xn--bcher-kva.example>", "Mime-Version": "1.0"} {
		if v := got.Header[name]; len(v) != 1 || v[0] != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if _, err := time.Parse(time.RFC1123Z, got.Header["Date"][0]); err != nil {
		t.Errorf("Date: %v", err)
	}
	for line := range bytes.SplitSeq(got.Raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") || bytes.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
			t.Errorf("the line %q is not plain ASCII of at most 998 bytes", line)
		}
	}
	if len(got.Header["Message-Id"]) != 1 || len(got.Header["User-Agent"]) != 0 {
		t.Errorf("headers %v", got.Header)
	}
}

// TestSameMailEveryTime: the id alone makes the Message-ID, so a copy sent after an unknown outcome is recognised.
func TestSameMailEveryTime(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, nil)
	s.Fail(fake.MailFault{Drop: true, Take: true})
	if _, err := m.Send(t.Context(), message("eff_1")); connect.ClassOf(err) != connect.ClassUnknown {
		t.Fatalf("first attempt: %v", err)
	}
	if _, err := m.Send(t.Context(), message("eff_1")); err != nil {
		t.Fatal(err)
	}
	if ids := s.IDs(); len(ids) != 1 || ids["eff_1@shop.example"] != 2 {
		t.Errorf("ids %v", ids)
	}
	if got := s.Messages(); got[0].Answered || !got[1].Answered {
		t.Errorf("answered %v and %v", got[0].Answered, got[1].Answered)
	}
}

func TestNobodyWritesAHeader(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, nil)
	set := func(edit func(*connect.Message)) connect.Message {
		msg := message("eff_1")
		edit(&msg)
		return msg
	}
	for name, msg := range map[string]connect.Message{
		"subject with CRLF":      set(func(m *connect.Message) { m.Subject = "x\r\nBcc: all@example.com" }),
		"subject with LF":        set(func(m *connect.Message) { m.Subject = "x\nBcc: all@example.com" }),
		"subject with CR":        set(func(m *connect.Message) { m.Subject = "x\rBcc: all@example.com" }),
		"subject with NUL":       set(func(m *connect.Message) { m.Subject = "x\x00" }),
		"subject with NEL":       set(func(m *connect.Message) { m.Subject = "x\u0085y" }),
		"subject with separator": set(func(m *connect.Message) { m.Subject = "x\u2028y" }),
		"subject too long":       set(func(m *connect.Message) { m.Subject = strings.Repeat("x", 901) }),
		"no subject":             set(func(m *connect.Message) { m.Subject = " " }),
		"no text":                set(func(m *connect.Message) { m.Text = "\n" }),
		"recipient with CRLF":    set(func(m *connect.Message) { m.To = "pat@example.net\r\nBcc: all@example.com" }),
		"recipient with a name":  set(func(m *connect.Message) { m.To = "Pat <pat@example.net>" }),
		"two recipients":         set(func(m *connect.Message) { m.To = "pat@example.net, all@example.com" }),
		"quoted recipient":       set(func(m *connect.Message) { m.To = `"pat@x"@example.net` }),
		"recipient with >":       set(func(m *connect.Message) { m.To = "pat@example.net> SIZE=1" }),
		"no recipient":           set(func(m *connect.Message) { m.To = "" }),
		"no domain":              set(func(m *connect.Message) { m.To = "pat" }),
		"address of a machine":   set(func(m *connect.Message) { m.To = "pat@[127.0.0.1]" }),
		"long recipient":         set(func(m *connect.Message) { m.To = strings.Repeat("x", 255) + "@example.net" }),
		"id with a bracket":      set(func(m *connect.Message) { m.ID = "eff_1>" }),
		"id with an at":          set(func(m *connect.Message) { m.ID = "eff@1" }),
	} {
		_, err := m.Send(t.Context(), msg)
		if connect.ClassOf(err) != connect.ClassPermanent || err == nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "pat") {
			t.Errorf("%s: the error shows the recipient: %v", name, err)
		}
	}
	if s.Count() != 0 || s.Sessions() != 0 {
		t.Errorf("%d messages over %d connections", s.Count(), s.Sessions())
	}
}

func TestBatchesShareAConnection(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, func(set *smtp.Settings) { set.MaxMessages = 10 })
	for i := range 25 {
		if i == 4 {
			s.Fail(fake.MailFault{Code: 550}, fake.MailFault{Code: 452, AtRecipient: true})
		}
		_, err := m.Send(t.Context(), message(fmt.Sprintf("eff_%d", i)))
		if refused := i == 4 || i == 5; refused != (err != nil) {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if s.Count() != 23 || s.Sessions() != 3 {
		t.Errorf("%d messages over %d connections, want 23 over 3", s.Count(), s.Sessions())
	}
}

// TestAClosedKeptConnection: the server ended an idle connection; the next message goes out over a new one, once.
func TestAClosedKeptConnection(t *testing.T) {
	first := server(t, fake.SMTPOptions{})
	m := mailer(t, first, nil)
	if _, err := m.Send(t.Context(), message("eff_1")); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := server(t, fake.SMTPOptions{Addr: first.Addr()})
	if _, err := m.Send(t.Context(), message("eff_2")); err != nil {
		t.Fatalf("after the server's restart: %v", err)
	}
	if second.Count() != 1 {
		t.Errorf("%d messages", second.Count())
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, func(set *smtp.Settings) { set.IdleTimeout = time.Millisecond })
	for range 2 {
		if _, err := m.Send(t.Context(), message("eff_1")); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitIdle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s.Sessions() != 2 {
		t.Errorf("%d connections, want 2", s.Sessions())
	}
}

func TestClosedMailer(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, nil)
	if _, err := m.Send(t.Context(), message("eff_1")); err != nil {
		t.Fatal(err)
	}
	m.Close()
	if _, err := m.Send(t.Context(), message("eff_2")); err == nil || connect.ClassOf(err) != connect.ClassRetry {
		t.Errorf("after Close: %v", err)
	}
}

func TestReplies(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, nil)
	for _, c := range []struct {
		fault fake.MailFault
		class connect.Class
		says  string
	}{
		{fake.MailFault{Code: 421}, connect.ClassRetry, "421"},
		{fake.MailFault{Code: 450, AtRecipient: true}, connect.ClassRetry, "450"},
		{fake.MailFault{Code: 451}, connect.ClassRetry, "451"},
		{fake.MailFault{Code: 550, AtRecipient: true}, connect.ClassPermanent, "<…> is refused"},
		{fake.MailFault{Code: 552}, connect.ClassPermanent, "552"},
		{fake.MailFault{Code: 554}, connect.ClassPermanent, "554"},
	} {
		s.Fail(c.fault)
		_, err := m.Send(t.Context(), message("eff_1"))
		e, ok := errors.AsType[*connect.Error](err)
		if !ok || e.Class != c.class || e.Code != c.fault.Code || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, "pat@") {
			t.Errorf("%+v: %v", c.fault, err)
		}
	}
	s.Refuse("PAT@example.net", 550)
	if _, err := m.Send(t.Context(), message("eff_2")); connect.ClassOf(err) != connect.ClassPermanent {
		t.Errorf("refused address: %v", err)
	}
	s.Refuse("pat@example.net", 0)
	if _, err := m.Send(t.Context(), message("eff_3")); err != nil {
		t.Error(err)
	}
}

func TestEncryption(t *testing.T) {
	cert, roots := certificate(t)
	conf := &tls.Config{Certificates: []tls.Certificate{cert}}
	clear := server(t, fake.SMTPOptions{})
	start := server(t, fake.SMTPOptions{TLS: conf, User: "shop", Password: "s3cret"})
	implicit := server(t, fake.SMTPOptions{TLS: conf, Implicit: true, User: "shop", Password: "s3cret"})
	as := func(mode string, roots *x509.CertPool, password connect.Secret) func(*smtp.Settings) {
		return func(s *smtp.Settings) {
			s.TLS, s.RootCAs, s.Password = mode, roots, password
			if password != "" {
				s.User = "shop"
			}
		}
	}
	for _, c := range []struct {
		name string
		srv  *fake.SMTP
		edit func(*smtp.Settings)
		says string // "" = it works
	}{
		{"starttls", start, as(smtp.StartTLS, roots, "s3cret"), ""},
		{"tls", implicit, as(smtp.TLS, roots, "s3cret"), ""},
		{"none", clear, as(smtp.None, nil, ""), ""},
		{"starttls not offered", clear, as(smtp.StartTLS, roots, ""), "offers no STARTTLS"},
		{"starttls with a stranger's certificate", start, as(smtp.StartTLS, nil, "s3cret"), "not trusted"},
		{"tls with a stranger's certificate", implicit, as(smtp.TLS, nil, "s3cret"), "not trusted"},
		{"tls against clear text", clear, as(smtp.TLS, roots, ""), "does not speak"},
		{"wrong password", start, as(smtp.StartTLS, roots, "s3cret-wrong"), "refused the user name or password"},
		{"wrong password over tls", implicit, as(smtp.TLS, roots, "s3cret-wrong"), "refused the user name or password"},
		{"no password where one is asked", start, as(smtp.StartTLS, roots, ""), "502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mailer(t, c.srv, c.edit)
			_, err := m.Send(t.Context(), message("eff_1"))
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Check(t.Context()); err != nil {
					t.Errorf("Check: %v", err)
				}
				x, err := m.Certificate(t.Context())
				if err != nil || (x == nil) != (c.name == "none") || x != nil && !x.NotAfter.Equal(cert.Leaf.NotAfter) {
					t.Errorf("Certificate: %+v %v", x, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %q and no password", err, c.says)
			}
		})
	}
	if n := start.Count() + implicit.Count() + clear.Count(); n != 3 {
		t.Errorf("%d messages arrived, want 3", n)
	}
}

func TestDeadServer(t *testing.T) {
	s := server(t, fake.SMTPOptions{})
	m := mailer(t, s, nil)
	s.Close()
	_, err := m.Send(t.Context(), message("eff_1"))
	if err == nil || connect.ClassOf(err) != connect.ClassRetry || !strings.Contains(err.Error(), s.Addr()) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("a dead server: %v", err)
	}
	silent, lerr := net.Listen("tcp", "127.0.0.1:0") // takes the connection and never greets
	if lerr != nil {
		t.Fatal(lerr)
	}
	defer silent.Close()
	m = mailer(t, s, func(set *smtp.Settings) {
		set.Port, set.Timeout = silent.Addr().(*net.TCPAddr).Port, 50*time.Millisecond
	})
	if err := m.Check(t.Context()); err == nil || connect.ClassOf(err) != connect.ClassRetry || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("a silent server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m = mailer(t, s, func(set *smtp.Settings) { set.Port = silent.Addr().(*net.TCPAddr).Port })
	if err := m.Check(ctx); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("cancelled: %v", err)
	}
	m = mailer(t, s, func(set *smtp.Settings) { set.Dial = connect.Guard{}.DialContext })
	if err := m.Check(t.Context()); connect.ClassOf(err) != connect.ClassPermanent || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("guarded: %v", err)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for field, edit := range map[string]func(*smtp.Settings){
		"host":     func(s *smtp.Settings) { s.Host = "smtp://mail.shop.example" },
		"port":     func(s *smtp.Settings) { s.Port = 70000 },
		"tls":      func(s *smtp.Settings) { s.TLS = "ssl" },
		"user":     func(s *smtp.Settings) { s.TLS, s.User, s.Password = smtp.None, "u", "s3cret" },
		"password": func(s *smtp.Settings) { s.User = "u" },
		"from":     func(s *smtp.Settings) { s.From = "orders@shop.example\r\nBcc: x@example.com" },
		"reply_to": func(s *smtp.Settings) { s.ReplyTo = "nobody" },
	} {
		s := smtp.Settings{Host: "mail.shop.example", From: "orders@shop.example"}
		if _, err := smtp.New(s); err != nil {
			t.Fatalf("good settings: %v", err)
		}
		edit(&s)
		_, err := smtp.New(s)
		fe, ok := errors.AsType[*fault.Error](err)
		if !ok || fe.Kind != fault.Invalid || len(fe.Problems) != 1 || fe.Problems[0].Pointer != field {
			t.Errorf("%s: %v", field, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	s := smtp.Settings{Password: "s3cret"}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "s3cret") {
		t.Errorf("printed settings show the password: %s", text)
	}
}

func BenchmarkSend(b *testing.B) {
	s, err := fake.StartSMTP(b.Context(), fake.SMTPOptions{Keep: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	host, port := s.HostPort()
	m, err := smtp.New(smtp.Settings{Host: host, Port: port, TLS: smtp.None, From: "orders@shop.example"})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for i := 0; b.Loop(); i++ {
		if _, err := m.Send(b.Context(), message(fmt.Sprintf("eff_%d", i))); err != nil {
			b.Fatal(err)
		}
	}
}

// certificate makes a certificate for 127.0.0.1 and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}
