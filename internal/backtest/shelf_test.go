package backtest

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"orderly.example/orderly/internal/money"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// TestOrdersComeBackFromTheFile: a shelf that has room for eight keeps hundreds, as they were when they were put there last.
func TestOrdersComeBackFromTheFile(t *testing.T) {
	const room, many = 8, 300
	s := newShelf(room)
	made := func(i, rev int) *bundle {
		id := fmt.Sprint("ord_", i)
		at := time.UnixMicro(int64(i) * 1e6).UTC()
		return &bundle{
			Order: &order.Order{
				ID: id, Number: fmt.Sprint(i), State: order.Held, PlacedAt: at, UpdatedAt: at, Rev: int64(rev), Total: money.New(int64(i), "EUR"),
				Lines: []order.Line{{SKU: "MUG", Qty: int64(i)}}, Holds: []order.Hold{{Automation: "a", Text: "München"}}, Tags: []string{"x"},
			},
			Tasks: []*task.Task{{ID: "tsk_" + id, Subject: id, Due: at}},
		}
	}
	put := func(i, rev int) {
		if err := s.put(fmt.Sprint("ord_", i), made(i, rev)); err != nil {
			t.Fatal(err)
		}
		if len(s.hot) > room+1 {
			t.Fatalf("%d orders in memory", len(s.hot))
		}
	}
	for i := range many {
		put(i, 1)
	}
	for i := 0; i < many; i += 3 {
		put(i, 2)
	}
	for i := many - 1; i >= 0; i-- {
		b, err := s.get(fmt.Sprint("ord_", i))
		if err != nil || b == nil {
			t.Fatal(i, b, err)
		}
		want := made(i, 1)
		if i%3 == 0 {
			want = made(i, 2)
		}
		if !reflect.DeepEqual(b.Order, want.Order) || !reflect.DeepEqual(b.Tasks, want.Tasks) {
			t.Fatalf("%+v %+v\nwas put there as\n%+v %+v", b.Order, b.Tasks[0], want.Order, want.Tasks[0])
		}
	}
	if b, err := s.get("ord_none"); b != nil || err != nil {
		t.Error(b, err)
	}
	name := s.file.Name()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}
