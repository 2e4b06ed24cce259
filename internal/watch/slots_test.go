package watch

import (
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/store"
)

func TestSlots(t *testing.T) {
	for _, c := range []struct {
		slot store.Slot
		want string // in the title and the detail
	}{
		{store.Slot{Name: "a", Held: slotHolds - 1}, ""},
		{store.Slot{Name: "b", Held: 3 << 30}, "The replication slot b keeps 3072 MB of the server's log | nobody reads from it"},
		{store.Slot{Name: "c", Held: 20 << 30, Active: true}, "The replication slot c keeps 20 GB of the server's log | its replica lags behind"},
		{store.Slot{Name: "d", Lost: true}, "The replica of the slot d cannot go on | had not read yet"},
	} {
		bs := heldBy([]store.Slot{c.slot}, time.Now())
		if c.want == "" {
			if len(bs) != 0 {
				t.Errorf("%+v: %+v", c.slot, bs)
			}
			continue
		}
		title, detail, _ := strings.Cut(c.want, " | ")
		if len(bs) != 1 || bs[0].Title != title || !strings.Contains(bs[0].Detail, detail) || bs[0].Subject != "slots:"+c.slot.Name || !strings.Contains(bs[0].Next, "pg_drop_replication_slot('"+c.slot.Name) {
			t.Errorf("%+v", bs)
		}
	}
}
