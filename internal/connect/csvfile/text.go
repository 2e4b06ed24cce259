package csvfile

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/money"
)

// WriteText writes the report for a person.
func (r *Report) WriteText(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	what := "imported"
	if r.DryRun {
		what = "checked (dry run: nothing was changed)"
	}
	line(r.Kind, "%s from %s by the mapping %s, as %s", what, r.File, r.Mapping, r.Mode)
	line("rows", "%s = %s accepted + %s rejected + %s duplicates", grouped(r.Rows), grouped(r.Accepted), grouped(r.Rejected), grouped(r.Duplicates))
	switch r.Kind {
	case Orders:
		line("orders", "%s, returns %s, adjustments %s", grouped(r.Orders), grouped(r.Returns), grouped(r.Adjustments))
		line("units", "%s = %s sold - %s returned %+d adjusted", grouped(r.Units), grouped(r.OrderUnits), grouped(r.ReturnUnits), r.AdjustedUnits)
		if r.Currency != "" {
			line("amount", "%s", money.New(r.Amount, r.Currency))
		}
		for _, cur := range slices.Sorted(maps.Keys(r.Amounts)) {
			line("amount", "%s", money.New(r.Amounts[cur], cur))
		}
	case Stock:
		line("units", "%s on hand", grouped(r.Units))
		if r.Mode == string(event.History) {
			line("", "counted at the location \"opening\", which nothing is sold from; --as live counts stock to sell")
		}
	}
	if r.Products > 0 || r.Locations > 0 {
		line("catalogue", "%s products, %s locations; %s new or changed", grouped(r.Products), grouped(r.Locations), grouped(r.Changed))
	}
	if !r.DryRun && (r.Kind == Orders || r.Kind == Stock) {
		line("events", "%s decided, %s known already, %s quarantined, %s in conflict", grouped(r.Events.Decided), grouped(r.Events.Duplicate), grouped(r.Events.Quarantined), grouped(r.Events.Conflict))
	}
	for _, j := range r.Joins {
		line("join "+j.Name, "%s rows of %s, %s unreadable, %s unused", grouped(j.Rows), j.File, grouped(j.Unreadable), grouped(j.Unused))
	}
	counts := func(title string, m map[string]int64) {
		keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
			if m[a] != m[b] {
				return int(m[b] - m[a])
			}
			return strings.Compare(a, b)
		})
		for i, k := range keys {
			name := ""
			if i == 0 {
				name = title
			}
			line(name, "%8s  %s", grouped(m[k]), k)
		}
	}
	counts("rejected", r.Reasons)
	counts("notes", r.Notes)
	listed := func(title string, cs []Conflict) {
		for i, c := range cs {
			if i == 10 {
				line("", "… see --json for the rest")
				return
			}
			line(title, "line %d, %s: %s", c.Line, c.Key, c.Reason)
		}
	}
	listed("conflict", r.Conflicts)
	listed("quarantined", r.Failures)
	if r.RejectsFile != "" {
		line("rejects", "%s", r.RejectsFile)
	}
	line("rate", "%s rows/s, %.1f s", grouped(int64(r.RowsPerS)), r.Seconds)
}
