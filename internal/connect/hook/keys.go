// Package hook signs what leaves and verifies what arrives by webhook, both after
// the Standard Webhooks specification (https://www.standardwebhooks.com): an
// HMAC-SHA-256 over "id.timestamp.body" in three headers.
//
// The specification's own library is used in the tests as the other side. It is not
// used here: it reads the clock itself, knows one secret, and copies the body to sign it.
package hook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/fault"
)

// The headers of the specification.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// secretPrefix marks a symmetric secret; the key is base64 behind it.
const secretPrefix = "whsec_"

// Lengths of a key in bytes: the specification's range.
const (
	minKey = 24
	maxKey = 64
)

// sizes of a signature, raw and in base64.
const (
	sumLen = sha256.Size
	sigLen = (sumLen + 2) / 3 * 4
)

// NewSecret returns a fresh random secret of 32 bytes in the specification's form.
func NewSecret() connect.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the program instead
	return connect.Secret(secretPrefix + base64.StdEncoding.EncodeToString(b[:]))
}

// ParseSecret checks that a secret has the specification's form: "whsec_" and the base64
// of 24 to 64 bytes (the prefix may be missing). The error never shows the secret.
func ParseSecret(s connect.Secret) error {
	_, err := decode(s)
	return err
}

func decode(s connect.Secret) ([]byte, error) {
	text := strings.TrimPrefix(strings.TrimSpace(s.Reveal()), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		// Senders differ about padding; the key is the same.
		key, err = base64.RawStdEncoding.DecodeString(text)
	}
	switch {
	case err != nil:
		return nil, fault.New(fault.Invalid, "hook.secret", "a webhook secret is \"whsec_\" followed by base64; this one is not")
	case len(key) < minKey || len(key) > maxKey:
		return nil, fault.New(fault.Invalid, "hook.secret", "a webhook secret holds %d to %d bytes; this one holds %d", minKey, maxKey, len(key))
	}
	return key, nil
}

// key is one decoded secret with HMACs ready for it: after its first use an HMAC
// keeps its inner and outer state, so the next one costs the body alone.
type key struct{ pool sync.Pool }

// mac is an HMAC with room for what it reads and writes, so that a signature costs no allocation.
type mac struct {
	hash.Hash
	head [maxID + 24]byte
	sum  [sumLen]byte
}

func newKey(s connect.Secret) (*key, error) {
	raw, err := decode(s)
	if err != nil {
		return nil, err
	}
	k := &key{}
	k.pool.New = func() any { return &mac{Hash: hmac.New(sha256.New, raw)} }
	return k, nil
}

// sign writes the base64 of the signature of id.timestamp.body to out.
func (k *key) sign(out *[sigLen]byte, id, timestamp string, body []byte) {
	m := k.pool.Get().(*mac)
	m.Reset()
	head := append(m.head[:0], id...)
	head = append(head, '.')
	head = append(head, timestamp...)
	head = append(head, '.')
	_, _ = m.Write(head) // a hash never fails
	_, _ = m.Write(body)
	base64.StdEncoding.Encode(out[:], m.Sum(m.sum[:0]))
	k.pool.Put(m)
}

// Signer signs outgoing documents. While a secret is being rotated it signs with
// both, so that a receiver that knows either one verifies. It is safe for concurrent use.
type Signer struct{ keys []*key }

// NewSigner returns a signer for one secret, or two while rotating (the newer first).
func NewSigner(secrets ...connect.Secret) (*Signer, error) {
	keys, err := newKeys(secrets)
	if err != nil {
		return nil, err
	}
	return &Signer{keys}, nil
}

func newKeys(secrets []connect.Secret) ([]*key, error) {
	var keys []*key
	for _, s := range secrets {
		if s == "" {
			continue // the second place of a setting that is not rotating
		}
		k, err := newKey(s)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 || len(keys) > 2 {
		return nil, fault.New(fault.Invalid, "hook.secret", "a webhook connection needs one secret, or two while rotating; it has %d", len(keys))
	}
	return keys, nil
}

// Sign returns the values of the timestamp and signature headers for a document sent at the time.
func (s *Signer) Sign(id string, at time.Time, body []byte) (timestamp, signature string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	var sig [sigLen]byte
	b := make([]byte, 0, (sigLen+4)*len(s.keys))
	for i, k := range s.keys {
		if i > 0 {
			b = append(b, ' ')
		}
		k.sign(&sig, id, timestamp, body)
		b = append(b, "v1,"...)
		b = append(b, sig[:]...)
	}
	return timestamp, string(b)
}
