package automation

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"orderly.example/orderly/internal/rule"
)

func made(t *testing.T, name, mode, when string) *Automation {
	t.Helper()
	text := fmt.Sprintf("automation: %s\nowner: a@shop.example\nwhy: b\non: order.placed\nwhen: '%s'\nmode: %s\ndo:\n  - tag: x\n", name, when, mode)
	a, err := Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSet(t *testing.T) {
	const velocity = `velocity("order.placed", "order.ip", "1h") > 3`
	s := NewSet([]*Automation{
		made(t, "c", "active", velocity+" && order.units > 2"),
		made(t, "a", "shadow", velocity),
		made(t, "paused", "paused", "order.line_count > 1"),
		made(t, "draft", "draft", "order.line_count > 1"),
		made(t, "b", "canary\nshare: 50", "order.units > 5"),
	})
	names := func(as []*Automation) string {
		var out []string
		for _, a := range as {
			out = append(out, a.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(s.On("order.placed")); got != "a b c" {
		t.Errorf("on: got %q", got)
	}
	if got := names(s.All()); got != "a b c draft paused" {
		t.Errorf("all: got %q", got)
	}
	if s.Get("paused") == nil || s.Get("nothing") != nil || s.On("stock.low") != nil {
		t.Error("get or on of what is not there")
	}
	fact := rule.VelocityFact("order.placed", "order.ip", time.Hour)
	if got, want := s.Fields("order.placed"), []string{"order.units", fact}; !reflect.DeepEqual(got, want) {
		t.Errorf("fields: got %q, want %q", got, want)
	}
	if vs := s.Velocities("order.placed"); len(vs) != 1 || vs[0].Fact != fact {
		t.Errorf("velocities: got %v", vs)
	}
	if n := testing.AllocsPerRun(100, func() { s.On("order.placed"); s.Fields("order.placed"); s.Velocities("x") }); n != 0 {
		t.Errorf("On allocates %v times", n)
	}
}

func TestDuplicateNames(t *testing.T) {
	text, err := os.ReadFile(starterDir + "/daily-report.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseFS(fstest.MapFS{"a.yaml": {Data: text}, "b/c.yml": {Data: text}, "notes.txt": {Data: []byte("[")}})
	if err == nil || !strings.Contains(err.Error(), "b/c.yml: the name daily-report is already taken by a.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestCanaryIsStable(t *testing.T) {
	a := made(t, "x", "canary\nshare: 30", "true")
	in := 0
	for i := range 10000 {
		id := fmt.Sprintf("ord_%d", i)
		first := a.Acts(id)
		if first != a.Acts(id) {
			t.Fatal("not stable")
		}
		wider := *a
		wider.Share = 60
		if first && !wider.Acts(id) {
			t.Fatal("a larger share lost an order that was in")
		}
		if first {
			in++
		}
	}
	if n := testing.AllocsPerRun(100, func() { a.Acts("ord_1") }); n != 0 {
		t.Errorf("Acts allocates %v times", n)
	}
	// An order that was in must stay in over releases.
	if h := hash("hold-large-orders", "ord_0000000000000001"); h != 0xf5ca95fc9dd19e15 {
		t.Errorf("the hash changed: %#x", h)
	}
	if hash("ab", "c") == hash("a", "bc") {
		t.Error("where the name ends does not count")
	}
	if in < 2800 || in > 3200 {
		t.Errorf("30%% of 10000 are %d", in)
	}
	for mode, want := range map[Mode]bool{Active: true, Shadow: false, Draft: false, Paused: false} {
		b := *a
		if b.Mode = mode; b.Acts("ord_1") != want {
			t.Errorf("%s acts: %v", mode, !want)
		}
	}
}
