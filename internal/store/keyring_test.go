package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/customer"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

func keyring(t testing.TB, fill byte) *store.Keyring {
	t.Helper()
	k, err := store.NewKeyring(bytes.Repeat([]byte{fill}, store.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedOpensForItsCustomerOnly(t *testing.T) {
	k, other := keyring(t, 1), keyring(t, 2)
	rapid.Check(t, func(t *rapid.T) {
		p := customer.Personal{Name: rapid.String().Draw(t, "name"), Email: rapid.StringMatching(`[a-z]+@example\.com`).Draw(t, "email")}
		key := k.NewCustomerKey("cus_1")
		sealed, err := k.Seal("cus_1", key, p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := k.Seal("cus_1", key, p)
		if err != nil || again == sealed {
			t.Fatalf("sealing twice gave the same text (%v)", err)
		}
		if p.Email != "" && strings.Contains(sealed, p.Email) {
			t.Fatal("the sealed text shows what it hides")
		}
		want := p
		want.Name = strings.ToValidUTF8(p.Name, "\ufffd") // JSON holds text only
		if got, err := k.Open("cus_1", key, sealed); err != nil || got != want {
			t.Fatalf("opened %+v, %v", got, err)
		}
		for name, try := range map[string]func() (customer.Personal, error){
			"another customer":       func() (customer.Personal, error) { return k.Open("cus_2", key, sealed) },
			"another customer's key": func() (customer.Personal, error) { return k.Open("cus_1", k.NewCustomerKey("cus_1"), sealed) },
			"another shop":           func() (customer.Personal, error) { return other.Open("cus_1", key, sealed) },
			"a changed text":         func() (customer.Personal, error) { return k.Open("cus_1", key, flip(sealed)) },
			"a changed key":          func() (customer.Personal, error) { return k.Open("cus_1", flip(key), sealed) },
		} {
			if got, err := try(); err == nil || got != (customer.Personal{}) {
				t.Fatalf("%s opened it: %+v", name, got)
			}
		}
	})
}

// flip changes one character in the middle of a text.
func flip(s string) string {
	b := []byte(s)
	i := len(b) / 2
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

func TestErasureIsNoError(t *testing.T) {
	k := keyring(t, 1)
	key := k.NewCustomerKey("cus_1")
	sealed, err := k.Seal("cus_1", key, customer.Personal{Name: "Sample"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, sealed string }{{"", sealed}, {key, ""}, {"", ""}} {
		if got, err := k.Open("cus_1", c.key, c.sealed); err != nil || got != (customer.Personal{}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if sealed, err := k.Seal("cus_1", key, customer.Personal{}); err != nil || sealed != "" {
		t.Errorf("nothing sealed to %q, %v", sealed, err)
	}
}

func TestSecretsAndHashes(t *testing.T) {
	k, other := keyring(t, 1), keyring(t, 2)
	sealed := k.SealSecret("mail", "hunter2")
	if got, err := k.OpenSecret("mail", sealed); err != nil || got != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := k.OpenSecret("hook", sealed); err == nil {
		t.Error("a secret opened under another connection's name")
	}
	if _, err := other.OpenSecret("mail", sealed); err == nil {
		t.Error("a secret opened in another shop")
	}
	a := k.Hash("email", "a@example.com")
	if a != k.Hash("email", "a@example.com") || len(a) != 16 {
		t.Errorf("hash %q", a)
	}
	seen := map[string]bool{a: true}
	for _, h := range []string{k.Hash("email", "b@example.com"), k.Hash("address", "a@example.com"), other.Hash("email", "a@example.com"), k.Hash("emaila", "@example.com")} {
		if seen[h] {
			t.Error("two different things have one hash")
		}
		seen[h] = true
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etc", "orderly.key")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			var err error
			if keys[i], err = store.LoadOrCreateKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, k := range keys {
		if !bytes.Equal(k, keys[0]) || len(k) != store.KeySize {
			t.Fatal("two processes that start at once got different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, bad := range []string{"", "short", "!!!", strings.Repeat("A", 44)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := store.LoadOrCreateKey(path); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q was taken for a key: %v", bad, err)
		}
		if got, _ := os.ReadFile(path); string(got) != bad {
			t.Error("a damaged key file was overwritten")
		}
	}
	if _, err := store.NewKeyring([]byte("short")); err == nil {
		t.Error("a short key made a keyring")
	}
}

// FuzzOpen feeds damaged and foreign texts to everything that opens sealed ones:
// an error or nothing, never a panic, never data.
func FuzzOpen(f *testing.F) {
	k := keyring(f, 1)
	key := k.NewCustomerKey("cus_1")
	sealed, err := k.Seal("cus_1", key, customer.Personal{Name: "Sample"})
	if err != nil {
		f.Fatal(err)
	}
	other := keyring(f, 2) // the fuzzer seeds other processes: what it gives them must not be genuine there
	foreign := other.NewCustomerKey("cus_1")
	f.Add(foreign, other.SealSecret("mail", "x"))
	f.Add("1.", "1.AAAA")
	f.Add("", "1.")
	f.Fuzz(func(t *testing.T, wrapped, text string) {
		got, err := k.Open("cus_1", wrapped, text)
		genuine := wrapped == key && text == sealed
		if !genuine && got != (customer.Personal{}) {
			t.Fatalf("%q under %q opened to %+v (%v)", text, wrapped, got, err)
		}
		if s, _ := k.OpenSecret("mail", text); s != "" {
			t.Fatalf("%q opened as a secret: %q", text, s)
		}
	})
}
