package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"orderly.example/orderly/internal/fault"
)

// The argon2id parameters: the second choice of the OWASP password storage
// guide, which needs 19 MiB for each verification. argonParallel verifications
// run at once; the others wait, so that a burst of sign-ins cannot take the
// memory of the program away.
const (
	argonMemoryKiB = 19 * 1024
	argonTime      = 2
	argonThreads   = 1
	argonSalt      = 16
	argonKey       = 32
	argonParallel  = 2
)

// MinPassword is the least number of characters of a password.
const MinPassword = 12

// maxPassword bounds the work that one sign-in can cause, in bytes.
const maxPassword = 1024

// hasher hashes and verifies passwords, a few at a time.
type hasher struct{ slots chan struct{} }

func newHasher() *hasher { return &hasher{slots: make(chan struct{}, argonParallel)} }

func (h *hasher) acquire(ctx context.Context) (release func(), err error) {
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Unavailable, "access.hasher", "too many sign-ins at once; try again in a moment")
	}
}

// hash returns the PHC string of a password under a fresh salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemoryKiB, argonThreads, argonKey)
	return encodePHC(salt, key), nil
}

func encodePHC(salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, argonMemoryKiB, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// verify compares a password with a PHC string in constant time. An empty phc
// stands for an account that does not exist: the same work is done, and the
// answer is no.
func (h *hasher) verify(ctx context.Context, phc, password string) (bool, error) {
	p, ok := parsePHC(phc)
	if !ok {
		// Any salt will do; what counts is that the time taken tells nothing.
		p = phcParams{memory: argonMemoryKiB, time: argonTime, threads: argonThreads, salt: make([]byte, argonSalt), key: make([]byte, argonKey)}
	}
	if len(password) > maxPassword {
		password = password[:maxPassword]
		ok = false
	}
	release, err := h.acquire(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(key, p.key) == 1 && ok, nil
}

type phcParams struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// parsePHC reads the string that encodePHC writes, with any parameters in
// bounds: an older or newer release may have chosen others.
func parsePHC(s string) (phcParams, bool) {
	var p phcParams
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, false
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return p, false
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, false
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return p, false
	}
	ok := p.memory >= 8 && p.memory <= 256*1024 && p.time >= 1 && p.time <= 16 && p.threads >= 1 && p.threads <= 8 &&
		len(p.salt) >= 8 && len(p.key) >= 16 && len(p.key) <= 64
	return p, ok
}

// trivial are passwords that are long enough and yet the first to be tried,
// and the stems that make longer ones when repeated or counted up.
var trivial = []string{
	"password", "passwort", "motdepasse", "contraseña", "123456789", "987654321", "qwertyuiop", "qwertzuiop", "azertyuiop",
	"administrator", "letmein", "welcome", "changeme", "iloveyou", "abcdefghij", "orderly",
}

// CheckPassword says what is wrong with a new password for the account, or nil.
func CheckPassword(password, email, name string) error {
	const op = "access.CheckPassword"
	if !utf8.ValidString(password) || len(password) > maxPassword {
		return fault.New(fault.Invalid, op, "the password is longer than %d bytes or not text", maxPassword)
	}
	if utf8.RuneCountInString(password) < MinPassword {
		return fault.New(fault.Invalid, op, "the password needs at least %d characters; three or four unrelated words do well", MinPassword)
	}
	low := strings.ToLower(password)
	seen := map[rune]bool{}
	for _, r := range low {
		seen[r] = true
	}
	if len(seen) < 5 {
		return fault.New(fault.Invalid, op, "the password repeats too few characters; three or four unrelated words do well")
	}
	// What is left when the guessable parts are taken out must still be worth something.
	rest := low
	local, _, _ := strings.Cut(strings.ToLower(email), "@")
	for _, g := range append([]string{strings.ToLower(email), local, strings.ToLower(name)}, trivial...) {
		if len(g) >= 4 {
			rest = strings.ReplaceAll(rest, g, "")
		}
	}
	if utf8.RuneCountInString(rest) < 5 {
		return fault.New(fault.Invalid, op, "the password is easy to guess: it is a well-known one, or your own name; three or four unrelated words do well")
	}
	return nil
}
