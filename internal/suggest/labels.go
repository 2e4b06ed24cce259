package suggest

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"orderly.example/orderly/internal/fault"
)

// Limits of a file of labels.
const (
	maxLabels   = 5_000_000
	maxProblems = 10
)

// labelWords are how files say that an order was good or bad.
var labelWords = map[string]string{
	"0": Approve, "false": Approve, "no": Approve, "good": Approve, "ok": Approve, Approve: Approve, "approved": Approve,
	"1": Reject, "true": Reject, "yes": Reject, "bad": Reject, "fraud": Reject, Reject: Reject, "rejected": Reject,
}

// ReadLabels reads a CSV file of two columns, the order's number and whether it was bad, with a
// header. It returns the outcome by number. Every line that cannot be read is told.
func ReadLabels(name string, r io.Reader) (map[string]string, error) {
	const op = "suggest.ReadLabels"
	c := csv.NewReader(r)
	c.FieldsPerRecord, c.ReuseRecord = 2, true
	out := map[string]string{}
	var ps []fault.Problem
	add := func(line int, format string, args ...any) {
		ps = append(ps, fault.Problem{Pointer: fmt.Sprintf("%s:%d", name, line), Message: fmt.Sprintf(format, args...)})
	}
	for first := true; len(ps) < maxProblems; first = false {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			var pe *csv.ParseError
			if !errors.As(err, &pe) {
				return nil, fault.Wrap(err, fault.Invalid, op, "%s cannot be read", name)
			}
			if errors.Is(pe.Err, csv.ErrFieldCount) {
				add(pe.Line, "has %d columns; it must have two: the order's number and the label", len(rec))
				continue
			}
			add(pe.Line, "is not CSV: %s", pe.Err)
			break
		}
		line, _ := c.FieldPos(0)
		number, word := strings.TrimSpace(strings.TrimPrefix(rec[0], "\ufeff")), strings.ToLower(strings.TrimSpace(rec[1]))
		label, ok := labelWords[word]
		switch {
		case first && (!ok || !strings.ContainsAny(number, "0123456789")): // the header
		case first:
			add(line, "the first line must name the columns, like order,bad")
		case !ok:
			add(line, "%q is no label; write 1 or 0, yes or no, bad or good", clip(word))
		case number == "":
			add(line, "names no order")
		case out[number] != "" && out[number] != label:
			add(line, "order %s has another label further up", clip(number))
		case len(out) >= maxLabels:
			add(line, "there are more than %d labels", maxLabels)
		default:
			out[strings.Clone(number)] = label
		}
	}
	if err := fault.Problems(op, ps); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fault.New(fault.Invalid, op, "%s holds no labels: write a header and one line an order, its number and 1 or 0", name)
	}
	return out, nil
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
