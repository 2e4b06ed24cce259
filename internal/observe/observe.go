// Package observe sets up what the program says about itself: a log that never
// prints a secret, and a registry of metrics.
package observe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Redacted stands in the log where a secret was.
const Redacted = "[redacted]"

// secretWords make a key secret when they are one of its words: "api_token",
// "X-Auth-Token", "smtp.password", "setCookie".
var secretWords = []string{
	"authorization", "password", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "cookie", "cookies",
	"apikey", "credential", "credentials", "signature", "otp", "dsn",
}

// secretPairs are secret when two words follow one another.
var secretPairs = [][2]string{{"api", "key"}, {"private", "key"}, {"data", "key"}, {"master", "key"}, {"set", "cookie"}}

// tellable are keys with a secret word that are not secrets themselves.
var tellable = []string{"token_name", "token_id", "secret_count"}

// secretText finds secrets inside texts: our own tokens, Standard Webhooks
// secrets, bearer headers and passwords in addresses.
var secretText = regexp.MustCompile(`ord_[0-9a-hjkmnp-tv-z]{40}|whsec_[A-Za-z0-9+/=_-]{8,}|(?i:bearer|basic) [A-Za-z0-9._~+/=-]{8,}|\$argon2id\$[^\s"]+`)

var passwordInURL = regexp.MustCompile(`\b([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@"]*):([^\s@/"]+)@`)

// SecretKey reports whether the value under a key must never be printed.
func SecretKey(key string) bool {
	if slices.Contains(tellable, key) {
		return false
	}
	words := splitWords(key)
	for i, w := range words {
		if slices.Contains(secretWords, w) {
			return true
		}
		if i > 0 && slices.Contains(secretPairs, [2]string{words[i-1], w}) {
			return true
		}
	}
	return false
}

// splitWords cuts "setCookie", "X-Auth-Token" and "smtp.password" into lower-case words.
func splitWords(key string) []string {
	var words []string
	var w strings.Builder
	flush := func() {
		if w.Len() > 0 {
			words = append(words, strings.ToLower(w.String()))
			w.Reset()
		}
	}
	lowerBefore := false
	for _, r := range key {
		upper := r >= 'A' && r <= 'Z'
		switch {
		case !(upper || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 0x80):
			flush()
		case upper && lowerBefore:
			flush()
			w.WriteRune(r)
		default:
			w.WriteRune(r)
		}
		lowerBefore = !upper && w.Len() > 0
	}
	flush()
	return words
}

// Clean takes every known form of secret out of a text, and the characters that turn the
// direction of writing, with which a line can be made to look like another one.
func Clean(s string) string {
	if strings.ContainsFunc(s, turns) {
		s = strings.Map(func(r rune) rune {
			if turns(r) {
				return -1
			}
			return r
		}, s)
	}
	if !strings.ContainsAny(s, "_:@$ ") { // every pattern needs one of these
		return s
	}
	s = secretText.ReplaceAllString(s, Redacted)
	if strings.Contains(s, "@") {
		s = passwordInURL.ReplaceAllString(s, "$1:"+Redacted+"@")
	}
	return s
}

func turns(r rune) bool { return r > 0x7f && unicode.Is(unicode.Bidi_Control, r) }

// Options says how to log.
type Options struct {
	Level  string // debug, info, warn, error
	Format string // text or json
}

// NewLogger returns a logger to w that redacts, or an error that names the bad option.
func NewLogger(w io.Writer, o Options) (*slog.Logger, error) {
	var level slog.Level
	if o.Level != "" {
		if err := level.UnmarshalText([]byte(o.Level)); err != nil {
			return nil, fmt.Errorf("unknown log level %q; the levels are debug, info, warn and error", o.Level)
		}
	}
	ho := &slog.HandlerOptions{Level: level}
	var h slog.Handler
	switch o.Format {
	case "", "text":
		h = slog.NewTextHandler(w, ho)
	case "json":
		h = slog.NewJSONHandler(w, ho)
	default:
		return nil, fmt.Errorf("unknown log format %q; the formats are text and json", o.Format)
	}
	return slog.New(Redact(h)), nil
}

// Redact wraps a handler so that no secret reaches it: values under secret keys,
// at any depth, are replaced, and texts are cleaned of known forms of secrets.
func Redact(h slog.Handler) slog.Handler { return redactor{h} }

type redactor struct{ next slog.Handler }

func (r redactor) Enabled(ctx context.Context, l slog.Level) bool { return r.next.Enabled(ctx, l) }

func (r redactor) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, Clean(rec.Message), rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(redactAttr(a))
		return true
	})
	if id := requestID(ctx); id != "" {
		out.AddAttrs(slog.String("request", id))
	}
	return r.next.Handle(ctx, out)
}

func (r redactor) WithAttrs(as []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(as))
	for i, a := range as {
		clean[i] = redactAttr(a)
	}
	return redactor{r.next.WithAttrs(clean)}
}

func (r redactor) WithGroup(name string) slog.Handler {
	if SecretKey(name) { // everything below it is secret; the group's name alone cannot tell the attrs
		return redactor{blackHole{r.next.WithGroup(name)}}
	}
	return redactor{r.next.WithGroup(name)}
}

// blackHole prints messages without any attribute.
type blackHole struct{ slog.Handler }

func (b blackHole) Handle(ctx context.Context, rec slog.Record) error {
	return b.Handler.Handle(ctx, slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC))
}

func (b blackHole) WithAttrs([]slog.Attr) slog.Handler { return b }

func redactAttr(a slog.Attr) slog.Attr {
	if SecretKey(a.Key) {
		return slog.String(a.Key, Redacted)
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, Clean(v.String()))
	case slog.KindGroup:
		in := v.Group()
		out := make([]slog.Attr, len(in))
		for i, g := range in {
			out[i] = redactAttr(g)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(out...)}
	case slog.KindAny:
		switch x := v.Any().(type) {
		case error:
			return slog.String(a.Key, Clean(x.Error()))
		case url.URL:
			return slog.String(a.Key, Clean(x.Redacted()))
		case *url.URL:
			if x != nil {
				return slog.String(a.Key, Clean(x.Redacted()))
			}
		case []byte:
			return slog.String(a.Key, Clean(string(x)))
		case nil:
			return a
		default:
			// A struct or a map may hold a secret anywhere, so only its cleaned text is
			// printed when its type says how; otherwise its type alone.
			if s, ok := x.(fmt.Stringer); ok {
				return slog.String(a.Key, Clean(s.String()))
			}
			if isPlain(x) {
				return slog.String(a.Key, Clean(fmt.Sprint(x)))
			}
			return slog.String(a.Key, fmt.Sprintf("%T", x))
		}
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// isPlain reports whether a value is a list of simple things, safe to print.
func isPlain(x any) bool {
	switch x.(type) {
	case []string, []int, []int64, bool, int, uint8:
		return true
	}
	return false
}

type requestKey struct{}

// WithRequest returns a context whose log records carry a request id.
func WithRequest(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// RequestID returns the request id of a context, or "".
func RequestID(ctx context.Context) string { return requestID(ctx) }
