package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/hook"
	"orderly.example/orderly/internal/fault"
)

// Document is one genuine delivery that the receiver acted on.
type Document struct {
	ID       string // webhook-id
	Body     []byte
	At       time.Time
	Attempts int // how often it arrived, this one included
}

// HookFault is how the receiver fails one request.
type HookFault struct {
	// Status is the answer, e.g. 500 or 429.
	Status int
	// RetryAfter is sent with it when it is not "": seconds or a date.
	RetryAfter string
	// Hang gives no answer until the client leaves or the receiver closes.
	Hang bool
	// Drop closes the connection without an answer.
	Drop bool
	// Take acts on the document before failing: the outcome the sender cannot know.
	Take bool
}

// ReceiverOptions of a webhook receiver.
type ReceiverOptions struct {
	Addr    string           // host:port; "" = a free port of 127.0.0.1
	Secrets []connect.Secret // one or two; none = a fresh one, see Secret
	Keep    int              // documents and arrivals kept; the oldest go first; 0 = all
	// Now replaces the clock that timestamps are held against; nil = time.Now.
	Now func() time.Time
	// Take, when set, is called for each document the first time it arrives; the sample warehouse ships from here.
	Take func(Document)
	// Answer, when set, says what a document is answered with; nil = 204 and nothing.
	Answer func(Document) (status int, body []byte)
}

// Receiver is another system's webhook door: it verifies, acts once per webhook-id
// and answers 204.
type Receiver struct {
	opts     ReceiverOptions
	verifier *hook.Verifier
	ln       net.Listener
	srv      *http.Server
	done     chan struct{}
	served   chan struct{}
	stop     func() bool
	once     sync.Once

	mu       sync.Mutex
	docs     []Document
	arrived  []Document
	seen     map[string]int
	requests int
	refused  int
	faults   []HookFault
	changed  chan struct{}
}

// StartReceiver starts a receiver that runs until Close or the end of ctx.
func StartReceiver(ctx context.Context, o ReceiverOptions) (*Receiver, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if len(o.Secrets) == 0 {
		o.Secrets = []connect.Secret{hook.NewSecret()}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	v, err := hook.NewVerifier(o.Secrets...)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("fake receiver: %w", err)
	}
	r := &Receiver{
		opts: o, verifier: v, ln: ln, done: make(chan struct{}), served: make(chan struct{}),
		seen: map[string]int{}, changed: make(chan struct{}),
	}
	r.srv = &http.Server{Handler: http.HandlerFunc(r.serve), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	go func() {
		defer close(r.served)
		_ = r.srv.Serve(ln) // ends with Close
	}()
	r.stop = context.AfterFunc(ctx, r.close)
	return r, nil
}

// Addr is host:port of the receiver.
func (r *Receiver) Addr() string { return r.ln.Addr().String() }

// URL is the address documents are posted to.
func (r *Receiver) URL() string { return "http://" + r.Addr() + "/hook" }

// Secret is the first signing secret.
func (r *Receiver) Secret() connect.Secret { return r.opts.Secrets[0] }

// Fail makes the next genuine requests fail, one fault each, in order.
func (r *Receiver) Fail(faults ...HookFault) {
	r.mu.Lock()
	r.faults = append(r.faults, faults...)
	r.mu.Unlock()
}

// Documents are the documents acted on and still kept, in the order they first arrived.
func (r *Receiver) Documents() []Document {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.docs)
	for i := range out {
		out[i].Attempts = r.seen[out[i].ID]
	}
	return out
}

// Arrivals are all genuine deliveries that are still kept, as they came: also those that came before, and those that
// were answered with a failure.
func (r *Receiver) Arrivals() []Document {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.arrived)
}

// Count is the number of documents acted on since the start.
func (r *Receiver) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// Requests counts every request, and those refused because they were not genuine.
func (r *Receiver) Requests() (all, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests, r.refused
}

// Wait returns when n documents have been acted on, or with ctx's error.
func (r *Receiver) Wait(ctx context.Context, n int) error {
	for {
		r.mu.Lock()
		have, changed := len(r.seen), r.changed
		r.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-r.done:
			return fmt.Errorf("the receiver closed with %d of %d documents", have, n)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d documents: %w", have, n, ctx.Err())
		}
	}
}

// Close ends the receiver and every connection, and waits for the listener.
func (r *Receiver) Close() error {
	r.stop()
	r.close()
	return nil
}

func (r *Receiver) close() {
	r.once.Do(func() {
		close(r.done)
		_ = r.srv.Close()
		_ = r.ln.Close() // the library does not know it yet when Close comes right after the start
	})
	<-r.served
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests++
	r.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 4<<20))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			http.Error(w, "the document is larger than 4 MiB", http.StatusRequestEntityTooLarge)
		}
		return
	}
	id, err := r.verifier.Verify(req.Header, body, r.opts.Now())
	if err != nil {
		r.mu.Lock()
		r.refused++
		r.mu.Unlock()
		http.Error(w, fault.Message(err), http.StatusUnauthorized)
		return
	}
	d := Document{ID: id, Body: body, At: r.opts.Now(), Attempts: 1}
	f, fails := r.next(d)
	if !fails || f.Take {
		r.take(d)
	}
	switch {
	case !fails && r.opts.Answer != nil:
		status, answer := r.opts.Answer(Document{ID: id, Body: body, At: r.opts.Now()})
		w.WriteHeader(status)
		_, _ = w.Write(answer)
	case !fails:
		w.WriteHeader(http.StatusNoContent)
	case f.Hang:
		select {
		case <-req.Context().Done():
		case <-r.done:
		}
	case f.Drop:
		panic(http.ErrAbortHandler)
	default:
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		http.Error(w, "failing as told with "+strconv.Itoa(f.Status), f.Status)
	}
}

// next notes that a delivery arrived and says how it is to fail.
func (r *Receiver) next(d Document) (HookFault, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrived = keep(append(r.arrived, d), r.opts.Keep)
	if len(r.faults) == 0 {
		return HookFault{}, false
	}
	f := r.faults[0]
	r.faults = r.faults[1:]
	return f, true
}

// take acts on a document the first time, and counts it every time.
func (r *Receiver) take(d Document) {
	r.mu.Lock()
	r.seen[d.ID]++
	first := r.seen[d.ID] == 1
	if first {
		r.docs = keep(append(r.docs, d), r.opts.Keep)
		close(r.changed)
		r.changed = make(chan struct{})
	}
	r.mu.Unlock()
	if first && r.opts.Take != nil {
		r.opts.Take(d)
	}
}

// keep are the newest n; 0 = all.
func keep(docs []Document, n int) []Document {
	if n > 0 && len(docs) > n {
		return append([]Document(nil), docs[len(docs)-n:]...)
	}
	return docs
}
