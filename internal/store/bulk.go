package store

import (
	"database/sql/driver"
)

// row takes the values of one row of a bulk write, column by column.
type row struct {
	lite []driver.NamedValue // SQLite: the values one after the other
	cols []array             // PostgreSQL: one array per column
	col  int
}

type array struct {
	s []string
	n []int64
	f []float64
}

// arrays returns empty column arrays with room for n rows.
func (t *table) arrays(n int) []array {
	out := make([]array, len(t.cols))
	for i, k := range t.kinds {
		switch k {
		case 't':
			out[i].s = make([]string, 0, n)
		case 'n':
			out[i].n = make([]int64, 0, n)
		default:
			out[i].f = make([]float64, 0, n)
		}
	}
	return out
}

func (r *row) text(v string) {
	if r.cols == nil {
		r.lite = append(r.lite, driver.NamedValue{Ordinal: len(r.lite) + 1, Value: v})
		return
	}
	r.cols[r.col].s = append(r.cols[r.col].s, v)
	r.col++
}

func (r *row) int(v int64) {
	if r.cols == nil {
		r.lite = append(r.lite, driver.NamedValue{Ordinal: len(r.lite) + 1, Value: v})
		return
	}
	r.cols[r.col].n = append(r.cols[r.col].n, v)
	r.col++
}

func (r *row) float(v float64) {
	if r.cols == nil {
		r.lite = append(r.lite, driver.NamedValue{Ordinal: len(r.lite) + 1, Value: v})
		return
	}
	r.cols[r.col].f = append(r.cols[r.col].f, v)
	r.col++
}

// bulk writes n rows; fill gives the values of row i in the order of the columns.
func (tx *Tx) bulk(t *table, n int, fill func(i int, r *row)) error {
	if n == 0 {
		return nil
	}
	if err := tx.mayWrite(); err != nil {
		return err
	}
	if tx.lite != nil {
		return tx.lite.bulk(t, n, fill)
	}
	return tx.bulkPG(t, n, fill)
}
