package backtest

import (
	"encoding/json"
	"errors"
	"hash/maphash"
	"os"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/order"
	"orderly.example/orderly/internal/task"
)

// bundle is an order with the tasks about it.
type bundle struct {
	Order *order.Order
	Tasks []*task.Task

	touched int64
}

// shelf keeps orders: those of late in memory, the others in a temporary file, where
// each costs 16 bytes of memory.
type shelf struct {
	max   int
	clock int64
	hot   map[string]*bundle
	cold  map[uint64]place
	seed  maphash.Seed
	file  *os.File
	end   int64
}

// place is where a bundle lies in the file.
type place struct {
	at  int64
	len int32
}

func newShelf(limit int) *shelf {
	return &shelf{max: limit, hot: map[string]*bundle{}, cold: map[uint64]place{}, seed: maphash.MakeSeed()}
}

func (s *shelf) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}

// get returns the bundle of an order; nil when there is none.
func (s *shelf) get(id string) (*bundle, error) {
	s.clock++
	if b := s.hot[id]; b != nil {
		b.touched = s.clock
		return b, nil
	}
	p, ok := s.cold[maphash.String(s.seed, id)]
	if !ok {
		return nil, nil
	}
	buf := make([]byte, p.len)
	if _, err := s.file.ReadAt(buf, p.at); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "backtest", "the temporary file of the backtest cannot be read")
	}
	b := &bundle{touched: s.clock}
	if err := json.Unmarshal(buf, b); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "backtest", "the temporary file of the backtest is damaged")
	}
	s.hot[id] = b
	return b, nil
}

// put keeps a bundle, and makes room when there is little left.
func (s *shelf) put(id string, b *bundle) error {
	s.clock++
	b.touched = s.clock
	s.hot[id] = b
	if len(s.hot) <= s.max {
		return nil
	}
	return s.spill(s.clock - int64(s.max)/2)
}

// spill writes what was not touched since to the file.
func (s *shelf) spill(since int64) error {
	if s.file == nil {
		f, err := os.CreateTemp("", "orderly-backtest-")
		if err != nil {
			return fault.Wrap(err, fault.Unavailable, "backtest", "no temporary file can be made")
		}
		s.file = f
	}
	var buf []byte
	for id, b := range s.hot {
		if b.touched >= since {
			continue
		}
		doc, err := json.Marshal(b)
		if err != nil {
			return fault.Wrap(err, fault.Internal, "backtest", "an order cannot be written")
		}
		s.cold[maphash.String(s.seed, id)] = place{at: s.end + int64(len(buf)), len: int32(len(doc))}
		buf = append(buf, doc...)
		delete(s.hot, id)
	}
	if _, err := s.file.WriteAt(buf, s.end); err != nil {
		return fault.Wrap(err, fault.Unavailable, "backtest", "the temporary file of the backtest cannot be written")
	}
	s.end += int64(len(buf))
	return nil
}
