package event

import "strings"

// Gist is what the personal data of an order came to when it was placed. It names
// nobody, so it is stored in the open beside the keyed identity; whoever goes
// through the history again has it instead of the data itself, and unseals nothing.
type Gist struct {
	HasEmail  bool
	Domain    string // of the mail address, lower case
	Differ    bool   // billing and shipping differ, street lines included
	Billing   bool   // a billing address was given
	IPCountry string // by the table as it was then
}

// EncodeGist writes identity and gist as one line for the event's row. The
// customer's id has a column of its own.
func EncodeGist(who Identity, g Gist) string {
	flags := ""
	for _, f := range [...]struct {
		set  bool
		flag string
	}{{g.HasEmail, "m"}, {g.Differ, "d"}, {g.Billing, "b"}} {
		if f.set {
			flags += f.flag
		}
	}
	return strings.Join([]string{who.Email, who.Address, who.Device, who.IP, flags, g.IPCountry, g.Domain}, "\t")
}

// DecodeGist reads what EncodeGist wrote; ok is false for anything else. The
// domain comes last: it is the sender's text.
func DecodeGist(s string) (who Identity, g Gist, ok bool) {
	var flags string
	for _, to := range [...]*string{&who.Email, &who.Address, &who.Device, &who.IP, &flags, &g.IPCountry} {
		if *to, s, ok = strings.Cut(s, "\t"); !ok {
			return Identity{}, Gist{}, false
		}
	}
	g.Domain = s
	g.HasEmail, g.Differ, g.Billing = strings.Contains(flags, "m"), strings.Contains(flags, "d"), strings.Contains(flags, "b")
	return who, g, true
}
