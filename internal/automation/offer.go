package automation

import (
	"regexp"
	"slices"
	"strings"

	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// Offer is something that may stand where somebody writes.
type Offer struct {
	Insert string `json:"insert"`
	Detail string `json:"detail"` // its type and unit, or what it is
	Doc    string `json:"doc"`
}

// maxOffers bounds how many are offered at once.
const maxOffers = 60

// topDocs say what the keys of an automation are for.
var topDocs = map[string]string{
	"automation": "its name: lower-case words joined by dashes", "owner": "mail address of who is told and who decides", "why": "why it exists", "template": "what it was made from, whose settings the editor shows",
	"on": "what sets it off", "schedule": "the times, when on is schedule", "when": "the condition", "do": "the steps", "mode": "draft, shadow, canary, active or paused",
	"share": "share of the orders of a canary, like 10%", "canary": "how a canary is watched", "limits": "how far it may go", "expect": "how often it should fire", "tests": "example events and what should come of them",
}

// innerKeys are the keys below some keys of an automation.
var innerKeys = map[string][]string{
	"schedule": {"cron", "zone"}, "limits": {"per_hour", "money_per_day", "per_order"}, "expect": {"at_least", "per"}, "on": {"absence_of", "after", "within"},
}

var (
	wordBefore  = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_.-]*$`)
	nameBefore  = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_.]*$`)
	keyOfLine   = regexp.MustCompile(`^\s*(?:- +)*([a-z_]+): ?(.*)$`)
	triggerLine = regexp.MustCompile(`(?m)^on: *([^\s#]*)`)
	eventArg    = regexp.MustCompile(`event: *([a-z_]+\.[a-z_]+)`)
	loopName    = regexp.MustCompile(`for_each: *order\.lines,?\s*as: *([a-z_][a-z0-9_]*)`)
	givenName   = regexp.MustCompile(`(?:set: *\{? *name|\bas): *([a-z_][a-z0-9_]*)(?:, *returns: *\{([^}]*)\})?`)
	loopVar     = regexp.MustCompile(`\b(?:exists|all|exists_one)\( *([a-z_][a-z0-9_]*) *,`)
	openBy      = regexp.MustCompile(`velocity\( *"[^"]*", *"$`)
	openText    = regexp.MustCompile(`([a-z_][a-z0-9_.]*) *(?:==|!=|in) *\[?(?:[^"\]]*"[^"]*",? *)*"$`)
)

// writing is where in a text somebody writes.
type writing struct {
	text   string // before the place
	key    string // whose value is being written; "" = a key is
	parent string // the key above that one
	value  string // what stands of the value
	word   string // what stands of the word
	event  string // event type whose fields a condition may read
}

// Offers says what may be written at a byte of a text, and from which byte on it takes the place of what
// stands there. names are those that the shop uses, by the type of argument. It is a help while a text is
// incomplete: what it does not follow it offers nothing for.
func Offers(text string, at int, names map[ArgType][]Offer) (from int, offers []Offer) {
	at = min(max(at, 0), len(text))
	w := locate(text, at)
	switch {
	case w.key == "when" || w.key == "if" || w.key == "value":
		offers = w.condition()
	case w.key != "":
		offers = w.values(names)
	default:
		offers = w.keys()
	}
	offers = near(offers, w.word)
	if len(offers) == 1 && offers[0].Insert == w.word {
		offers = nil
	}
	return at - len(w.word), offers
}

// OffersIn is Offers for a condition alone, on events of a type.
func OffersIn(condition string, at int, eventType string) (from int, offers []Offer) {
	at = min(max(at, 0), len(condition))
	w := writing{text: condition[:at], value: condition[:at], event: eventType, word: nameBefore.FindString(condition[:at])}
	offers = near(w.condition(), w.word)
	return at - len(w.word), offers
}

// locate finds out what is being written.
func locate(text string, at int) writing {
	w := writing{text: text[:at], event: triggerOf(text)}
	start := strings.LastIndexByte(w.text, '\n') + 1
	line := w.text[start:]
	if open := unclosed(line); open >= 0 {
		w.parent = keyBefore(line[:open])
		inner := line[open+1:]
		part := inner[lastOutside(inner, ',')+1:]
		w.key, w.value, _ = cutKey(part)
		if w.key == "" {
			w.word = wordBefore.FindString(part)
			return w
		}
		return w.inValue()
	}
	if m := keyOfLine.FindStringSubmatch(line); m != nil {
		w.key, w.value = m[1], m[2]
		w.parent = w.above(indent(line))
		return w.inValue()
	}
	// A line of a condition that began further up, or a new key.
	lines := strings.Split(w.text[:start], "\n")
	for i := len(lines) - 2; i >= 0; i-- {
		l := lines[i]
		if strings.TrimSpace(l) == "" || indent(l) >= indent(line) && !keyOfLine.MatchString(l) {
			continue
		}
		if m := keyOfLine.FindStringSubmatch(l); m != nil && indent(l) < indent(line) && strings.TrimSpace(m[2]) != "" && !strings.HasPrefix(m[2], "{") && !strings.HasPrefix(m[2], "#") {
			w.key, w.value = m[1], strings.Join(append(slices.Clone(lines[i+1:len(lines)-1]), line), "\n")
			if !strings.HasPrefix(m[2], ">") && !strings.HasPrefix(m[2], "|") {
				w.value = m[2] + "\n" + w.value
			}
			return w.inValue()
		}
		break
	}
	w.parent = w.above(indent(line))
	w.word = wordBefore.FindString(line)
	return w
}

func (w writing) inValue() writing {
	if w.key == "when" || w.key == "if" || w.key == "value" {
		w.word = nameBefore.FindString(w.value)
		if m := eventArg.FindAllStringSubmatch(w.text[max(0, len(w.text)-300):], -1); w.key == "when" && len(m) > 0 && (w.parent == "wait_for") {
			w.event = m[len(m)-1][1]
		}
		return w
	}
	w.word = w.value
	return w
}

// above is the key that holds what stands at an indentation, "" at the top.
func (w writing) above(depth int) string {
	lines := strings.Split(w.text, "\n")
	for i := len(lines) - 2; i >= 0 && depth > 0; i-- {
		l := lines[i]
		if strings.TrimSpace(l) == "" || indent(l) >= depth {
			continue
		}
		depth = indent(l)
		if m := keyOfLine.FindStringSubmatch(l); m != nil {
			return m[1]
		}
	}
	return ""
}

// condition offers what a condition may read and call.
func (w writing) condition() []Offer {
	inside := w.value[:len(w.value)-len(w.word)]
	if quotes := strings.Count(w.value, `"`); quotes%2 == 1 {
		var out []Offer
		if openBy.MatchString(inside) {
			for _, d := range schema.Dimensions() {
				out = append(out, Offer{Insert: d.Name, Detail: "what they share", Doc: d.Doc})
			}
			return out
		}
		m := openText.FindStringSubmatch(inside)
		if m == nil {
			return nil
		}
		for _, v := range schema.Options(m[1]) {
			out = append(out, Offer{Insert: v, Detail: "value of " + m[1]})
		}
		return out
	}
	var out []Offer
	if head, _, ok := strings.Cut(w.word, "."); ok {
		for _, m := range loopVar.FindAllStringSubmatch(inside, -1) {
			if m[1] == head {
				return lineOffers(head)
			}
		}
	}
	if at := strings.LastIndexByte(w.word, '.'); at > 0 {
		if f, ok := schema.Lookup(w.word[:at]); ok {
			return methods(f)
		}
	}
	for _, f := range schema.Fields(w.event) {
		out = append(out, fieldOffer(f.Name, f))
	}
	for _, m := range loopVar.FindAllStringSubmatch(inside, -1) {
		out = append(out, lineOffers(m[1])...)
	}
	for _, m := range loopName.FindAllStringSubmatch(w.text, -1) {
		out = append(out, lineOffers(m[1])...)
	}
	for _, m := range givenName.FindAllStringSubmatch(w.text, -1) {
		if strings.TrimSpace(m[2]) == "" {
			out = append(out, Offer{Insert: m[1], Detail: "named by a step before"})
			continue
		}
		out = append(out, Offer{Insert: m[1] + ".status", Detail: schema.Int.Noun(), Doc: "The status of the answer."})
		for _, field := range strings.Split(m[2], ",") {
			name, typ, _ := strings.Cut(field, ":")
			out = append(out, Offer{Insert: m[1] + "." + strings.TrimSpace(name), Detail: schema.Type(strings.TrimSpace(typ)).Noun(), Doc: "From the answer."})
		}
	}
	out = append(out,
		Offer{Insert: `money("`, Detail: "an amount", Doc: `money("12.34", "EUR")`},
		Offer{Insert: `duration("`, Detail: "a duration", Doc: `duration("72h")`},
		Offer{Insert: `timestamp("`, Detail: "a time", Doc: `timestamp("2026-01-31T00:00:00Z")`},
	)
	if schema.IsOrderEvent(w.event) {
		out = append(out, Offer{Insert: `velocity("order.placed", "`, Detail: "how often before, a whole number", Doc: `velocity("order.placed", "customer.email", "24h")`})
	}
	return out
}

func fieldOffer(name string, f schema.Field) Offer {
	detail := f.Type.Noun()
	if f.Unit != "" && f.Unit != "text" && f.Unit != detail {
		detail += ", " + f.Unit
	}
	return Offer{Insert: name, Detail: detail, Doc: f.Doc}
}

func lineOffers(name string) []Offer {
	var out []Offer
	for _, f := range schema.LineFields() {
		out = append(out, fieldOffer(name+"."+f.Name, f))
	}
	return out
}

// methods are what may follow the name of a field.
func methods(f schema.Field) []Offer {
	var out []Offer
	add := func(m, doc string) {
		out = append(out, Offer{Insert: f.Name + "." + m, Detail: "of " + f.Name, Doc: doc})
	}
	switch f.Type {
	case schema.Lines:
		add("exists(l, ", "some line is so")
		add("all(l, ", "every line is so")
		add("exists_one(l, ", "exactly one line is so")
		add("size()", "how many there are")
	case schema.Strings:
		add("exists(t, ", "some of them is so")
		add("all(t, ", "all of them are so")
		add("size()", "how many there are")
	case schema.String:
		add(`startsWith("`, "how the text begins")
		add(`endsWith("`, "how the text ends")
		add(`contains("`, "what stands in the text")
		add(`matches("`, "a regular expression; proofs do not follow it")
	case schema.Time:
		for _, m := range rule.Functions() {
			if strings.HasPrefix(m, "get") {
				add(m+"()", "a part of the time, UTC")
			}
		}
	}
	return out
}

// keys offers keys, and steps where steps stand.
func (w writing) keys() []Offer {
	var out []Offer
	line := w.text[strings.LastIndexByte(w.text, '\n')+1:]
	dash := strings.HasPrefix(strings.TrimLeft(line, " "), "- ")
	switch {
	case w.parent == "" && indent(line) == 0 && !dash:
		for _, k := range topKeys {
			if !regexp.MustCompile(`(?m)^` + k + `:`).MatchString(w.text) {
				out = append(out, Offer{Insert: k + ": ", Doc: topDocs[k]})
			}
		}
	case dash && (w.parent == "do" || w.parent == "then" || w.parent == "else"):
		for _, k := range Kinds() {
			s := k.Spec()
			if s.NeedsOrder && !schema.IsOrderEvent(w.event) || s.On != nil && !slices.Contains(s.On, w.event) {
				continue
			}
			insert := string(k)
			if len(s.Args) > 0 {
				insert += ": "
			}
			out = append(out, Offer{Insert: insert, Detail: "step", Doc: s.Doc})
		}
	case innerKeys[w.parent] != nil:
		for _, k := range innerKeys[w.parent] {
			out = append(out, Offer{Insert: k + ": "})
		}
	default:
		for _, a := range Kind(w.parent).Spec().Args {
			must := ""
			if a.Must {
				must = ", required"
			}
			out = append(out, Offer{Insert: a.Name + ": ", Detail: string(a.Type) + must, Doc: a.Doc})
		}
	}
	return out
}

// values offers values of a key.
func (w writing) values(names map[ArgType][]Offer) []Offer {
	plain := func(words ...string) (out []Offer) {
		for _, s := range words {
			out = append(out, Offer{Insert: s})
		}
		return out
	}
	events := func(types []string) (out []Offer) {
		for _, t := range types {
			out = append(out, Offer{Insert: t, Doc: schema.EventLabel(t)})
		}
		return out
	}
	switch w.key {
	case "on":
		return events(slices.DeleteFunc(Triggers(), func(t string) bool { return t == "absence" }))
	case "absence_of", "after":
		return events(awaitable())
	case "mode":
		var out []string
		for _, m := range Modes() {
			out = append(out, string(m))
		}
		return plain(out...)
	case "per":
		return plain("hour", "day", "week", "month")
	case "owner":
		return names[ArgRecipient]
	}
	kind, arg := Kind(w.parent), w.key
	if s, ok := shorthand[Kind(w.key)]; ok && w.parent != "ask" {
		if _, step := specs[kind]; !step {
			kind, arg = Kind(w.key), s
		}
	}
	for _, a := range kind.Spec().Args {
		if a.Name != arg {
			continue
		}
		switch a.Type {
		case ArgChoice:
			return plain(a.Choices...)
		case ArgEvent:
			return events(awaitable())
		case ArgRecipient:
			return append(plain("customer", "owner"), names[ArgRecipient]...)
		}
		return names[a.Type]
	}
	return nil
}

// near keeps the offers that begin with a word, then those that have a part that does, then those that hold it.
func near(offers []Offer, word string) []Offer {
	word = strings.ToLower(strings.TrimSpace(word))
	var ranked [3][]Offer
	seen := map[string]bool{}
	for _, o := range offers {
		l := strings.ToLower(o.Insert)
		switch {
		case seen[o.Insert]:
			continue
		case strings.HasPrefix(l, word):
			ranked[0] = append(ranked[0], o)
		case strings.Contains(l, "."+word), strings.Contains(l, "_"+word), strings.Contains(l, "-"+word):
			ranked[1] = append(ranked[1], o)
		case strings.Contains(l, word), strings.Contains(strings.ToLower(schema.Label(o.Insert)), word):
			ranked[2] = append(ranked[2], o)
		}
		seen[o.Insert] = true
	}
	out := slices.Concat(ranked[0], ranked[1], ranked[2])
	return out[:min(len(out), maxOffers)]
}

// triggerOf is the event type whose fields conditions may read.
func triggerOf(text string) string {
	m := triggerLine.FindStringSubmatch(text)
	switch {
	case m == nil:
		return ""
	case m[1] == "schedule":
		return OnSchedule
	case m[1] == "" || strings.HasPrefix(m[1], "{"):
		return OnAbsence
	}
	return strings.Trim(m[1], `"'`)
}

// unclosed is the place of the last { of a line that no } closes, or -1.
func unclosed(line string) int {
	var open []int
	text := false
	for i := range len(line) {
		switch {
		case line[i] == '"':
			text = !text
		case text:
		case line[i] == '{':
			open = append(open, i)
		case line[i] == '}' && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if len(open) == 0 {
		return -1
	}
	return open[len(open)-1]
}

// lastOutside is the last place of a byte outside of brackets and quoted text, or -1.
func lastOutside(s string, b byte) int {
	depth, text, at := 0, false, -1
	for i := range len(s) {
		switch {
		case s[i] == '"':
			text = !text
		case text:
		case strings.IndexByte("{[(", s[i]) >= 0:
			depth++
		case strings.IndexByte("}])", s[i]) >= 0:
			depth--
		case s[i] == b && depth == 0:
			at = i
		}
	}
	return at
}

func cutKey(part string) (key, value string, ok bool) {
	m := keyOfLine.FindStringSubmatch(part)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

func keyBefore(line string) string {
	line = strings.TrimRight(line, " ")
	if !strings.HasSuffix(line, ":") {
		return ""
	}
	return nameBefore.FindString(strings.TrimSuffix(line, ":"))
}

// indent is how far a line stands in; the dash of a list counts.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
