package proof

import (
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/rule"
	"orderly.example/orderly/internal/schema"
)

// maxParts bounds the parts of a condition that are looked at one by one and in pairs.
const maxParts = 12

// culprit names the part of a condition because of which it can never be true, or the two that exclude each other; ""
// when it is not so simple.
func (c *checker) culprit(cond *rule.Condition) string {
	var parts []*rule.Condition
	for _, text := range cond.All() {
		part, err := rule.Compile(text, cond.EventType())
		if err != nil {
			return "" // it reads what steps have named
		}
		parts = append(parts, part)
	}
	if len(parts) > maxParts {
		return ""
	}
	never := func(asks ...rule.Ask) bool {
		v, _ := c.solve(asks...)
		return v == rule.Impossible
	}
	if len(parts) == 1 {
		if text := c.alternatives(parts[0]); text != "" {
			return text
		}
	}
	for _, p := range parts {
		if len(parts) > 1 && never(rule.IsTrue(p)) || len(parts) == 1 {
			text := ""
			if len(parts) > 1 {
				text = ": " + p.Source() + " never is"
			}
			return text + firstText(c.alternatives(p), meaning(p))
		}
	}
	for i, p := range parts {
		for _, q := range parts[:i] {
			if never(rule.IsTrue(q), rule.IsTrue(p)) {
				return ": " + q.Source() + " and " + p.Source() + " exclude each other"
			}
		}
	}
	return ""
}

// alternatives says of each part that || joins why it can never hold; "" when there are no such parts.
func (c *checker) alternatives(cond *rule.Condition) string {
	texts := cond.Any()
	if len(texts) < 2 || len(texts) > maxParts {
		return ""
	}
	out := ": none of the alternatives can hold"
	for i, text := range texts {
		part, err := rule.Compile(text, cond.EventType())
		if err != nil {
			return "" // it reads what steps have named
		}
		out += []string{": ", ", nor "}[min(i, 1)] + text + c.culprit(part)
	}
	return out
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// meaning says how the one text that a part compares is written, as "Germany" is no country.
func meaning(p *rule.Condition) string {
	fields := p.Fields()
	if len(fields) != 1 {
		return ""
	}
	f, ok := schema.Lookup(fields[0])
	if !ok || f.Type != schema.String || schema.Format(f.Name) == "" && schema.Options(f.Name) == nil {
		return ""
	}
	switch schema.Format(f.Name) {
	case "country":
		for _, v := range rule.Constants(p.Source()) {
			if code, ok := geo.CountryCode(v); ok && code != v {
				return "; write " + code + " for " + v
			}
		}
		return "; a country is written with its two capital letters, like DE"
	case "currency":
		return "; a currency is written with its three capital letters, like EUR"
	}
	return "; write " + f.Name + " as " + f.Unit
}
