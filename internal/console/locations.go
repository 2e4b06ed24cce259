package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/console/ui"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

// locationView is the form of one location.
type locationView struct {
	Page        ui.PageView
	New         bool
	ID          string
	Values      url.Values
	Errors      map[string]string
	Can         bool
	Connections []ui.Option // that take fulfilment requests
	Zone        string      // the shop's
	Seen        string      // which change the form was filled from
	Stale       bool        // somebody else changed the location meanwhile
	Changes     []locationChange
	People      map[string]string // names by mail address
}

// locationChange is one line of a location's history.
type locationChange struct {
	store.LocationChange
	What []string // what it changed; empty for the first that is known
}

// maxLocationChanges is how much of a location's history its page shows.
const maxLocationChanges = 30

// location shows one location, or the empty form of a new one.
func (c *Console) location(w http.ResponseWriter, r *http.Request) error {
	v := locationView{ID: r.PathValue("id")}
	if v.ID == "new" {
		v.New, v.ID = true, ""
		v.Values = formOfLocation(catalog.Location{})
		return c.showLocation(w, r, http.StatusOK, v)
	}
	var l catalog.Location
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if l, err = locationByID(tx, v.ID); err != nil {
			return err
		}
		v.Seen, err = lastChange(tx, v.ID)
		return err
	})
	if err != nil {
		return err
	}
	v.Values = formOfLocation(l)
	return c.showLocation(w, r, http.StatusOK, v)
}

func locationByID(tx *store.Tx, id string) (catalog.Location, error) {
	all, err := tx.AllLocations()
	l, ok := all[id]
	if err == nil && !ok {
		err = notFound("location " + strconv.Quote(id))
	}
	return l, err
}

// lastChange names the newest change of a location, for forms that were filled from it.
func lastChange(tx *store.Tx, id string) (string, error) {
	cs, err := tx.LocationChanges(id, 1)
	if err != nil || len(cs) == 0 {
		return "", err
	}
	return strconv.FormatInt(cs[0].Rev, 10), nil
}

func (c *Console) showLocation(w http.ResponseWriter, r *http.Request, status int, v locationView) error {
	u, _ := access.UserFrom(r.Context())
	v.Can, v.Zone = access.Can(u.Role, access.ManageSettings), "UTC"
	if z := c.Shop().Zone; z != nil {
		v.Zone = z.String()
	}
	var rows []store.ConnectionRow
	var changes []store.LocationChange
	err := c.Read.View(r.Context(), func(tx *store.Tx) (err error) {
		if rows, err = tx.ConnectionRows(); err != nil || v.New {
			return err
		}
		changes, err = tx.LocationChanges(v.ID, maxLocationChanges+1)
		return err
	})
	if err != nil {
		return err
	}
	if v.Changes = locationHistory(changes); len(v.Changes) > 0 {
		if v.People, err = c.peopleNames(r); err != nil {
			return err
		}
	}
	v.Connections = []ui.Option{{Value: "", Label: "as the shop's settings say"}}
	for _, row := range rows {
		if row.Kind == "webhook" {
			v.Connections = append(v.Connections, ui.Option{Value: row.Name, Label: row.Name})
		}
	}
	if have := v.Values.Get("connection"); have != "" && !slices.ContainsFunc(v.Connections, func(o ui.Option) bool { return o.Value == have }) {
		v.Connections = append(v.Connections, ui.Option{Value: have, Label: have + " (does not exist)"})
	}
	heading := firstOf(v.Values.Get("name"), v.ID)
	if v.New {
		heading = "New location"
	}
	if v.Page, err = c.frame(w, r, heading, "Settings"); err != nil {
		return err
	}
	return c.show(w, r, status, locationPage(v))
}

// saveLocation keeps what the form says. A location that exists keeps its id: orders and the ledger name it.
func (c *Console) saveLocation(w http.ResponseWriter, r *http.Request) error {
	v := locationView{ID: r.PathValue("id"), Errors: map[string]string{}}
	if err := r.ParseForm(); err != nil {
		return fault.Wrap(err, fault.Invalid, "console.saveLocation", "the form could not be read")
	}
	if v.ID == "new" {
		v.New, v.ID = true, strings.TrimSpace(r.PostFormValue("id"))
	}
	v.Values = r.PostForm
	l, problems := locationOfForm(v.ID, r.PostForm)
	for _, p := range append(problems, l.Problems()...) {
		if field := strings.TrimPrefix(p.Pointer, "/"); v.Errors[field] == "" {
			v.Errors[field] = capital(p.Message) + "."
		}
	}
	if v.New && v.ID == "new" {
		v.Errors["id"] = "This word is the console's own; choose another."
	}
	if len(v.Errors) > 0 {
		return c.showLocation(w, r, http.StatusUnprocessableEntity, v)
	}
	u, _ := access.UserFrom(r.Context())
	taken, same := false, false
	err := c.Write.Update(r.Context(), func(tx *store.Tx) error {
		// Nobody else changes a location between the look at it and the change.
		if err := tx.HoldPolicy(); err != nil {
			return err
		}
		all, err := tx.AllLocations()
		if err != nil {
			return err
		}
		old, exists := all[l.ID]
		if taken = v.New && exists; taken {
			return nil
		}
		if !v.New && !exists {
			return notFound("location " + strconv.Quote(l.ID))
		}
		if !v.New {
			if v.Seen, err = lastChange(tx, l.ID); err != nil {
				return err
			}
		}
		v.Stale = !v.New && v.Seen != r.PostFormValue("seen")
		same = exists && len(locationDiff(old, l)) == 0
		if v.Stale || same {
			return nil
		}
		return store.UpsertLocations(tx, []catalog.Location{l}, u.Email)
	})
	if err != nil {
		return err
	}
	if taken {
		v.Errors["id"] = "There is a location of this id already."
		return c.showLocation(w, r, http.StatusUnprocessableEntity, v)
	}
	if v.Stale && !same {
		return c.showLocation(w, r, http.StatusConflict, v)
	}
	if same {
		return c.back(w, r, "/settings#locations", ui.Flash{Meaning: ui.Neutral, Text: "Nothing was different; the location stays as it is."})
	}
	return c.back(w, r, "/settings#locations", ui.Flash{Meaning: ui.Done, Text: "The location " + firstOf(l.Name, l.ID) + " is kept. Orders are routed by it from now on."})
}

// formOfLocation is a location as the fields of its form.
func formOfLocation(l catalog.Location) url.Values {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	degrees := func(f float64) string {
		if l.Lat == 0 && l.Lon == 0 {
			return ""
		}
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	v := url.Values{}
	for field, text := range map[string]string{
		"name": l.Name, "country": l.Country, "postal": l.Postal, "rank": number(int64(l.Rank)), "ships_to": strings.Join(l.ShipsTo, ", "),
		"channels": strings.Join(l.Channels, ", "), "capacity": number(int64(l.Capacity)), "cut_off": l.CutOff, "time_zone": l.TimeZone,
		"safety_stock": number(l.SafetyStock), "handling_hours": number(int64(l.HandlingH)), "rate_card": l.RateCard, "connection": l.Connection,
		"lat": degrees(l.Lat), "lon": degrees(l.Lon),
	} {
		v.Set(field, text)
	}
	if l.Closed {
		v.Set("closed", "yes")
	}
	return v
}

// locationOfForm reads the form; a number that is none is a problem of its field.
func locationOfForm(id string, form url.Values) (catalog.Location, []fault.Problem) {
	var ps []fault.Problem
	text := func(field string) string { return strings.TrimSpace(form.Get(field)) }
	number := func(field string) int64 {
		s := text(field)
		if s == "" {
			return 0
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			ps = append(ps, fault.Problem{Pointer: "/" + field, Message: fmt.Sprintf("%q is not a whole number", shortText(s))})
		}
		return n
	}
	degrees := func(field string) float64 {
		s := text(field)
		if s == "" {
			return 0
		}
		f, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
		if err != nil {
			ps = append(ps, fault.Problem{Pointer: "/" + field, Message: fmt.Sprintf("%q is not a number of degrees", shortText(s))})
		}
		return f
	}
	l := catalog.Location{
		ID: id, Name: firstOf(text("name"), id), Country: strings.ToUpper(text("country")), Postal: text("postal"),
		Rank: int(number("rank")), ShipsTo: listOf(strings.ToUpper(form.Get("ships_to"))), Channels: listOf(form.Get("channels")),
		Capacity: int(number("capacity")), CutOff: text("cut_off"), TimeZone: text("time_zone"), SafetyStock: number("safety_stock"),
		HandlingH: int(number("handling_hours")), RateCard: text("rate_card"), Connection: text("connection"), Closed: form.Get("closed") == "yes",
		Lat: degrees("lat"), Lon: degrees("lon"),
	}
	if (text("lat") == "") != (text("lon") == "") {
		ps = append(ps, fault.Problem{Pointer: "/lat", Message: "a point needs both degrees, or none"})
	}
	return l, ps
}

// listOf splits what a person typed with commas between.
func listOf(s string) (out []string) {
	for _, x := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == '\n' }) {
		if x = strings.TrimSpace(x); x != "" && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// shortText is the beginning of a long text, for a message.
func shortText(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// locationLabels are what the fields of a location are called, in the order of the form.
var locationLabels = [...]struct{ field, label string }{
	{"id", "Id"},
	{"name", "Name"},
	{"country", "Country"},
	{"postal", "Postal code"},
	{"lat", "Latitude"},
	{"lon", "Longitude"},
	{"ships_to", "Ships to"},
	{"channels", "Channels"},
	{"capacity", "Parcels a day"},
	{"safety_stock", "Held back"},
	{"rank", "Rank"},
	{"rate_card", "Rate card"},
	{"cut_off", "Cut-off"},
	{"time_zone", "Time zone"},
	{"handling_hours", "Handling hours"},
	{"connection", "Fulfilment requests go to"},
	{"closed", "Closed"},
}

func locationLabel(field string) string {
	for _, l := range locationLabels {
		if l.field == field {
			return l.label
		}
	}
	return field
}

// locationDiff says in words what differs between two states of a location.
func locationDiff(before, after catalog.Location) (out []string) {
	a, b := formOfLocation(before), formOfLocation(after)
	for _, l := range locationLabels {
		if x, y := a.Get(l.field), b.Get(l.field); x != y {
			out = append(out, fmt.Sprintf("%s: %s → %s", l.label, firstOf(x, "empty"), firstOf(y, "empty")))
		}
	}
	return out
}

// locationHistory compares each change, newest first, with the one before it.
func locationHistory(cs []store.LocationChange) (out []locationChange) {
	for i, c := range cs {
		h := locationChange{LocationChange: c}
		if i+1 < len(cs) {
			h.What = locationDiff(cs[i+1].Location, c.Location)
		}
		out = append(out, h)
	}
	return out[:min(len(out), maxLocationChanges)]
}

func locationField(v locationView, name, hint string, required bool) ui.FieldView {
	return ui.FieldView{Name: name, Label: locationLabel(name), Hint: hint, Required: required, Value: v.Values.Get(name), Error: v.Errors[name], Autocomplete: "off"}
}

// formID is the id in the address of a location's form.
func formID(v locationView) string {
	if v.New {
		return "new"
	}
	return v.ID
}
