package rule

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// shape writes an outline for comparison: groups and tests, with operators.
func shape(p Part) string {
	s := ""
	if p.Not {
		s = "not "
	}
	switch p.Kind {
	case PartAlways:
		return "always"
	case PartText:
		return s + "text"
	case PartTest:
		l, _ := p.Left.write()
		r := strings.Join(p.Right.Values, "|")
		if p.Right.Term != nil {
			r, _ = p.Right.Term.write()
		}
		return strings.TrimSpace(l + " " + p.Op + " " + r)
	case PartLines:
		return s + p.Op + "(" + shape(p.Parts[0]) + ")"
	}
	var in []string
	for _, c := range p.Parts {
		in = append(in, shape(c))
	}
	return s + string(p.Kind) + "[" + strings.Join(in, ", ") + "]"
}

func TestOutline(t *testing.T) {
	for src, want := range map[string]string{
		"":  "always",
		" ": "always",
		`order.total > money("400", "EUR") && customer.orders == 0`: `all[order.total > 400 EUR, customer.orders == 0]`,
		`(order.units > 1 || order.countries_differ) && !ip.known`:  `all[any[order.units > 1, order.countries_differ true], ip.known !true]`,
		`order.units > 1 && order.parcels > 1 || order.units > 9`:   `any[all[order.units > 1, order.parcels > 1], order.units > 9]`,
		`!(order.units > 1 && ip.known)`:                            `not all[order.units > 1, ip.known true]`,
		`!("vip" in order.tags)`:                                    `order.tags !has vip`,
		`order.shipping.country in ["CH", 'NO']`:                    `order.shipping.country in CH|NO`,
		`!(order.shipping.country in ["CH"])`:                       `order.shipping.country !in CH`,
		`!order.shipping.postal.startsWith("10")`:                   `order.shipping.postal !startsWith 10`,
		`order.lines.exists(l, l.qty > 20 && l.kit)`:                `exists(all[l.qty > 20, l.kit true])`,
		`!order.lines.all(l, l.available >= l.qty)`:                 `not all(l.available >= l.qty)`,
		`velocity("order.placed", "order.ip", "24h") >= 3`:          `velocity("order.placed", "order.ip", "24h") >= 3`,
		`3 < order.units`:                                             `order.units > 3`,
		`ip.known == false`:                                           `ip.known !true`,
		`customer.account_age < duration("72h")`:                      `customer.account_age < 72h`,
		`order.tags.size() > 2 && size(order.lines) == 1`:             `all[order.tags.size() > 2, order.lines.size() == 1]`,
		`order.shipping.country != order.billing.country`:             `order.shipping.country != order.billing.country`,
		`order.units + 1 > 3 && ip.known`:                             `all[text, ip.known true]`,
		`ip.known ? order.units > 1 : order.units > 2`:                `text`,
		`(ip.known ? true : false) && ip.known`:                       `all[text, ip.known true]`,
		`!ip.known == false`:                                          `text`,
		"// why\norder.units > 1 &&\n// and\nip.known // end":         `all[order.units > 1, ip.known true]`,
		`order.units >`:                                               `text`,
		`order.total > 400`:                                           `text`,
		`order.channel == "a\"b"`:                                     `order.channel == a"b`,
		`order.tags.exists(x, x == "a")`:                              `text`,
		`order.lines.exists(l, order.lines.exists(k, k.qty > l.qty))`: `exists(exists(k.qty > l.qty))`,
		`!!ip.known`:          `ip.known true`,
		`order.units > 1 && `: `text`,
	} {
		if got := shape(Outline(src)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", src, got, want)
		}
	}
}

// each calls f for every part with its path.
func each(p *Part, path string, f func(path string, p *Part)) {
	f(path, p)
	for i := range p.Parts {
		sub := index(i)
		if path != "" {
			sub = path + "/" + sub
		}
		each(&p.Parts[i], sub, f)
	}
}

// drawn is a random condition that compiles; one that is too long gives way to a short one.
func drawn(t *rapid.T) string {
	w := &writer{t: t}
	src := w.cond(rapid.IntRange(0, 3).Draw(t, "depth"))
	if _, err := Compile(src, "order.placed"); err != nil {
		return w.leaf()
	}
	return src
}

// Each test that the builder shows, written back, means what it meant.
func TestTestsWrittenBackMeanTheSame(t *testing.T) {
	shown := 0
	rapid.Check(t, func(t *rapid.T) {
		src := drawn(t)
		c, _ := Compile(src, "order.placed")
		root := Outline(src)
		next := src
		each(&root, "", func(path string, p *Part) {
			if p.Kind != PartTest {
				return
			}
			shown++
			text, err := p.Write()
			if err != nil {
				t.Fatalf("%s: %s: %v", src, p.Source(src), err)
			}
			s, err := SetPart(next, path, text)
			if err != nil {
				t.Fatal(err)
			}
			next = s.Apply(next)
		})
		d, err := Compile(next, "order.placed")
		if err != nil {
			t.Fatalf("%s\nbecame %s: %v", src, next, err)
		}
		if a, b := shape(root), shape(Outline(next)); a != b {
			t.Fatalf("%s\nis %s\n%s\nis %s", src, a, next, b)
		}
		for range 4 {
			f := someFacts(t)
			was, _ := c.Eval(f)
			is, _ := d.Eval(f)
			if was != is {
				t.Fatalf("%s is %s\n%s is %s\non %v", src, was, next, is, f)
			}
		}
	})
	if shown == 0 {
		t.Error("no test was shown: the test says nothing")
	}
}

// Every edit of every part gives a condition that compiles and means what the edit says.
func TestRewritesMeanWhatTheySay(t *testing.T) {
	const extra = `order.units > 2 || ip.known`
	rapid.Check(t, func(t *rapid.T) {
		src := drawn(t)
		root := Outline(src)
		var paths []string
		each(&root, "", func(path string, _ *Part) { paths = append(paths, path) })
		path := rapid.SampledFrom(paths).Draw(t, "path")
		p := root.At(path)
		compile := func(s string) *Condition {
			c, err := Compile(s, "order.placed")
			if err != nil {
				if strings.Contains(err.Error(), "the limit is") || strings.Contains(err.Error(), "more than") {
					return nil // the edit made it too long
				}
				t.Fatalf("%s: %s at %q became %s: %v", src, p.Kind, path, s, err)
			}
			return c
		}
		same := func(a, b string) {
			ca, cb := compile(a), compile(b)
			if ca == nil || cb == nil {
				return
			}
			for range 4 {
				f := someFacts(t)
				was, _ := ca.Eval(f)
				is, _ := cb.Eval(f)
				if was != is {
					t.Fatalf("%s at %q\n%s is %s\n%s is %s\non %v", src, path, a, was, b, is, f)
				}
			}
		}
		replace := func(by string) string { return src[:p.Start] + by + src[p.End:] }
		own := "(" + p.Source(src) + ")"
		inner := src[p.core.from:p.core.to]
		if s, err := AddPart(src, path, extra); err != nil {
			t.Fatal(err)
		} else {
			switch {
			case p.group():
				both := "((" + inner + ") " + p.operator() + " (" + extra + "))"
				if p.Not {
					both = "!" + both
				}
				same(s.Apply(src), replace(both))
			default:
				if of, _ := root.parent(path); of == nil || !of.group() {
					same(s.Apply(src), replace("("+own+" && ("+extra+"))"))
				}
			}
		}
		if p.Kind != PartTest {
			s, err := NegatePart(src, path)
			if err != nil {
				t.Fatal(err)
			}
			same(s.Apply(src), replace("(!"+own+")"))
		}
		if p.group() {
			s, err := ToggleGroup(src, path)
			if err != nil {
				t.Fatal(err)
			}
			op := map[PartKind]string{PartAll: " || ", PartAny: " && "}[p.Kind]
			var parts []string
			for i := range p.Parts {
				parts = append(parts, "("+p.Parts[i].Source(src)+")")
			}
			not := ""
			if p.Not {
				not = "!"
			}
			same(s.Apply(src), replace("("+not+"("+strings.Join(parts, op)+"))"))
		}
		if of, i := root.parent(path); of != nil && of.group() {
			s, err := RemovePart(src, path)
			if err != nil {
				t.Fatal(err)
			}
			var parts []string
			for k := range of.Parts {
				if k != i {
					parts = append(parts, "("+of.Parts[k].Source(src)+")")
				}
			}
			not := ""
			if of.Not {
				not = "!"
			}
			want := src[:of.Start] + "(" + not + "(" + strings.Join(parts, of.operator()) + "))" + src[of.End:]
			same(s.Apply(src), want)
			if i > 0 {
				if s, err = MovePart(src, path, -1); err != nil {
					t.Fatal(err)
				}
				same(s.Apply(src), src)
			}
		}
	})
}

func TestRewritesKeepComments(t *testing.T) {
	src := "// large\norder.units > 1 &&\n// new\ncustomer.orders == 0 // last"
	for name, c := range map[string]struct {
		do   func() (Splice, error)
		want string
	}{
		"add":          {func() (Splice, error) { return AddPart(src, "", "ip.known") }, "// large\norder.units > 1 &&\n// new\ncustomer.orders == 0 &&\nip.known // last"},
		"remove first": {func() (Splice, error) { return RemovePart(src, "0") }, "// new\ncustomer.orders == 0 // last"},
		"remove last":  {func() (Splice, error) { return RemovePart(src, "1") }, "// large\norder.units > 1 // last"},
		"exchange":     {func() (Splice, error) { return MovePart(src, "1", -1) }, "// new\ncustomer.orders == 0 &&\n// large\norder.units > 1 // last"},
		"any":          {func() (Splice, error) { return ToggleGroup(src, "") }, "// large\norder.units > 1 ||\n// new\ncustomer.orders == 0 // last"},
	} {
		s, err := c.do()
		if err != nil {
			t.Fatal(name, err)
		}
		if got := s.Apply(src); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func FuzzOutline(f *testing.F) {
	for _, s := range []string{"", "a", "!(", `order.units > 1 && !("x" in order.tags)`, "// c", `r"\"`, `"""a"b"""`, "a.b.exists(l, l.qty > 1)", "!!!!a", "((((a))))", "a in [1,2]", "size()", "velocity(", "1 == 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		root := Outline(src)
		each(&root, "", func(path string, p *Part) {
			if p.Start < 0 || p.End < p.Start || p.End > len(src) || p.lead > p.Start {
				t.Fatalf("%q: %q stands at %d to %d", src, path, p.Start, p.End)
			}
			for _, do := range []func() (Splice, error){
				func() (Splice, error) { return SetPart(src, path, "ip.known") }, func() (Splice, error) { return AddPart(src, path, "ip.known") },
				func() (Splice, error) { return RemovePart(src, path) }, func() (Splice, error) { return MovePart(src, path, 1) },
				func() (Splice, error) { return ToggleGroup(src, path) }, func() (Splice, error) { return NegatePart(src, path) },
			} {
				if s, err := do(); err == nil {
					_ = s.Apply(src)
				}
			}
			if p.Kind == PartTest {
				if text, err := p.Write(); err == nil && shape(Outline(text)) != shape(*p) {
					t.Fatalf("%q was written as %q: %s", p.Source(src), text, fmt.Sprint(shape(*p)))
				}
			}
		})
	})
}
