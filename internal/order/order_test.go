package order

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"orderly.example/orderly/internal/money"
)

func TestStateTable(t *testing.T) {
	for _, from := range States() {
		if from.Terminal() && len(next[from]) != 0 {
			t.Errorf("%s is terminal but may go to %v", from, next[from])
		}
		if !from.Terminal() && len(next[from]) == 0 {
			t.Errorf("%s leads nowhere and is not terminal: orders would be stuck", from)
		}
		if from.CanGo(Expected) {
			t.Errorf("%s may become expected: a placed order cannot be unplaced", from)
		}
	}
	if len(next) != len(States()) {
		t.Errorf("the table has %d states, the list %d", len(next), len(States()))
	}
}

// TestEveryStateIsReachedAndEnds: from expected every state can be reached, and from every state an end.
func TestEveryStateIsReachedAndEnds(t *testing.T) {
	reach := func(from State) map[State]bool {
		seen := map[State]bool{from: true}
		for todo := []State{from}; len(todo) > 0; todo = todo[1:] {
			for _, n := range next[todo[0]] {
				if !seen[n] {
					seen[n] = true
					todo = append(todo, n)
				}
			}
		}
		return seen
	}
	fromStart := reach(Expected)
	for _, s := range States() {
		if !fromStart[s] {
			t.Errorf("no path leads to %s", s)
		}
		if r := reach(s); !r[Completed] && !r[Cancelled] {
			t.Errorf("no path leads from %s to an end", s)
		}
	}
}

func TestGoFollowsTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &Order{ID: "ord_x", State: Expected}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			to := rapid.SampledFrom(States()).Draw(t, "to")
			was := o.State
			err := o.Go(to)
			switch allowed := was == to || was.CanGo(to); {
			case allowed && (err != nil || o.State != to):
				t.Fatalf("%s to %s: %v, now %s", was, to, err, o.State)
			case !allowed && (err == nil || o.State != was):
				t.Fatalf("%s to %s is not in the table but gave %v, now %s", was, to, err, o.State)
			}
		}
	})
}

func TestSubtotalAndUnits(t *testing.T) {
	o := &Order{Currency: "EUR", Lines: []Line{
		{SKU: "A", Qty: 3, UnitPrice: money.New(199, "EUR")},
		{SKU: "B", Qty: 1, UnitPrice: money.New(0, "EUR")},
	}}
	if got := o.Subtotal(); got != money.New(597, "EUR") {
		t.Errorf("subtotal %v", got)
	}
	if o.Units() != 4 {
		t.Errorf("units %d", o.Units())
	}
}

// TestCloneSharesNothingThatChanges fills every slice of an order by reflection, so that a field
// added later is covered: a shared slice would let a failed decision change the working set.
func TestCloneSharesNothingThatChanges(t *testing.T) {
	o := &Order{}
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice {
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
	c := reflect.ValueOf(o.Clone()).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Pointer() == c.Field(i).Pointer() {
			t.Errorf("a clone shares %s with its original", name)
		}
	}
}
