package smtp

import (
	"strings"
	"testing"
)

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"pat@example.net", "a.b+c@exämple.net", "x@y", "<x@y>", "x@y\r\nBcc: z", `"a b"@c`, "x@y,z@w", "@", "x@[1.2.3.4]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseAddress(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(got, " \t\r\n\x00<>,;:\"()[]\\") || strings.Count(got, "@") != 1 {
			t.Fatalf("%q became %q", s, got)
		}
		again, err := parseAddress(got)
		if err != nil || again != got {
			t.Fatalf("%q became %q, which becomes %q, %v", s, got, again, err)
		}
	})
}

func TestClean(t *testing.T) {
	m := &Mailer{set: Settings{Password: "hunter2"}}
	for in, want := range map[string]string{
		"550 <Pat@Example.NET> unknown":         "550 <…> unknown",
		"535 HUNTER2 is wrong\r\n second":       "535 … is wrong second",
		"İ pat@example.net":                     "…",
		strings.Repeat("long ", 100):            strings.Repeat("long ", 39) + "long" + "…",
		"\x00\x01bad \xff bytes":                "bad ? bytes",
		"nothing to hide, pat at example":       "nothing to hide, pat at example",
		"twice pat@example.net pat@example.net": "twice … …",
	} {
		if got := m.clean(in, "pat@example.net"); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}
