package schema

import (
	"slices"
	"testing"
)

// The map would be silent about a field or an event that belongs to no datum.
func TestEverythingBelongsToADatum(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Data() {
		if seen[d.Name] || d.Doc == "" || d.System == "" {
			t.Errorf("the datum %q is there twice, or says too little", d.Name)
		}
		seen[d.Name] = true
		for _, f := range d.Fields {
			if !slices.ContainsFunc(Fields(""), func(x Field) bool { y, _ := DatumOfField(x.Name); return y.Name == d.Name }) {
				t.Errorf("no field of the catalogue is %q, which %s claims", f, d.Name)
			}
		}
	}
	for _, f := range Fields("") {
		if _, ok := DatumOfField(f.Name); !ok {
			t.Errorf("%s belongs to no datum", f.Name)
		}
	}
	for _, typ := range Events() {
		if len(DataOfEvent(typ)) == 0 {
			t.Errorf("events of type %s are about no datum", typ)
		}
	}
	for from, to := range follows {
		for _, typ := range append(to, from) {
			if !KnownEvent(typ) {
				t.Errorf("%s is no event type", typ)
			}
		}
	}
	if d := DataOfEvent("order.placed"); d[0].Name != "order" {
		t.Errorf("order.placed is mostly about %s", d[0].Name)
	}
}
