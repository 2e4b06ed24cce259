package csvfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
)

// fakeSink answers as the engine does: same key and content is a duplicate,
// same key and other content a conflict.
type fakeSink struct {
	t         *testing.T
	hash      map[string]string
	evs       []event.Event
	calls     int
	products  map[string]catalog.Product
	locations map[string]catalog.Location
	puts      int
	fail      error
}

func newSink(t *testing.T) *fakeSink {
	return &fakeSink{t: t, hash: map[string]string{}, products: map[string]catalog.Product{}, locations: map[string]catalog.Location{}}
}

func (s *fakeSink) Submit(_ context.Context, evs []event.Event) ([]Result, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	s.calls++
	out := make([]Result, len(evs))
	for i, e := range evs {
		if e.ID == "" || e.Source == "" || e.Key == "" || e.Type != e.Data.EventType() || e.Subject == "" || e.At.IsZero() {
			s.t.Errorf("event without an envelope: %+v", e)
		}
		for _, l := range linesOf(e.Data) {
			if _, ok := s.products[l.SKU]; !ok {
				s.t.Errorf("%s: the product %s was not put before the event", e.Key, l.SKU)
			}
		}
		b, err := event.Encode(e.Data)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		h := hex.EncodeToString(sum[:])
		key := e.Source + " " + e.Key
		switch old, ok := s.hash[key]; {
		case !ok:
			s.hash[key] = h
			s.evs = append(s.evs, e)
			out[i].Status = Decided
		case old == h:
			out[i].Status = Duplicate
		default:
			out[i] = Result{Conflicting, "the content differs from what was recorded"}
		}
	}
	return out, nil
}

func linesOf(p event.Payload) []event.Line {
	switch p := p.(type) {
	case *event.OrderPlaced:
		return p.Lines
	case *event.ReturnReceived:
		return p.Lines
	}
	return nil
}

func (s *fakeSink) PutProducts(_ context.Context, ps []catalog.Product, onlyNew bool) (int, error) {
	s.puts++
	n := 0
	for _, p := range ps {
		old, ok := s.products[p.SKU]
		if ok && (onlyNew || reflect.DeepEqual(old, p)) {
			continue
		}
		s.products[p.SKU] = p
		n++
	}
	return n, nil
}

func (s *fakeSink) PutLocations(_ context.Context, ls []catalog.Location) (int, error) {
	n := 0
	for _, l := range ls {
		if !reflect.DeepEqual(s.locations[l.ID], l) {
			s.locations[l.ID] = l
			n++
		}
	}
	return n, nil
}

// byType returns the payloads of a type in the order they were decided.
func byType[P event.Payload](s *fakeSink) []P {
	var out []P
	for _, e := range s.evs {
		if p, ok := e.Data.(P); ok {
			out = append(out, p)
		}
	}
	return out
}

func (s *fakeSink) keys() []string {
	var out []string
	for _, e := range s.evs {
		out = append(out, e.Key)
	}
	return out
}

func mustMapping(t testing.TB, text string) *Mapping {
	t.Helper()
	m, err := ParseMapping("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

var testNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// doImport runs an import into sink and checks the law that holds for every import.
func doImport(t testing.TB, o Options) Report {
	t.Helper()
	if o.Rejects == "" {
		o.Rejects = filepath.Join(t.TempDir(), "rejects.csv")
	}
	if o.Now == nil {
		o.Now = func() time.Time { return testNow }
	}
	rep, err := Import(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkLaw(t, rep)
	return rep
}

func checkLaw(t testing.TB, rep Report) {
	t.Helper()
	if rep.Rows != rep.Accepted+rep.Rejected+rep.Duplicates {
		t.Errorf("%d rows are not %d accepted + %d rejected + %d duplicates", rep.Rows, rep.Accepted, rep.Rejected, rep.Duplicates)
	}
	var n int64
	for _, c := range rep.Reasons {
		n += c
	}
	if n != rep.Rejected {
		t.Errorf("%d reasons for %d rejected rows", n, rep.Rejected)
	}
	if rep.Units != rep.OrderUnits-rep.ReturnUnits+rep.AdjustedUnits && rep.Kind == Orders {
		t.Errorf("units do not add up: %+v", rep)
	}
}

// dataFile returns the path of a file of the real data sets, or skips.
func dataFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("ORDERLY_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	p := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs the real data: %s (set ORDERLY_DATA)", p)
		}
		t.Skipf("no real data at %s (set ORDERLY_DATA)", p)
	}
	return p
}

func example(t testing.TB, name, kind string) *Mapping {
	t.Helper()
	m, err := LoadMapping(filepath.Join("..", "..", "..", "examples", filepath.FromSlash(name)), kind)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
