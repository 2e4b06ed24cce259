package rule

import (
	"slices"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/schema"
)

// Near is a value of what a test looks at, as people type it, for which the test is true (hit) or false,
// as near to its line as there is one. It is false when none is known, as of two fields compared.
func (p *Part) Near(hit bool) (string, bool) {
	if p.Kind != PartTest || p.Right.Term != nil || p.Left.Type != schema.Bool && len(p.Right.Values) == 0 {
		return "", false
	}
	op := p.Op
	if rest, ok := strings.CutPrefix(op, "!"); ok {
		if op = rest; op == "=" {
			op = "=="
		}
		hit = !hit
	}
	switch p.Left.Type {
	case schema.Bool:
		return strconv.FormatBool(hit), true
	case schema.Int:
		n, err := strconv.ParseInt(p.Right.Values[0], 10, 64)
		if err != nil || op == OpIn {
			return "", false
		}
		return strconv.FormatInt(n+step(op, hit), 10), true
	case schema.Money:
		a, err := money.ParseText(p.Right.Values[0])
		if err != nil {
			return "", false
		}
		a.Minor += step(op, hit)
		return a.String(), true
	case schema.String, schema.Strings:
		return p.nearText(op, hit)
	}
	return "", false
}

// step is how far from the constant of a comparison the nearest value is for which it holds, or does not.
func step(op string, hit bool) int64 {
	switch op {
	case ">":
		if hit {
			return 1
		}
	case "<":
		if hit {
			return -1
		}
	case ">=":
		if !hit {
			return -1
		}
	default: // ==, <=
		if !hit {
			return 1
		}
	}
	return 0
}

// otherTexts are what a text may be that is none of those asked for, by its format.
var otherTexts = map[string][]string{
	"":        {"other", "another", "none-of-these"},
	"country": {"US", "JP", "BR", "ZA", "NZ"},
	"sku":     {"OTHER-1", "ELSE-1", "none-of-these"},
}

func (p *Part) nearText(op string, hit bool) (string, bool) {
	v := p.Right.Values[0]
	if hit {
		switch op {
		case OpStarts:
			return v + "1", true
		case OpEnds:
			return "1" + v, true
		case OpMatches:
			return "", false
		}
		return v, true
	}
	others := otherTexts[schema.Format(p.Left.Name)]
	if others == nil {
		others = otherTexts[""]
	}
	if strings.HasSuffix(p.Left.Name, "postal") {
		others = []string{"10115", "90210"}
	}
	if schema.Format(p.Left.Name) == "country" { // however many are listed, some code is left
		others = slices.Clone(others)
		for a := 'A'; a <= 'Z'; a++ {
			for b := 'A'; b <= 'Z'; b++ {
				others = append(others, string([]rune{a, b}))
			}
		}
	}
	i := slices.IndexFunc(others, func(s string) bool {
		switch op {
		case OpStarts:
			return !strings.HasPrefix(s, v)
		case OpEnds:
			return !strings.HasSuffix(s, v)
		case OpContains:
			return !strings.Contains(s, v)
		case OpMatches:
			return false
		}
		return !slices.Contains(p.Right.Values, s)
	})
	if i < 0 {
		return "", false
	}
	return others[i], true
}
