package main

import (
	"encoding/json"
	"strings"
	"testing"

	"orderly.example/orderly/internal/rule"
)

type facts map[string]any

func (f facts) Fact(name string) (any, bool) { v, ok := f[name]; return v, ok }

func TestExplanationsHidePersons(t *testing.T) {
	c, err := rule.Compile(`customer.email.endsWith("@throwaway.example") || order.units > 5`, "order.placed")
	if err != nil {
		t.Fatal(err)
	}
	n := c.Explain(facts{"customer.email": "kim@shop.example", "order.units": int64(3)})
	if plain := strings.Join(sentences(n), "; "); !strings.Contains(plain, "kim@shop.example") {
		t.Fatalf("the explanation does not show the value at all: %s", plain)
	}
	m := maskPersonal(n)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	shown := string(b) + strings.Join(sentences(m), "; ")
	if strings.Contains(shown, "kim@") || !strings.Contains(shown, hidden) || !strings.Contains(shown, "order.units") {
		t.Errorf("masked: %s", shown)
	}
	if strings.Join(sentences(n), "; ") == strings.Join(sentences(m), "; ") {
		t.Error("masking changed the original")
	}
}
