package decide_test

import (
	"fmt"
	"testing"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/routing"
	"orderly.example/orderly/internal/stock"
)

// Every location of the shop is told why it does not ship, also one that never kept the product;
// of very many they are counted.
func TestLocationsWithoutTheProductAreTold(t *testing.T) {
	s := newShop(t)
	s.pol.Locations[stock.Opening] = catalog.Location{ID: stock.Opening}
	s.pol.Locations["shut"] = catalog.Location{ID: "shut", Closed: true}
	s.receive("MUG", "a", 10)
	s.do(placed("1", line("MUG", 1)))
	plan := s.last.Trace.Routing
	got := map[string]string{}
	for _, c := range plan.Candidates {
		got[c.Location] = c.Reason
	}
	if len(got) != 3 || got["a"] != "ships 1 unit" || got["b"] != "keeps none of it" || got["shut"] != "closed" || len(plan.More) != 0 {
		t.Errorf("candidates %v, more %v", got, plan.More)
	}

	for i := range 40 {
		id := fmt.Sprintf("seller-%02d", i)
		s.pol.Locations[id] = catalog.Location{ID: id, Capacity: 3}
	}
	s.do(placed("2", line("MUG", 1)))
	plan = s.last.Trace.Routing
	if len(plan.Candidates) != 1 || len(plan.More) != 1 || plan.More[0] != (routing.Tally{Reason: "keeps none of it", Count: 42}) {
		t.Errorf("candidates %v, more %v", plan.Candidates, plan.More)
	}
	s.do(placed("3", line("CUP", 1))) // nobody keeps it
	plan = s.last.Trace.Routing
	if len(plan.Candidates) != 0 || len(plan.More) != 1 || plan.More[0].Count != 43 {
		t.Errorf("candidates %v, more %v", plan.Candidates, plan.More)
	}
}
