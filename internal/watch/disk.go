package watch

import (
	"context"
	"fmt"
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
	if w.Disk == nil {
		return nil, nil
	}
	free, total, ok := w.Disk()
	if !ok {
		return nil, nil
	}
	growth := growth(m.Sizes)
	left := fmt.Sprintf("%s of %s are free; the database has %s and grows by %s a day", size(free), size(total), size(m.Sizes[len(m.Sizes)-1].Bytes), size(growth))
	next := "Make room, or move the data directory to a larger disk. When it is full, senders get 503 and nothing that was answered is lost."
	switch {
	case free < max(leastFree, total/20):
		return []Breach{{Subject: "disk", Title: "The disk of the database is nearly full", Detail: left, Next: next, Since: now}}, nil
	case growth > 0 && time.Duration(free/growth)*24*time.Hour < fullWithin:
		return []Breach{{Subject: "disk", Title: fmt.Sprintf("The disk of the database is full in about %d days", free/growth), Detail: left, Next: next, Since: now}}, nil
	}
	return nil, nil
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
