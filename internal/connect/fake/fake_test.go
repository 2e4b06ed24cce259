package fake_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/connect/hook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send is a mail by the standard library, so that the server is not only held to our own client.
func send(addr, id, body string) error {
	return smtp.SendMail(addr, nil, "shop@shop.example", []string{"pat@example.net"}, []byte("Message-ID: <"+id+">\r\nSubject: =?utf-8?q?Sch=C3=B6n?=\r\n\r\n"+body))
}

func TestSMTP(t *testing.T) {
	s, err := fake.StartSMTP(t.Context(), fake.SMTPOptions{Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 3 {
		if err := send(s.Addr(), fmt.Sprintf("eff_%d@shop.example", i), "Hello\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Wait(t.Context(), 3); err != nil {
		t.Error(err)
	}
	got := s.Messages()
	if s.Count() != 3 || s.Sessions() != 3 || len(got) != 2 || len(s.IDs()) != 3 {
		t.Fatalf("count %d, sessions %d, kept %d, ids %v", s.Count(), s.Sessions(), len(got), s.IDs())
	}
	if m := got[1]; m.ID != "eff_2@shop.example" || m.Subject != "Schön" || m.Text != "Hello\n" || m.To[0] != "pat@example.net" || !m.Answered {
		t.Errorf("%+v", m)
	}
	s.Fail(fake.MailFault{Code: 451}, fake.MailFault{Drop: true, Take: true})
	if err := send(s.Addr(), "x@shop.example", "x"); err == nil || !strings.Contains(err.Error(), "451") {
		t.Errorf("451: %v", err)
	}
	if err := send(s.Addr(), "x@shop.example", "x"); err == nil {
		t.Error("a dropped connection looks like success")
	}
	if err := send(s.Addr(), "x@shop.example", "x"); err != nil || s.IDs()["x@shop.example"] != 2 {
		t.Errorf("%v, %v", err, s.IDs())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx, 100); err == nil {
		t.Error("Wait returned early")
	}
}

func TestTheEndOfTheContextCloses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := fake.StartSMTP(ctx, fake.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := fake.StartReceiver(ctx, fake.ReceiverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	// Wait ends with the servers, not with a time-out.
	if err := s.Wait(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
	if err := r.Wait(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
	s.Close()
	r.Close()
	for _, addr := range []string{s.Addr(), r.Addr()} {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			c.Close()
			t.Errorf("%s still listens", addr)
		}
	}
}

func TestReceiverKeepsToItsClock(t *testing.T) {
	at := time.Unix(1_790_000_000, 0)
	r, err := fake.StartReceiver(t.Context(), fake.ReceiverOptions{Keep: 1, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	signer, err := hook.NewSigner(r.Secret())
	if err != nil {
		t.Fatal(err)
	}
	client := connect.NewClient(connect.Guard{AllowPrivate: true})
	defer client.CloseIdleConnections()
	post := func(id string, sent time.Time) int {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL(), bytes.NewReader([]byte("{}")))
		ts, sig := signer.Sign(id, sent, []byte("{}"))
		req.Header.Set(hook.HeaderID, id)
		req.Header.Set(hook.HeaderTimestamp, ts)
		req.Header.Set(hook.HeaderSignature, sig)
		resp, err := connect.Do(client, req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for i, want := range []int{204, 204, 204} {
		if got := post(fmt.Sprintf("eff_%d", i%2), at); got != want {
			t.Errorf("post %d: %d", i, got)
		}
	}
	if got := post("eff_9", at.Add(-time.Hour)); got != 401 {
		t.Errorf("an old document: %d", got)
	}
	if docs := r.Documents(); r.Count() != 2 || len(docs) != 1 || docs[0].ID != "eff_1" {
		t.Errorf("%d acted on, kept %+v", r.Count(), docs)
	}
}
