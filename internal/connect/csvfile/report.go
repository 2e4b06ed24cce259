package csvfile

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"orderly.example/orderly/internal/fault"
)

// Report is what an import did. The rows part is about the file,
// Rows = Accepted + Rejected + Duplicates; Events is about what became of the
// events made from the accepted rows.
type Report struct {
	Kind    string `json:"kind"`
	File    string `json:"file"`
	Mapping string `json:"mapping"`
	Channel string `json:"channel,omitempty"`
	Mode    string `json:"mode"` // history or live
	DryRun  bool   `json:"dry_run"`

	Rows       int64 `json:"rows"`
	Accepted   int64 `json:"accepted"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"` // rows equal to an earlier one in every field

	Orders      int64 `json:"orders"`
	Returns     int64 `json:"returns"`
	Adjustments int64 `json:"adjustments"`
	Products    int64 `json:"products"`  // handed to the catalogue
	Locations   int64 `json:"locations"` // handed to the catalogue
	Changed     int64 `json:"changed"`   // products and locations that differ from what was known

	// Units and Amount are sums over the accepted rows, signed: what was sold
	// less what came back or was written off. Amount is quantity × unit price in
	// minor units of Currency, summed exactly and rounded once.
	Units         int64            `json:"units"`
	OrderUnits    int64            `json:"order_units"`
	ReturnUnits   int64            `json:"return_units"`   // positive
	AdjustedUnits int64            `json:"adjusted_units"` // signed
	Amount        int64            `json:"amount"`
	Currency      string           `json:"currency"`          // "" when the file has none or several
	Amounts       map[string]int64 `json:"amounts,omitempty"` // by currency, when there are several

	Reasons map[string]int64 `json:"reasons"` // rejected rows by reason
	Notes   map[string]int64 `json:"notes"`   // accepted with a remark
	Joins   []JoinReport     `json:"joins,omitempty"`

	Events       EventCounts    `json:"events"`
	AlreadyKnown int64          `json:"already_known"` // accepted rows whose order, return or adjustment was known already
	Conflicts    []Conflict     `json:"conflicts"`     // the first 1,000; Events.Conflict counts all
	Failures     []Conflict     `json:"quarantined"`   // the first 1,000
	EventTypes   map[string]int `json:"event_types"`

	RejectsFile string  `json:"rejects_file,omitempty"`
	Seconds     float64 `json:"seconds"`
	RowsPerS    float64 `json:"rows_per_s"`
}

// JoinReport is about one side file.
type JoinReport struct {
	Name       string `json:"name"`
	File       string `json:"file"`
	Rows       int64  `json:"rows"`
	Unreadable int64  `json:"unreadable"` // malformed, or without a key
	Unused     int64  `json:"unused"`     // for order lines: rows whose order is not in the file
}

// EventCounts says what the sink answered.
type EventCounts struct {
	Decided     int64 `json:"decided"`
	Duplicate   int64 `json:"duplicate"`
	Quarantined int64 `json:"quarantined"`
	Conflict    int64 `json:"conflict"`
}

// Conflict is an event that was refused, and the line it comes from.
type Conflict struct {
	Key    string `json:"key"`
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

const maxListed = 1_000

// note counts a remark; the number of different remarks is bounded.
func (r *Report) note(s string) {
	if _, ok := r.Notes[s]; !ok && len(r.Notes) >= 200 {
		s = "other remarks"
	}
	r.Notes[s]++
}

// money adds minor units, with the fraction that rounding left over.
type moneySum struct {
	minor map[string]int64
	rest  map[string]*big.Rat
}

func (s *moneySum) add(minor int64, cur string, rest *big.Rat) {
	if s.minor == nil {
		s.minor = map[string]int64{}
		s.rest = map[string]*big.Rat{}
	}
	if cur == "" {
		return
	}
	s.minor[cur] += minor
	if rest != nil {
		if s.rest[cur] == nil {
			s.rest[cur] = new(big.Rat)
		}
		s.rest[cur].Add(s.rest[cur], rest)
	}
}

func (s *moneySum) merge(o *moneySum) {
	for cur, minor := range o.minor {
		s.add(minor, cur, o.rest[cur])
	}
}

// report writes the sums into r.
func (s *moneySum) report(r *Report) {
	for cur, minor := range s.minor {
		if rest := s.rest[cur]; rest != nil {
			minor += roundRat(rest)
		}
		if len(s.minor) == 1 {
			r.Currency, r.Amount = cur, minor
			return
		}
		if r.Amounts == nil {
			r.Amounts = map[string]int64{}
		}
		r.Amounts[cur] = minor
	}
}

// roundRat rounds half to even.
func roundRat(x *big.Rat) int64 {
	num, den := new(big.Int).Set(x.Num()), x.Denom()
	q, m := new(big.Int).DivMod(num, den, new(big.Int)) // Euclidean: 0 ≤ m < den
	switch twice := m.Lsh(m, 1).Cmp(den); {
	case twice > 0, twice == 0 && q.Bit(0) == 1:
		q.Add(q, big.NewInt(1))
	}
	return q.Int64()
}

// rejectFile writes rejected rows: line, reason, then the fields as they
// stood. It is made with the first rejected row and moved into place at the end.
type rejectFile struct {
	path   string
	header []string
	tmp    *os.File
	w      *csv.Writer
}

func (f *rejectFile) write(line int, reason string, fields []string) error {
	if f.path == "" {
		return nil
	}
	if f.w == nil {
		tmp, err := os.CreateTemp(filepath.Dir(f.path), ".orderly-rejects-*")
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "csvfile.rejects", "cannot write %s: %s; name another file with --rejects", f.path, pathCause(err))
		}
		f.tmp = tmp
		f.w = csv.NewWriter(tmp)
		if err := f.w.Write(append([]string{"line", "reason"}, plainCells(f.header)...)); err != nil {
			return err
		}
	}
	return f.w.Write(append([]string{strconv.Itoa(line), plainCell(reason)}, plainCells(fields)...))
}

func plainCells(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = plainCell(c)
	}
	return out
}

// plainCell keeps a spreadsheet from reading a text as a formula. Numbers stay as they are.
func plainCell(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, ok := new(big.Rat).SetString(s); ok && !strings.ContainsAny(s, "/_xXpP") {
		return s
	}
	return "'" + s
}

// close puts the file in its place and returns its path, "" when nothing was
// rejected. A file of an earlier import with nothing left to say is removed.
func (f *rejectFile) close() (string, error) {
	if f.w == nil {
		if f.path != "" && ours(f.path) {
			if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
		}
		return "", nil
	}
	f.w.Flush()
	err := errors.Join(f.w.Error(), f.tmp.Chmod(0o600), f.tmp.Close()) // rows hold personal data
	if err == nil {
		err = os.Rename(f.tmp.Name(), f.path)
	}
	if err != nil {
		return "", fault.Wrap(err, fault.Invalid, "csvfile.rejects", "cannot write %s", f.path)
	}
	f.w = nil
	return f.path, nil
}

func (f *rejectFile) abandon() {
	if f.w != nil {
		_ = f.tmp.Close() // thrown away
		_ = os.Remove(f.tmp.Name())
	}
}

// ours reports whether path is a rejects file that an import wrote.
func ours(path string) bool {
	b := make([]byte, 12)
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	n, _ := file.Read(b)
	return strings.HasPrefix(string(b[:n]), "line,reason,")
}
