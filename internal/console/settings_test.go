package console_test

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/console/consoletest"
	"orderly.example/orderly/internal/store"
)

func (c *client) locations() map[string]catalog.Location {
	c.t.Helper()
	var all map[string]catalog.Location
	if err := c.shop.DB.View(context.Background(), func(tx *store.Tx) (err error) { all, err = tx.AllLocations(); return err }); err != nil {
		c.t.Fatal(err)
	}
	return all
}

func TestLocations(t *testing.T) {
	c := newClient(t, 20).admin()
	before := c.locations()

	// What the form shows is what is kept: sending it back changes nothing.
	for id := range before {
		form := url.Values{}
		for _, f := range []string{"name", "country", "postal", "lat", "lon", "ships_to", "channels", "capacity", "safety_stock", "rank", "rate_card", "cut_off", "time_zone", "handling_hours", "seen"} {
			form.Set(f, c.find("/settings/locations/"+id, `name="`+f+`"[^>]* value="([^"]*)"`))
		}
		if code, body := c.post("/settings/locations/"+id, form); code != http.StatusOK || !strings.Contains(body, "stays as it is") {
			t.Fatalf("%s: %d", id, code)
		}
	}
	for id, l := range c.locations() {
		if was := before[id]; l.Name != was.Name || l.Lat != was.Lat || l.CutOff != was.CutOff || l.Capacity != was.Capacity || l.SafetyStock != was.SafetyStock || !slices.Equal(l.ShipsTo, was.ShipsTo) {
			t.Errorf("%s changed by being kept: %+v, was %+v", id, l, was)
		}
	}

	full := url.Values{
		"id": {"porto"}, "name": {"Porto shop"}, "country": {"pt"}, "postal": {"4000-001"}, "lat": {"41,15"}, "lon": {"-8.61"}, "ships_to": {"pt, es ,PT"},
		"channels": {"web, shop floor"}, "capacity": {"40"}, "safety_stock": {"3"}, "rank": {"2"}, "cut_off": {"13:30"}, "time_zone": {"Europe/Lisbon"}, "closed": {"yes"},
	}
	if code, _ := c.post("/settings/locations/new", full); code != http.StatusOK {
		t.Fatalf("a new location answers %d", code)
	}
	got := c.locations()["porto"]
	if got.Country != "PT" || got.Lat != 41.15 || got.Lon != -8.61 || !slices.Equal(got.ShipsTo, []string{"PT", "ES"}) || !slices.Equal(got.Channels, []string{"web", "shop floor"}) ||
		got.Capacity != 40 || got.SafetyStock != 3 || got.Rank != 2 || got.CutOff != "13:30" || !got.Closed {
		t.Errorf("kept as %+v", got)
	}

	// What is changed says who changed what; who began before that is asked first.
	full.Set("seen", c.find("/settings/locations/porto", `name="seen" value="(\d+)"`))
	full.Set("rank", "5")
	if code, body := c.post("/settings/locations/porto", full); code != http.StatusOK || !strings.Contains(body, "is kept") {
		t.Errorf("a change answers %d", code)
	}
	full.Set("rank", "7")
	code, body := c.post("/settings/locations/porto", full)
	if code != http.StatusConflict || !strings.Contains(body, "somebody else changed") || !strings.Contains(body, "Rank: 2 → 5") || !strings.Contains(body, `value="7"`) || c.locations()["porto"].Rank != 5 {
		t.Errorf("a form that was opened before another's change answers %d, rank %d", code, c.locations()["porto"].Rank)
	}
	err := c.shop.DB.View(t.Context(), func(tx *store.Tx) error {
		cs, err := tx.LocationChanges("porto", 9)
		if len(cs) != 2 || cs[0].Author != consoletest.AdminMail || cs[0].At.IsZero() || cs[0].Location.Rank != 5 || cs[1].Location.Rank != 2 {
			t.Errorf("the changes are %+v", cs)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	full.Del("seen")

	for field, bad := range map[string]string{
		"id": "two words", "country": "France", "ships_to": "FR, Spain", "capacity": "many", "safety_stock": "-1", "rank": "1.5", "cut_off": "25:00", "time_zone": "Europe/Atlantis", "lat": "91", "lon": "", "handling_hours": "9999999999999999999",
	} {
		form := url.Values{}
		for k, v := range full {
			form[k] = v
		}
		form.Set("id", "faro")
		form.Set(field, bad)
		code, body := c.post("/settings/locations/new", form)
		if code != http.StatusUnprocessableEntity || !strings.Contains(body, `role="alert"`) || !strings.Contains(body, "Porto shop") {
			t.Errorf("%s=%q answers %d and must name the field and keep what was typed", field, bad, code)
		}
	}
	full.Set("id", "porto")
	if code, body := c.post("/settings/locations/new", full); code != http.StatusUnprocessableEntity || !strings.Contains(body, "of this id already") {
		t.Errorf("a second location of one id answers %d", code)
	}
	if code, _ := c.post("/settings/locations/nowhere", full); code != http.StatusNotFound {
		t.Errorf("a location that does not exist answers %d", code)
	}
	if all := c.locations(); len(all) != len(before)+1 {
		t.Errorf("%d locations, want %d", len(all), len(before)+1)
	}

	if _, err := c.shop.Access.AddUser(t.Context(), access.NewUser{Email: "op@example.com", Name: "Op Sample", Password: "some long sample words", Role: access.Operator}); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	op := &client{t: t, http: &http.Client{Jar: jar}, base: c.base, shop: c.shop}
	op.signIn("op@example.com", "some long sample words")
	if code, _ := op.get("/settings/locations/porto"); code != http.StatusOK {
		t.Errorf("reading a location answers %d", code)
	}
	if code, _ := op.post("/settings/locations/porto", full); code != http.StatusForbidden {
		t.Errorf("an operator changes a location: %d", code)
	}
	if code, _ := op.get("/settings/connections/mail"); code != http.StatusForbidden {
		t.Errorf("an operator opens a connection: %d", code)
	}
}

// TestPeople invites a person, who joins by the link once, gets another role, is watched in the audit log and leaves.
func TestPeople(t *testing.T) {
	c := newClient(t, 20).admin()
	code, body := c.post("/settings/people", url.Values{"email": {"new@example.com"}, "name": {"Nia <b>Bold</b>"}, "role": {"viewer"}})
	link := regexp.MustCompile(`/invite\?token=[0-9a-z]+`).FindString(body)
	if code != http.StatusOK || link == "" || strings.Contains(body, "<b>Bold") {
		t.Fatalf("an invitation answers %d", code)
	}
	if _, body := c.get("/settings/people"); strings.Contains(body, link) || !strings.Contains(body, "new@example.com") {
		t.Error("the link is shown again, or the invitation is not")
	}
	if code, _ := c.post("/settings/people", url.Values{"email": {"nonsense"}, "role": {"viewer"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("a wrong address answers %d", code)
	}
	jar, _ := cookiejar.New(nil)
	nia := &client{t: t, http: &http.Client{Jar: jar}, base: c.base, shop: c.shop}
	token := strings.TrimPrefix(link, "/invite?token=")
	if code, _ := nia.post("/invite", url.Values{"token": {token}, "password": {"short"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("a short password answers %d", code)
	}
	if code, body := nia.post("/invite", url.Values{"token": {token}, "password": {"sample lamp quiet river"}}); code != http.StatusOK || !strings.Contains(body, `id="today"`) {
		t.Fatalf("joining answers %d", code)
	}
	if code, _ := nia.get(link); code != http.StatusForbidden {
		t.Errorf("a used link answers %d", code)
	}
	us, err := c.shop.Access.Users(t.Context())
	if err != nil || len(us) != 2 {
		t.Fatal(us, err)
	}
	id := us[slices.IndexFunc(us, func(u access.User) bool { return u.Email == "new@example.com" })].ID
	step := func(step string, form url.Values, want string) {
		t.Helper()
		if code, body := c.post("/settings/people/"+id+"/"+step, form); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %q", step, code, want)
		}
	}
	step("role", url.Values{"role": {"operator"}}, "is now operator")
	if code, _ := nia.get("/editor"); code != http.StatusOK {
		t.Errorf("the new role is not in force: %d", code)
	}
	if _, body := nia.get("/profile"); !strings.Contains(body, "This one") {
		t.Error("the profile does not show the session")
	}
	step("close", nil, "is closed")
	if _, body := nia.get("/orders"); !strings.Contains(body, "Sign in</h1>") {
		t.Error("a closed account goes on")
	}
	step("reopen", nil, "may sign in again")
	me := us[slices.IndexFunc(us, func(u access.User) bool { return u.Role == access.Admin })]
	if code, _ := c.post("/settings/people/"+me.ID+"/role", url.Values{"role": {"viewer"}}); code != http.StatusConflict {
		t.Errorf("the last admin steps down: %d", code)
	}
	_, body = c.get("/audit?action=user")
	for _, want := range []string{"user.invite", "user.join", "user.role", "viewer to operator", "user.close", "user.reopen"} {
		if !strings.Contains(body, want) {
			t.Errorf("the audit log does not show %s", want)
		}
	}
	if _, body := c.get("/audit.csv?who=" + url.QueryEscape(consoletest.AdminMail)); !strings.Contains(body, "user.close") {
		t.Error("the export does not hold what was done")
	}
}

// TestEraseInTheConsole: only an admin who types the word erases, and the page is without a name after it.
func TestEraseInTheConsole(t *testing.T) {
	c := newClient(t, 120).admin()
	id := c.order("completed")
	if code, body := c.get("/orders/" + id + "/customer.json"); code != http.StatusOK || !strings.Contains(body, "Sample Customer") {
		t.Fatalf("the export answers %d", code)
	}
	if code, _ := c.post("/orders/"+id+"/erase-customer", url.Values{"word": {"yes"}}); code != http.StatusUnprocessableEntity {
		t.Errorf("another word answers %d", code)
	}
	// Their other orders may be on their way: then it is refused, and nothing is changed.
	code, body := c.post("/orders/"+id+"/erase-customer", url.Values{"word": {"erase"}})
	_, page := c.get("/orders/" + id)
	switch gone := !strings.Contains(page, "Sample Street"); {
	case code == http.StatusConflict && (gone || !strings.Contains(body, "on their way")):
		t.Error("a refusal changed something or gives no reason")
	case code == http.StatusOK && !gone:
		t.Error("the page still shows where they live")
	case code != http.StatusOK && code != http.StatusConflict:
		t.Errorf("an erasure answers %d", code)
	}
}
