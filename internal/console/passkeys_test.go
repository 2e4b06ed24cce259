package console_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// TestPasskey adds a passkey with a device that the browser plays, signs in by it, and removes it.
func TestPasskey(t *testing.T) {
	b := startBrowser(t, 20)

	// At a bare address nothing offers passkeys, and one's account says what to set.
	b.signIn()
	b.open("/profile")
	b.until(`document.body.innerText.includes("base_url") && !document.querySelector("form[data-passkey]")`)
	b.eval(`fetch("/signout", {method: "POST"})`, nil)
	b.open("/signin")
	b.until(`!document.querySelector("form[data-passkey]")`)

	b.base = strings.Replace(b.base, "127.0.0.1", "localhost", 1)
	call(b, webauthn.Enable, webauthn.EnableParams{})
	var id webauthn.AuthenticatorID
	if _, err := chromedp.Run(b.ctx, chromedp.Action[cdp.Empty](func(ctx context.Context, target *chromedp.Target) (cdp.Empty, error) {
		r, err := cdp.Call(ctx, target, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		id = r.AuthenticatorID
		return cdp.Empty{}, err
	})); err != nil {
		t.Fatal(err)
	}
	b.signIn()
	b.open("/profile")
	b.until(`!document.querySelector("form[data-passkey]").hidden && document.querySelector("[data-no-passkey]").hidden`)
	b.eval(`document.querySelector("form[data-passkey] [name=name]").value = "Test device"; document.querySelector("form[data-passkey]").requestSubmit()`, nil)
	b.until(`document.querySelector("#passkeys") && document.querySelector("#passkeys").innerText.includes("Test device") && document.querySelector("#passkeys").innerText.includes("Never")`)

	// The same device does not hold two.
	b.eval(`document.querySelector("form[data-passkey]").requestSubmit()`, nil)
	b.until(`document.querySelector("[data-bad]").innerText.includes("already")`)

	// Signing in names nobody and leads where one wanted to go.
	in := func() {
		b.eval(`fetch("/signout", {method: "POST"})`, nil)
		b.open("/orders?state=held")
		b.until(`location.pathname === "/signin" && !document.querySelector("form[data-passkey]").hidden`)
		b.eval(`document.querySelector("form[data-passkey]").requestSubmit()`, nil)
	}
	in()
	b.until(`location.pathname === "/orders" && location.search === "?state=held"`)
	b.open("/profile")
	b.until(`!document.querySelector("#passkeys").innerText.includes("Never") && document.body.innerText.includes("by passkey")`)
	b.picture("passkeys")

	// Who does not prove that they are there is not let in.
	call(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: id, IsUserVerified: false})
	in()
	b.until(`document.querySelector("[data-bad]").innerText !== "" && location.pathname === "/signin"`)
	call(b, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: id, IsUserVerified: true})
	in()
	b.until(`location.pathname === "/orders"`)

	// Removed, it opens nothing, and the page says so.
	b.open("/profile")
	b.eval(`document.querySelector("#passkeys button").click()`, nil)
	b.until(`!document.querySelector("#passkeys") && document.body.innerText.includes("No passkey yet")`)
	b.clean() // what follows is refused, which the browser complains of
	in()
	b.until(`document.querySelector(".note.danger") && document.body.innerText.includes("not known here")`)

	b.signIn()
	var audit string
	b.eval(`fetch("/audit.csv").then((r) => r.text())`, &audit)
	for _, want := range []string{"passkey.add", "passkey.remove", ",refused,passkey", ",ok,passkey"} {
		if !strings.Contains(audit, want) {
			t.Errorf("the audit log lacks %q:\n%s", want, audit)
		}
	}
}
