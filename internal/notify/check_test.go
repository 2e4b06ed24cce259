package notify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/fault"
)

// TestProblems: each mistake is reported with its file and line, and what to do.
func TestProblems(t *testing.T) {
	head := "---\nsubject: s\n---\n" // the text begins in line 4
	for _, c := range []struct {
		name, src string
		want      string // "line: message"
	}{
		{"unknown variable", head + "Hello {{ customer.nmae }}", "4: customer has no part \"nmae\"; did you mean name?"},
		{"unknown root", head + "a\nb\n{{ costumer.name }}", `6: there is no variable "costumer"; did you mean customer?`},
		{"last part alone", head + "{{ tracking }}", `4: there is no variable "tracking"; did you mean shipment.tracking?`},
		{"in a branch never taken", head + "{% if false %}\n{{ order.nummer }}\n{% endif %}", "5: order has no part \"nummer\"; did you mean number?"},
		{"in a condition", head + "{% if order.totl %}x{% endif %}", "4: order has no part \"totl\"; did you mean total?"},
		{"in an argument", head + `{{ reason | default: resaon }}`, `4: there is no variable "resaon"; did you mean reason?`},
		{"in a loop", head + "{% for l in order.lines %}\n{{ l.skuu }}{% endfor %}", "5: l has no part \"skuu\"; did you mean sku?"},
		{"loop variable after its loop", head + "{% for l in order.lines %}{{ l.sku }}{% endfor %}{{ l.sku }}", `4: there is no variable "l"`},
		{"in the subject", "---\n# note\nsubject: {{ order.numbr }}\n---\nx", "3: order has no part \"numbr\"; did you mean number?"},
		{"in the HTML", head + "text\n--- html ---\n<p>\n{{ order.numbr }}</p>", "7: order has no part \"numbr\"; did you mean number?"},
		{"a group", head + "{{ order }}", "4: order is a group; write one of its parts:"},
		{"a list of groups", head + "{{ order.lines }}", "4: order.lines is a list; write {% for x in order.lines %}"},
		{"part of a value", head + "{{ order.number.first }}", `4: order.number is a value and has no part "first"`},
		{"part of a list", head + "{{ order.lines.sku }}", "4: order.lines is a list"},
		{"loop over a value", head + "{% for x in order.number %}{{ x }}{% endfor %}", "4: order.number is no list"},
		{"unknown filter", head + "{{ order.number | upcas }}", `4: there is no filter "upcas"; did you mean upcase?`},
		{"filter of the engine", head + "{{ order.number | split: ',' }}", `4: there is no filter "split"`},
		{"date filter", head + "{{ order.placed_on | date: '%Y' }}", `4: there is no filter "date"`},
		{"too many arguments", head + "{{ order.number | upcase: 1 }}", "4: the filter upcase takes no argument"},
		{"too few arguments", head + "{{ order.number | replace: 'a' }}", "4: the filter replace takes two texts"},
		{"fails when written", head + "{{ order.units | divided_by: 0 }}", "nothing can be divided by zero"},
		{"unknown tag", head + "{% iff x %}", `4: there is no tag "iff"; did you mean if?`},
		{"include", head + "{% include 'other' %}", "4: {% include %} is not allowed: a template cannot read other files"},
		{"render", head + "{% render '/etc/passwd' %}", "4: {% render %} is not allowed"},
		{"capture", head + "{% capture x %}{% endcapture %}", "4: {% capture %} is not allowed"},
		{"range", head + "{% for i in (1..1000000000) %}x{% endfor %}", "4: a range (a..b) cannot be used here"},
		{"range as a value", head + "{{ (1..9) | join }}", "4: a range (a..b) cannot be used here"},
		{"deep loops", head + strings.Repeat("{% for a in order.lines %}", 3) + strings.Repeat("{% endfor %}", 3), "4: loops stand more than 2 deep"},
		{"deep blocks", head + strings.Repeat("{% if true %}", 40) + strings.Repeat("{% endif %}", 40), "4: blocks stand more than 30 deep"},
		{"open block", head + "x\n{% if true %}\ny", "5: {% if %} is not closed by {% endif %}"},
		{"wrong end", head + "{% if true %}\n{% endfor %}", "5: {% endfor %} closes nothing; {% if %} of line 4 is open"},
		{"stray end", head + "{% endif %}", "4: {% endif %} closes nothing"},
		{"stray else", head + "{% else %}", "4: {% else %} stands in no if, unless, case, for"},
		{"stray when", head + "{% if true %}{% when 1 %}{% endif %}", "4: {% when %} stands in no case; {% if %} of line 4 is open"},
		{"break outside", head + "{% break %}", "4: {% break %} stands in no loop"},
		{"open braces", head + "a {{ order.number }\n", "4: {{ is not closed"},
		{"over two lines", head + "x\n{{ order.number\n| upcase }}", "5: {{ is not closed"},
		{"open comment", head + "{% comment %} x", "{% endcomment %} is missing"},
		{"open raw", head + "{% raw %} x", "{% endraw %} is missing"},
		{"open quote", head + `{{ "a }}`, "4: a text in quotes is not closed"},
		{"huge number", head + "{{ 99999999999999999999 }}", "4: the number 99999999999999999999 is too long"},
		{"semicolon", head + "{{ order.number; }}", "4: the character “;” has no meaning here"},
		{"syntax", head + "{{ order.number order.total }}", "4: "},
		{"escape from the brackets", head + "{{ order.number) | upcase | (reason }}", "4: "},
		{"assign over data", head + "{% assign order = 1 %}", `4: the name "order" is taken`},
		{"assign over the loop", head + "{% assign forloop = 1 %}", `4: the name "forloop" is taken`},
		{"assign over ours", head + "{% assign __state = 1 %}", `4: the name "__state" is taken`},
		{"assign of nothing", head + "{% assign x %}", "4: write {% assign name = value %}"},
		{"our inner names", head + "{% __tick %}", `4: there is no tag "__tick"`},
		{"our inner filter", head + "{{ order.number | __out }}", `4: there is no filter "__out"`},
		{"our inner variable", head + "{{ __state }}", `4: there is no variable "__state"`},
		{"loop name", head + "{% for order in order.lines %}{% endfor %}", `4: the name "order" is taken`},
		{"loop form", head + "{% for l order.lines %}{% endfor %}", "4: write {% for x in order.lines %}"},
		{"lines of what", head + "{% lines %}", "4: write {% lines order %}"},
		{"address of what", head + "{% address customer %}", "4: write {% address order %}"},
		{"figures of", head + "{% figures report %}", "4: {% figures %} takes nothing"},
		{"button to anywhere", head + `{% button "https://evil.example", "Open" %}`, "4: write {% button link"},
		{"lines in the subject", "---\nsubject: a {% lines order %}\n---\nx", "2: {% lines %} cannot stand in a subject"},
		{"index that is no number", head + "{{ order.lines[reason].sku }}", "4: order.lines[…]: only a number"},
		{"too many parts", head + "{% if " + strings.Repeat("reason or ", 40) + "reason %}{% endif %}", "4: the expression has 41 parts; at most 30"},
		{"no head", "subject: x", "1: the file begins with a head"},
		{"open head", "---\nsubject: x\ntext", "1: the head is not closed"},
		{"no subject", "---\n---\nx", "1: the head has no subject"},
		{"two subjects", "---\nsubject: a\nsubject: b\n---\nx", "3: subject is given twice"},
		{"unknown key", "---\nsubject: a\nsubjcet: b\n---\nx", `3: the head has no "subjcet"; did you mean subject?`},
		{"no key", "---\nsubject: a\nwhat\n---\nx", `3: write "subject: …"`},
		{"no text", head + "  \n--- html ---\n<p>x</p>", "4: the plain text is missing"},
		{"two HTML parts", head + "x\n--- html ---\n--- html ---\n", "6: a second --- html ---"},
		{"not UTF-8", head + "\xff", "1: the file is not UTF-8"},
		{"NUL", head + "a\n\x00", "5: the file holds a NUL byte"},
		{"too large", head + strings.Repeat("x", maxSource), "1: the file has"},
		{"empty", "", "1: the file begins with a head"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("test", []byte(c.src))
			fe, ok := errors.AsType[*fault.Error](err)
			if !ok || fe.Kind != fault.Invalid || len(fe.Problems) == 0 {
				t.Fatalf("Parse = %v, want problems", err)
			}
			var all []string
			for _, p := range fe.Problems {
				if !strings.HasPrefix(p.Pointer, "templates/test.liquid") {
					t.Errorf("pointer %q", p.Pointer)
				}
				all = append(all, strings.TrimPrefix(p.Pointer, "templates/test.liquid:")+": "+p.Message)
			}
			if text := strings.Join(all, "\n"); !strings.Contains(text, c.want) || (strings.Contains(text, "__out") && !strings.Contains(c.src, "__out")) {
				t.Errorf("problems:\n%s\nwant %s", text, c.want)
			}
		})
	}
	if _, err := Parse("../x", []byte(head+"x")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a path as a name: %v", err)
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := Parse("test", []byte("---\nsubject: {{ a }}\n---\n{{ b }}\n{{ c }}\n--- html ---\n{{ d }}\n"))
	fe, _ := errors.AsType[*fault.Error](err)
	if fe == nil || len(fe.Problems) != 4 {
		t.Fatalf("%v", err)
	}
	for i, line := range []string{":2", ":4", ":5", ":7"} {
		if !strings.HasSuffix(fe.Problems[i].Pointer, line) {
			t.Errorf("problem %d is at %s, want %s", i, fe.Problems[i].Pointer, line)
		}
	}
}

func TestTheLanguage(t *testing.T) {
	d := Sample()
	d.Reason = "a < b"
	for src, want := range map[string]string{
		"{{ order.number }}":                                "1001",
		"{{order.number}}|{{- order.number -}} |":           "1001|1001|",
		"{{ reason }}":                                      "a < b",
		"{{ order.units | plus: 1 | times: 2 }}":            "8",
		"{{ order.units | minus: 5 }}":                      "-2",
		"{{ order.units | divided_by: 2 }}":                 "1",
		`{{ "x" | append: order.number | prepend: "#" }}`:   "#x1001",
		`{{ "abcabc" | replace: "b", "--" | remove: "c" }}`: "a--a--",
		`{{ "hello world" | truncate: 6 | upcase }}`:        "HELLO…",

		`{{ "ärger" | capitalize }} {{ "" | capitalize }} {{ " x " | strip | downcase }}`:                                    "Ärger  x",
		`{{ order.address | join: " / " }}`:                                                                                  "Pat Sample / 2 Example Road / 20000 Exampleton / DE",
		`{{ order.address }}`:                                                                                                "Pat Sample, 2 Example Road, 20000 Exampleton, DE",
		`{{ order.address | size }} {{ order.lines.size }} {{ order.number | size }}`:                                        "4 2 4",
		`{{ customer.name | default: "you" }} {{ order.lines[1].price | default: "-" }}`:                                     "Pat Sample €34.90",
		`{{ "a b&c" | url_encode }}`:                                                                                         "a+b%26c",
		`{{ order.lines.first.sku }} {{ order.lines.last.sku }} {{ order.lines[0].title }}`:                                  "TEA-250 POT-1 Sample green tea, 250 g",
		"{% if order.units > 2 and order.lines.size == 2 %}yes{% else %}no{% endif %}":                                       "yes",
		"{% if order.units < 2 or reason contains 'zzz' %}yes{% elsif true %}other{% endif %}":                               "other",
		"{% unless order.discount %}no discount{% else %}discount{% endunless %}":                                            "discount",
		"{% case order.units %}{% when 1 %}one{% when 2, 3 %}few{% else %}many{% endcase %}":                                 "few",
		"{% for l in order.lines %}{{ forloop.index }}:{{ l.qty }}{% unless forloop.last %}, {% endunless %}{% endfor %}":    "1:2, 2:1",
		"{% for l in order.lines reversed limit: 1 %}{{ l.sku }}{% else %}none{% endfor %}":                                  "POT-1",
		"{% for l in shipment.lines offset: 1 %}{{ l.sku }}{% else %}none{% endfor %}":                                       "none",
		"{% for l in order.lines %}{% if l.qty == 2 %}{% continue %}{% endif %}{{ l.sku }}{% break %}{% endfor %}":           "POT-1",
		"{% assign n = order.units | plus: 1 %}{{ n }}{% assign ls = order.lines %}{% for l in ls %}{{ l.qty }}{% endfor %}": "421",
		"{% comment %}{{ nothing.here }} {% iff %}{% endcomment %}x":                                                         "x",
		"{% raw %}{{ nothing }}{% endraw %}":                                                                                 "{{ nothing }}",
		"{{ true }} {{ 1.5 }} {{ -3 }} {{ nil }}.":                                                                           "true 1.5 -3 .",
	} {
		tpl, err := Parse("test", []byte("---\nsubject: s\n---\n{% if shop.name %}.{% endif %}"+src))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		r := written(t, tpl, d)
		got, _, _ := strings.Cut(strings.TrimPrefix(r.Text, "."), "\n\n-- \n")
		if got != strings.TrimRight(want, " ") {
			t.Errorf("%s\n gives %q\n want  %q", src, got, want)
		}
	}
}

func TestUnknownIsNil(t *testing.T) {
	tpl := parse(t, "x{% if order.promise %}promise{% endif %}{% if order.discount %}discount{% endif %}{% if reason %}reason{% endif %}{% if link %}link{% endif %}", "")
	if r := written(t, tpl, Data{}); r.Text != "x\n" {
		t.Errorf("text %q", r.Text)
	}
}

func TestHTMLEscapesByDefault(t *testing.T) {
	d := Sample()
	d.Reason = "a < b\n\"c\" & 'd'"
	tpl := parse(t, "{{ reason }}", `<p title="{{ reason }}">{{ reason | upcase }}{{ "<b>" }}</p>`)
	r := written(t, tpl, d)
	if !strings.Contains(r.Text, "a < b\n\"c\" & 'd'") {
		t.Errorf("text %q", r.Text)
	}
	for _, want := range []string{`title="a &lt; b<br>` + "\n" + `&#34;c&#34; &amp; &#39;d&#39;"`, "A &lt; B<br>", "&lt;b&gt;</p>"} {
		if !strings.Contains(r.HTML, want) {
			t.Errorf("the HTML lacks %q:\n%s", want, r.HTML)
		}
	}
}

// TestLimits: templates that pass the checker but would run away with real data are stopped.
func TestLimits(t *testing.T) {
	big := Sample()
	for len(big.Order.Lines) < maxLines {
		big.Order.Lines = append(big.Order.Lines, big.Order.Lines[0])
	}
	big.Reason = strings.Repeat("r", maxManyLine)
	for name, c := range map[string]struct{ src, want string }{
		"rounds":   {"x{% for a in order.lines %}{% for b in order.lines %}{% endfor %}{% endfor %}", "20000 rounds"},
		"output":   {"x{% for a in order.lines %}{{ reason }}{% endfor %}", "larger than"},
		"doubling": {"x{% assign s = reason %}{% for a in order.lines %}{% assign s = s | append: s %}{% endfor %}", "too long"},
		"replace":  {"x{% assign s = reason | replace: 'r', reason %}", "too long"},
		"join":     {"x{% assign s = reason | append: reason | append: reason | append: reason %}{{ s | append: s }}", "too long"},
	} {
		tpl := parse(t, c.src, "")
		start := time.Now()
		_, err := Render(tpl, big)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func TestTemplatesAreSafeForConcurrentUse(t *testing.T) {
	tpl := parse(t, "{% assign n = order.units %}{% for l in order.lines %}{% assign n = n | plus: l.qty %}{% endfor %}{{ n }}", "<p>{{ order.number }}</p>")
	done := make(chan string, 16)
	for range 16 {
		go func() {
			r, err := Render(tpl, Sample())
			if err != nil {
				r.Text = err.Error()
			}
			done <- r.Text
		}()
	}
	for range 16 {
		if got := <-done; !strings.HasPrefix(got, "6\n") {
			t.Errorf("text %q", got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, k := range Kinds() {
		b, err := BuiltinSource(k.Name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	head := "---\nsubject: {{ order.number }}\n---\n"
	for _, s := range []string{
		"{% for a in order.lines %}{{ a.sku | default: 'x' }}{% endfor %}", "{{ (order.units) | plus: -1 }}", "{% case reason %}x{% when 'a' %}{% endcase %}",
		"{{ order.lines[0].sku }}{{ order.lines[-1].sku }}", "{% raw %}{{{% endraw %}", "{%- if a -%}{%- endif -%}", "{{ 'a' | append: \"b\" }}", "{% assign x = order %}{{ x.y.z }}",
		"{% button link, \"x\" %}", "x\n--- html ---\n<p>{{ reason }}</p>", "{% if a == b and c contains d or e %}{% elsif f %}{% else %}{% endif %}", "{{ nil.x }}{{ true.y }}", "{% for a in order.address reversed limit: 1 offset: 2 %}{% break %}{% endfor %}",
	} {
		f.Add([]byte(head + s))
	}
	hostileData := hostile()
	f.Fuzz(func(t *testing.T, src []byte) {
		tpl, err := Parse("fuzz", src)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v: %v", fault.KindOf(err), err)
			}
			return
		}
		for _, d := range []Data{{}, Sample(), hostileData} {
			r, err := Render(tpl, d)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatalf("Render: %v", err)
				}
				continue
			}
			if strings.ContainsAny(r.Subject, "\r\n") || r.Subject == "" {
				t.Fatalf("subject %q", r.Subject)
			}
			if strings.Contains(r.HTML, "<script>alert(1)") && !strings.Contains(string(src), "<script>alert(1)") {
				t.Fatalf("data became HTML: %s", r.HTML)
			}
		}
	})
}
