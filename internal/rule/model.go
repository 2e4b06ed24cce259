package rule

import (
	"strings"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

func isNumber(t schema.Type) bool {
	switch t {
	case schema.Int, schema.Bool, schema.Duration, schema.Money, schema.Time:
		return true
	}
	return false
}

// maxModelLines bounds the order that a model describes.
const maxModelLines = 200

// facts names the facts of a consistent case. It is not ok when it finds none for a text.
func (s *solver) facts(st *state) (Map, bool) {
	texts, ok := s.values(st)
	if !ok {
		return nil, false
	}
	for _, a := range s.asks { // what the solver does not look into may read more than it knows
		if a.cond == nil {
			continue
		}
		for _, name := range a.cond.fields {
			typ := schema.Int // a velocity
			if f, ok := schema.Lookup(name); ok {
				typ = f.Type
			}
			s.variable(name, name, typ)
		}
	}
	numbers := s.numbers(st)
	text := func(v int) string {
		if t, ok := texts[v]; ok {
			return t
		}
		if u := usual[s.vars[v].name]; len(u) > 0 {
			return u[0]
		}
		if s.vars[v].name == "" {
			return "tag-1"
		}
		return "any"
	}
	value := func(v int) any {
		switch x := &s.vars[v]; x.typ {
		case schema.Int:
			return numbers[v]
		case schema.Bool:
			return numbers[v] == 1
		case schema.Duration:
			return time.Duration(numbers[v])
		case schema.Money:
			return money.New(numbers[v], text(x.currency))
		case schema.Time:
			return time.Unix(0, numbers[v]).UTC()
		case schema.Strings:
			return s.list(st, x.name, text)
		case schema.Lines:
			return s.lineList(st, numbers, text)
		}
		return text(v)
	}
	m := Map{}
	for v := 1; v < len(s.vars); v++ {
		x := &s.vars[v]
		if x.key != x.name || x.name == "" || x.name[0] == '?' || x.name == "size" || st.lost(v) {
			continue
		}
		m[x.name] = value(v)
	}
	return m, true
}

// list is a list of text with the elements that the case speaks of, filled up to the size it has.
func (s *solver) list(st *state, name string, text func(int) string) []string {
	out := []string{}
	for _, el := range st.elements {
		if el.list == name {
			out = append(out, text(s.variable(elementKey("", el.id), "", schema.String)))
		}
	}
	return out
}

// lineList is the order's lines: those that the case speaks of, and copies of the last up to their number.
func (s *solver) lineList(st *state, numbers []int64, text func(int) string) []Line {
	out := []Line{}
	for _, el := range st.elements {
		if el.list != "order.lines" {
			continue
		}
		l := Line{SKU: "ITEM-" + string(rune('1'+min(len(out), 8))), Title: "Item", Qty: 1, Available: 100}
		price := int64(1000)
		cur, hasCur := s.ids["order.currency"]
		l.UnitPrice = money.New(price, "EUR")
		if hasCur {
			l.UnitPrice.Currency = text(cur)
		}
		key := elementKey("order.lines", el.id) + "."
		for v := 1; v < len(numbers); v++ {
			field, ok := strings.CutPrefix(s.vars[v].key, key)
			if !ok {
				continue
			}
			switch field {
			case "sku":
				l.SKU = text(v)
			case "title":
				l.Title = text(v)
			case "location":
				l.Location = text(v)
			case "qty":
				l.Qty = numbers[v]
			case "available":
				l.Available = numbers[v]
			case "kit":
				l.Kit = numbers[v] == 1
			case "unit_price":
				l.UnitPrice = money.New(numbers[v], text(s.vars[v].currency))
			}
		}
		out = append(out, l)
	}
	want := len(out)
	for _, key := range []string{"order.line_count", "size(order.lines)"} {
		if v, ok := s.ids[key]; ok && v < len(numbers) && numbers[v] <= maxModelLines {
			want = max(want, int(numbers[v]))
		}
	}
	for len(out) > 0 && len(out) < want {
		out = append(out, out[len(out)-1])
	}
	return out
}
