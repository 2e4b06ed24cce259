package risk

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestEmail(t *testing.T) {
	for in, want := range map[string]string{
		"  Ann.Smith+Shop@Example.COM ": "ann.smith@example.com",
		"ann@example.com":               "ann@example.com",
		"ann@example.com.":              "ann@example.com",
		"+tag@example.com":              "+tag@example.com", // nothing would be left
		"ann+a+b@example.com":           "ann@example.com",
		`"odd@name"@example.com`:        `"odd@name"@example.com`,
		"":                              "",
		"ann":                           "",
		"@example.com":                  "",
		"ann@":                          "",
		"ann @example.com":              "",
		"ann@exa\nmple.com":             "",
	} {
		if got := Email(in); got != want {
			t.Errorf("Email(%q): got %q, want %q", in, got, want)
		}
	}
	if got := Domain("A@Sub.Example.com"); got != "sub.example.com" {
		t.Errorf("domain: got %q", got)
	}
}

func TestDisposable(t *testing.T) {
	for in, want := range map[string]bool{
		"mailinator.com": true, "MAILINATOR.com.": true, "a.b.mailinator.com": true, " yopmail.com": true,
		"example.com": false, "notmailinator.com": false, "com": false, "": false, ".": false, "mail.example.com": false,
	} {
		if got := Disposable(in); got != want {
			t.Errorf("Disposable(%q): got %v, want %v", in, got, want)
		}
	}
	if n := len(disposable); n < 150 {
		t.Errorf("the list has %d domains", n)
	}
	if n := len(strings.Fields(domainList)); n != len(disposable) {
		t.Errorf("the list has %d words and %d domains: one stands twice", n, len(disposable))
	}
	for d := range disposable {
		if d != strings.ToLower(d) || !strings.Contains(d, ".") || strings.ContainsAny(d, "@/ ") {
			t.Errorf("%q is not a domain", d)
		}
		for _, common := range []string{"gmail.com", "outlook.com", "yahoo.com", "gmx.de", "web.de", "icloud.com", "hotmail.com", "proton.me"} {
			if d == common {
				t.Errorf("%s is no throw-away service", d)
			}
		}
	}
}

func TestAddress(t *testing.T) {
	want := "de|10115|hauptstraße5"
	for _, line := range []string{"Hauptstraße 5", "  hauptstraße 5.", "HAUPTSTRAßE-5"} {
		if got := Address("DE", "10115", line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if Address("DE", "10115", "Hauptstraße 5") == Address("DE", "1011", "5 Hauptstraße 5") {
		t.Error("two doors have one key")
	}
	if Address("GB", "SW1A 1AA", "1 High St") != Address("gb", "sw1a1aa", "1 High St.") {
		t.Error("one door has two keys")
	}
	for _, a := range [][3]string{{"", "1", "x"}, {"DE", "1", ""}, {"DE", "1", " - "}} {
		if got := Address(a[0], a[1], a[2]); got != "" {
			t.Errorf("%v: got %q, want none", a, got)
		}
	}
	if !Same("Straße 5", "straße 5.") || Same("5", "6") {
		t.Error("same")
	}
}

// A key is its own key: counting over stored keys gives what counting over what was sent gives.
func TestKeysAreStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "local") + "@" + rapid.StringMatching(`[a-zA-Z]{1,8}\.[a-z]{2,3}`).Draw(t, "domain")
		if k := Email(s); k != "" && Email(k) != k {
			t.Fatalf("Email(%q) = %q, whose key is %q", s, k, Email(k))
		}
		l := rapid.String().Draw(t, "line")
		if k := squeeze(l); squeeze(k) != k || utf8.ValidString(l) && !Same(l, strings.TrimSpace(l)) {
			t.Fatalf("squeeze(%q) = %q", l, k)
		}
	})
}

func FuzzEmail(f *testing.F) {
	for _, s := range []string{"a@b.c", "a+b@c", "\xff@x", "İ@x.y"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k := Email(s)
		if k != "" && (!strings.Contains(k, "@") || Domain(k) == "" || Email(k) != k) {
			t.Fatalf("Email(%q) = %q", s, k)
		}
		Disposable(Domain(s))
	})
}
