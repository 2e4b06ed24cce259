package hook

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/fault"
)

// Tolerance is how far the timestamp of a document may be from our clock, either way.
const Tolerance = 5 * time.Minute

// maxID is the longest webhook-id that is taken: it becomes a key in the database.
const maxID = 256

// maxSignatures is how many signatures of one document are looked at; a rotation needs two.
const maxSignatures = 8

// Why a document was refused; the fault.Error around it has a message for the sender.
var (
	ErrHeader    = errors.New("a header is missing or malformed")
	ErrTimestamp = errors.New("the timestamp is outside the tolerance")
	ErrSignature = errors.New("no signature matches")
)

// Verifier checks incoming documents against one secret, or either of two while
// rotating. It decodes the secrets once, allocates nothing for a genuine
// document, and is safe for concurrent use.
type Verifier struct{ keys []*key }

// NewVerifier returns a verifier for one secret, or two while rotating; empty ones are left out.
func NewVerifier(secrets ...connect.Secret) (*Verifier, error) {
	keys, err := newKeys(secrets)
	if err != nil {
		return nil, err
	}
	return &Verifier{keys}, nil
}

// Verify checks a document that arrived at the time and returns its id, which is
// the same for every attempt to deliver it. The error is a fault of kind Denied
// (Invalid for a malformed header) that wraps ErrHeader, ErrTimestamp or
// ErrSignature and is safe to send back: it shows no secret and not what a good
// signature would be.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) (id string, err error) {
	id, err = one(h, "Webhook-Id", HeaderID)
	if err != nil {
		return "", err
	}
	// The three parts are joined by full stops: with one in the id, the same
	// signature would fit another split of the same bytes.
	if len(id) > maxID || !printable(id) || strings.IndexByte(id, '.') >= 0 {
		return "", refuse(fault.Invalid, ErrHeader, "the header %s must be 1 to %d printable ASCII characters without a full stop", HeaderID, maxID)
	}
	timestamp, err := one(h, "Webhook-Timestamp", HeaderTimestamp)
	if err != nil {
		return "", err
	}
	sec, ok := seconds(timestamp)
	if !ok {
		return "", refuse(fault.Invalid, ErrHeader, "the header %s must be the seconds since 1970 in digits", HeaderTimestamp)
	}
	signatures, err := one(h, "Webhook-Signature", HeaderSignature)
	if err != nil {
		return "", err
	}
	switch age := now.Sub(time.Unix(sec, 0)); {
	case age > Tolerance:
		return "", refuse(fault.Denied, ErrTimestamp, "the header %s is %s old; at most %s is taken (is it the sending time, and are the clocks right?)", HeaderTimestamp, brief(age), brief(Tolerance))
	case age < -Tolerance:
		return "", refuse(fault.Denied, ErrTimestamp, "the header %s is %s in the future; at most %s is taken (are the clocks right?)", HeaderTimestamp, brief(-age), brief(Tolerance))
	}
	var want [2][sigLen]byte
	for i, k := range v.keys {
		k.sign(&want[i], id, timestamp, body)
	}
	// Every candidate is compared with every key to the end: the time tells nothing.
	match, known := 0, false
	rest, more := signatures, true
	for n := 0; more && n < maxSignatures; n++ {
		var versioned string
		versioned, rest, more = strings.Cut(rest, " ")
		sig, ok := strings.CutPrefix(versioned, "v1,")
		if !ok {
			continue // another version, e.g. v1a: an asymmetric signature beside ours
		}
		known = true
		if len(sig) != sigLen {
			continue
		}
		var got [sigLen]byte
		copy(got[:], sig)
		for i := range v.keys {
			match |= subtle.ConstantTimeCompare(got[:], want[i][:])
		}
	}
	switch {
	case match == 1:
		return id, nil
	case !known:
		return "", refuse(fault.Denied, ErrSignature, "the header %s has no signature of version v1", HeaderSignature)
	}
	return "", refuse(fault.Denied, ErrSignature, "the signature does not match: another secret, or the body was changed on its way")
}

// one returns the only value of a header; canonical is its key in the map.
func one(h http.Header, canonical, name string) (string, error) {
	switch v := h[canonical]; {
	case len(v) == 0 || v[0] == "":
		return "", refuse(fault.Denied, ErrHeader, "the header %s is missing", name)
	case len(v) > 1:
		return "", refuse(fault.Invalid, ErrHeader, "the header %s is there %d times", name, len(v))
	default:
		return v[0], nil
	}
}

func refuse(kind fault.Kind, cause error, format string, args ...any) error {
	return fault.Wrap(cause, kind, "hook.Verify", format, args...)
}

// seconds reads 1 to 12 digits and nothing else: no sign, no space, so that one time has one text.
func seconds(s string) (int64, bool) {
	if s == "" || len(s) > 12 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// brief is a duration for people: the two largest units.
func brief(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " days"
	case d >= 2*time.Hour:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " hours"
	case d >= 2*time.Minute:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " minutes"
	}
	return strconv.FormatInt(int64(d/time.Second), 10) + " seconds"
}
