// Package connecttest is the contract of the ports in connect as tests: every
// adapter runs them against a fake or a recorded other side.
package connecttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect"
)

// Fault is how the other side fails the next attempt.
type Fault uint8

// The faults. The other side has not acted, except for Silent.
const (
	Busy    Fault = iota // "not now": 4xx of SMTP, 503 of HTTP
	Refused              // "never": 5xx of SMTP, 400 of HTTP
	Silent               // takes it and never answers
	Broken               // takes it and closes the connection without an answer
)

// Taken is what the other side acted on.
type Taken struct {
	Key  string // the idempotency key as it arrived
	To   string // mail only
	Body string // the text of a mail, the body of a document
}

// World is an adapter with its other side.
type World struct {
	Mailer connect.Mailer // one of the two is set
	Hook   connect.Hook
	Key    func(id string) string // the key on the wire for an effect's id
	Fail   func(Fault)
	Taken  func() []Taken
	Wait   func(ctx context.Context, n int) error // returns when the other side has taken n
	Stop   func()                                 // takes the other side down
	// Secrets are texts that must stand in no error: passwords, keys, paths of addresses.
	Secrets []string
	// Patience is a little more than the adapter's own time-out, which the world sets short.
	Patience time.Duration
}

// Recipient is who the mails of the contract go to. Being personal data, it must
// stand in no error either.
const Recipient = "pat.sample@example.net"

const body = `{"text":"a quite particular body"}`

// deliver sends or posts one thing.
func (w *World) deliver(ctx context.Context, id string) (connect.Receipt, error) {
	if w.Mailer != nil {
		return w.Mailer.Send(ctx, connect.Message{ID: id, To: Recipient, Subject: "Order 1001", Text: body, HTML: "<p>" + body + "</p>"})
	}
	return w.Hook.Post(ctx, connect.Delivery{ID: id, Body: []byte(body)})
}

// Run holds an adapter to the contract. Build makes a fresh world for each test.
func Run(t *testing.T, build func(t *testing.T) *World) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, w *World)
	}{
		{"delivers once with its key", delivers},
		{"the key is the same on every attempt", sameKey},
		{"busy may be retried", busy},
		{"refused is permanent", refused},
		{"silence is unknown", silent},
		{"a broken connection after the hand-over is unknown", broken},
		{"a side that is down may be retried", down},
		{"a cancelled context ends the wait", cancelled},
		{"a context that is over delivers nothing", over},
		{"works from many goroutines", concurrent},
		{"a key that could write a header is refused", hostileKey},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, build(t)) })
	}
}

// fails checks an error: its class, that it says something, and nothing it must not.
func (w *World) fails(t *testing.T, err error, want connect.Class) {
	t.Helper()
	if err == nil {
		t.Fatal("it succeeded")
	}
	if got := connect.ClassOf(err); got != want {
		t.Errorf("class %v, want %v: %v", got, want, err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, ours := e.(*connect.Error); !ours {
			break // causes are for errors.Is; they are not stored or shown
		}
		if len(e.Error()) < 10 {
			t.Errorf("the error says too little: %q", e)
		}
		for _, s := range append([]string{Recipient, "pat.sample", "a quite particular body"}, w.Secrets...) {
			if strings.Contains(e.Error(), s) {
				t.Errorf("the error shows %q: %v", s, e)
			}
		}
	}
	if _, ours := errors.AsType[*connect.Error](err); !ours {
		t.Errorf("%T is no *connect.Error: its text may hold anything", err)
	}
}

func (w *World) took(t *testing.T, ids ...string) {
	t.Helper()
	var got []string
	for _, x := range w.Taken() {
		got = append(got, x.Key)
	}
	var want []string
	for _, id := range ids {
		want = append(want, w.Key(id))
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the other side acted on %q, want %q", got, want)
	}
}

func delivers(t *testing.T, w *World) {
	r, err := w.deliver(t.Context(), "eff_1")
	if err != nil {
		t.Fatal(err)
	}
	if r.Text == "" || r.Reference == "" {
		t.Errorf("the receipt says nothing: %+v", r)
	}
	w.took(t, "eff_1")
	taken := w.Taken()[0]
	if strings.TrimSpace(taken.Body) != body {
		t.Errorf("the body arrived as %q", taken.Body)
	}
	if w.Mailer != nil && taken.To != Recipient {
		t.Errorf("the recipient arrived as %q", taken.To)
	}
}

func sameKey(t *testing.T, w *World) {
	w.Fail(Busy)
	if _, err := w.deliver(t.Context(), "eff_1"); err == nil {
		t.Fatal("the fault did not work")
	}
	for range 2 {
		if _, err := w.deliver(t.Context(), "eff_1"); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range w.Taken() {
		if x.Key != w.Key("eff_1") {
			t.Errorf("an attempt came with the key %q", x.Key)
		}
	}
	if w.Key("eff_1") == w.Key("eff_2") {
		t.Error("two effects have one key")
	}
}

func busy(t *testing.T, w *World) {
	w.Fail(Busy)
	_, err := w.deliver(t.Context(), "eff_1")
	w.fails(t, err, connect.ClassRetry)
	w.took(t)
	if _, err = w.deliver(t.Context(), "eff_1"); err != nil {
		t.Fatalf("the retry failed: %v", err)
	}
	w.took(t, "eff_1")
}

func refused(t *testing.T, w *World) {
	w.Fail(Refused)
	_, err := w.deliver(t.Context(), "eff_1")
	w.fails(t, err, connect.ClassPermanent)
	w.took(t)
	// One refused thing does not stop the next.
	if _, err = w.deliver(t.Context(), "eff_2"); err != nil {
		t.Fatalf("the next one failed: %v", err)
	}
	w.took(t, "eff_2")
}

func silent(t *testing.T, w *World) {
	w.Fail(Silent)
	start := time.Now()
	_, err := w.deliver(t.Context(), "eff_1")
	w.fails(t, err, connect.ClassUnknown)
	if waited := time.Since(start); waited > w.Patience {
		t.Errorf("it waited %v", waited)
	}
	w.took(t, "eff_1")
	if _, err = w.deliver(t.Context(), "eff_2"); err != nil {
		t.Fatalf("the next one failed: %v", err)
	}
}

func broken(t *testing.T, w *World) {
	w.Fail(Broken)
	_, err := w.deliver(t.Context(), "eff_1")
	w.fails(t, err, connect.ClassUnknown)
	w.took(t, "eff_1")
}

func down(t *testing.T, w *World) {
	w.Stop()
	_, err := w.deliver(t.Context(), "eff_1")
	w.fails(t, err, connect.ClassRetry)
}

func cancelled(t *testing.T, w *World) {
	w.Fail(Silent)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := w.deliver(ctx, "eff_1")
		result <- err
	}()
	// Once the other side has it, nobody is left to answer but the context.
	if err := w.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	w.fails(t, <-result, connect.ClassUnknown)
}

func over(t *testing.T, w *World) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.deliver(ctx, "eff_1")
	w.fails(t, err, connect.ClassRetry)
	w.took(t)
}

func concurrent(t *testing.T, w *World) {
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := w.deliver(t.Context(), "eff_"+string(rune('a'+i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(w.Taken()); got != n {
		t.Errorf("the other side acted on %d of %d", got, n)
	}
}

func hostileKey(t *testing.T, w *World) {
	for _, id := range []string{"", "eff_1\r\nBcc: all@example.com", "eff 1", "eff_1\x00", "é", strings.Repeat("x", 1000)} {
		_, err := w.deliver(t.Context(), id)
		w.fails(t, err, connect.ClassPermanent)
	}
	w.took(t)
}
