package watch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly.example/orderly/internal/store"
)

// Disk is how much of the place where the database lies is free; ok is false where that cannot be told.
type Disk func() (free, total int64, ok bool)

const (
	keptSizes  = 15                  // days
	leastFree  = int64(1) << 30      // bytes that should be free at least
	fullWithin = 14 * 24 * time.Hour // at the pace of the last days
)

// room measures the database once a day, and finds a disk that is nearly full or soon will be.
func (w *Watcher) room(ctx context.Context, m *memory, now time.Time) ([]Breach, error) {
	today := now.UTC().Format(time.DateOnly)
	if n := len(m.Sizes); n == 0 || m.Sizes[n-1].Day != today {
		var bytes int64
		err := w.DB.View(ctx, func(tx *store.Tx) (err error) {
			bytes, err = tx.DatabaseSize()
			return err
		})
		if err != nil {
			return nil, err
		}
		m.Sizes = append(m.Sizes, Size{Day: today, Bytes: bytes})
		m.Sizes = m.Sizes[max(0, len(m.Sizes)-keptSizes):]
	}
	out := leap(m.Sizes)
	over, err := w.limit(ctx, m, now)
	if err != nil {
		return nil, err
	}
	out = append(out, over...)
	if w.Disk == nil {
		return out, nil
	}
	free, total, ok := w.Disk()
	if !ok {
		return out, nil
	}
	growth := growth(m.Sizes)
	left := fmt.Sprintf("%s of %s are free; the database has %s and grows by %s a day", size(free), size(total), size(m.Sizes[len(m.Sizes)-1].Bytes), size(growth))
	next := "Make room, or move the data directory to a larger disk. When it is full, senders get 503 and nothing that was answered is lost."
	switch {
	case free < least(total):
		out = append(out, Breach{Subject: "disk", Title: "The disk of the database is nearly full", Detail: left, Next: next, Since: now})
	case soonFull(free, growth):
		out = append(out, Breach{Subject: "disk", Title: "The disk of the database will be full within 14 days", Detail: left, Next: next, Since: now})
	}
	return out, nil
}

// least is how much should be free of a total.
func least(total int64) int64 { return max(min(leastFree, total/4), total/20) }

// soonFull reports whether what is free is used up within fullWithin at a growth a day.
func soonFull(free, growth int64) bool {
	return growth > 0 && time.Duration(free/growth)*24*time.Hour < fullWithin
}

// limit finds a database that has nearly used up what it may take, or soon will have. The log of a PostgreSQL server counts,
// where the account may ask for its size: it lies on the same disk, and a replica that went away lets it grow.
func (w *Watcher) limit(ctx context.Context, m *memory, now time.Time) ([]Breach, error) {
	if w.Limit == 0 {
		return nil, nil
	}
	var bytes, log int64
	var known bool
	err := w.DB.View(ctx, func(tx *store.Tx) (err error) {
		if bytes, err = tx.DatabaseSize(); err == nil {
			log, known, err = tx.LogSize()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	free, growth := w.Limit-bytes-log, growth(m.Sizes)
	b := Breach{
		Subject: "limit", Since: now,
		Detail: fmt.Sprintf("The database has %s of the %s that db_limit allows, and grows by %s a day", size(bytes+log), size(w.Limit), size(growth)),
		Next:   "Archive old events (orderly archive), or give the database a larger disk and then raise db_limit.",
	}
	if known {
		b.Evidence = append(b.Evidence, "tables and indexes: "+size(bytes), "write-ahead log of the server: "+size(log))
	}
	switch {
	case free <= 0:
		b.Title = "The database takes more than it may"
	case free < least(w.Limit):
		b.Title = "The database has nearly used up its room"
	case soonFull(free, growth):
		b.Title = "The database will have used up its room within 14 days"
	default:
		return nil, nil
	}
	return []Breach{b}, nil
}

// slotHolds is how much of the log a replication slot may keep on the disk of a PostgreSQL server.
const slotHolds = int64(1) << 30

// heldBack finds replication slots that keep a PostgreSQL server from dropping its log. Nothing bounds what they keep
// unless the server is told to (max_slot_wal_keep_size): a replica that went away fills the disk of the primary.
func heldBack(tx *store.Tx, ask Ask) ([]Breach, error) {
	slots, err := tx.Slots()
	return heldBy(slots, ask.Now), err
}

func heldBy(slots []store.Slot, now time.Time) []Breach {
	var out []Breach
	for _, s := range slots {
		b := Breach{Subject: "slots:" + s.Name, Since: now}
		switch {
		case s.Lost:
			b.Title, b.Detail = "The replica of the slot "+s.Name+" cannot go on", "The server has dropped the part of its log that the replica had not read yet"
			b.Next = "Make the replica anew from a base backup, or drop the slot: SELECT pg_drop_replication_slot('" + s.Name + "')"
		case s.Held < slotHolds:
			continue
		default:
			reads := "nobody reads from it"
			if s.Active {
				reads = "its replica lags behind"
			}
			b.Title = "The replication slot " + s.Name + " keeps " + size(s.Held) + " of the server's log"
			b.Detail = "The server must keep its log until the slot has read it, and " + reads + "; it grows until the disk is full"
			b.Next = "Bring the replica back. If it is gone for good, drop the slot: SELECT pg_drop_replication_slot('" + s.Name + "')"
		}
		out = append(out, b)
	}
	return out
}

const (
	leapDays  = 7              // that must be known before a day is said to be unusual
	leapTimes = 5              // the usual growth of a day
	leapLeast = int64(1) << 30 // bytes
)

// leap finds a database that grew within a day as it never does: a sender that repeats itself, or an archive that stopped.
func leap(sizes []Size) []Breach {
	n := len(sizes)
	if n < leapDays+2 {
		return nil
	}
	var days []int64
	for i := 1; i < n-1; i++ {
		days = append(days, max(0, sizes[i].Bytes-sizes[i-1].Bytes))
	}
	slices.Sort(days)
	usual, last := days[len(days)/2], sizes[n-1].Bytes-sizes[n-2].Bytes
	if last < leapLeast || last < leapTimes*usual {
		return nil
	}
	day, err := time.Parse(time.DateOnly, sizes[n-2].Day)
	if err != nil {
		return nil
	}
	return []Breach{{
		Subject: "growth", Title: "The database grew far more than usual", Since: day,
		Detail: fmt.Sprintf("By %s from %s to %s, and by %s on a usual day", size(last), sizes[n-2].Day, sizes[n-1].Day, size(usual)),
		Next:   "Look on the page Expectations which rate of events is far above its usual pace, and whether old events are archived (orderly archive).",
	}}
}

// growth is bytes a day over the days that are known; 0 when fewer than three are.
func growth(sizes []Size) int64 {
	if len(sizes) < 3 {
		return 0
	}
	first, last := sizes[0], sizes[len(sizes)-1]
	from, err1 := time.Parse(time.DateOnly, first.Day)
	to, err2 := time.Parse(time.DateOnly, last.Day)
	days := int64(to.Sub(from).Hours() / 24)
	if err1 != nil || err2 != nil || days < 1 {
		return 0
	}
	return max(0, (last.Bytes-first.Bytes)/days)
}

func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d KB", n>>10)
}
