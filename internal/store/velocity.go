package store

import (
	"slices"

	"orderly.example/orderly/internal/risk"
)

// VelocityCounts counts exactly how many orders are marked under each query's key in its window.
//
// The events of a live group are decided at one time, so their windows of one
// width are the same, and one statement counts all keys. Events of the past have
// windows that are shifted a little: what they share is counted once per key, and
// the few rows at both edges are looked at one by one. So a key with 100,000 rows
// in its window is counted once per group, not once per event.
func VelocityCounts(tx *Tx, qs []risk.VelocityQuery) (map[risk.VelocityQuery]int64, error) {
	out := make(map[risk.VelocityQuery]int64, len(qs))
	byWidth := map[int64][]risk.VelocityQuery{}
	for _, q := range qs {
		if _, seen := out[q]; !seen {
			out[q] = 0
			if q.To > q.From {
				byWidth[q.To-q.From] = append(byWidth[q.To-q.From], q)
			}
		}
	}
	for width, g := range byWidth {
		slices.SortFunc(g, func(a, b risk.VelocityQuery) int { return int(min(max(a.From-b.From, -1), 1)) })
		for len(g) > 0 {
			n := 1
			for n < len(g) && g[n].From-g[0].From <= width/2 {
				n++
			}
			if err := countTogether(tx, g[:n], out); err != nil {
				return nil, err
			}
			g = g[n:]
		}
	}
	return out, nil
}

// countTogether counts windows of one width, sorted by their beginning, that all overlap.
func countTogether(tx *Tx, g []risk.VelocityQuery, out map[risk.VelocityQuery]int64) error {
	first, last := g[0], g[len(g)-1]
	keys := make([]string, len(g))
	for i, q := range g {
		keys[i] = q.Key
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	common := make(map[string]int64, len(keys))
	err := tx.each("SELECT key, count(*) FROM velocity WHERE key = ANY($1) AND at >= $2 AND at < $3 GROUP BY key", []any{keys, last.From, first.To}, func(r *Rows) error {
		var key string
		var n int64
		err := r.Scan(&key, &n)
		common[key] = n
		return err
	})
	if err != nil {
		return err
	}
	edges := map[string][]int64{}
	if first.From != last.From {
		err := tx.each(`SELECT key, at FROM velocity WHERE key = ANY($1) AND at >= $2 AND at < $3
			UNION ALL SELECT key, at FROM velocity WHERE key = ANY($1) AND at >= $4 AND at < $5`,
			[]any{keys, first.From, last.From, first.To, last.To}, func(r *Rows) error {
				var key string
				var at int64
				err := r.Scan(&key, &at)
				edges[key] = append(edges[key], at)
				return err
			})
		if err != nil {
			return err
		}
	}
	tx.after(func() {
		for _, q := range g {
			n := common[q.Key]
			for _, at := range edges[q.Key] {
				if at >= q.From && at < q.To {
					n++
				}
			}
			out[q] = n
		}
	})
	return nil
}
