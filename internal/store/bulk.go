package store

import (
	"database/sql/driver"
	"strconv"
	"strings"
)

// table describes a bulk write: where to, which columns, what on conflict.
type table struct {
	name   string
	cols   []string
	kinds  []byte // t text, n integer, f float
	tail   string
	unnest string // PostgreSQL: one array per column
}

// bulkInto describes a bulk write. cols is like "id text, at bigint, lat real".
func bulkInto(name, cols, tail string) *table {
	t := &table{name: name, tail: tail}
	arrays := map[string]string{"text": "::text[]", "bigint": "::bigint[]", "real": "::float8[]"}
	var params []string
	for i, c := range strings.Split(cols, ",") {
		col, kind, _ := strings.Cut(strings.TrimSpace(c), " ")
		t.cols = append(t.cols, col)
		t.kinds = append(t.kinds, map[string]byte{"text": 't', "bigint": 'n', "real": 'f'}[kind])
		params = append(params, "$"+strconv.Itoa(i+1)+arrays[kind])
	}
	t.unnest = "INSERT INTO " + name + " (" + strings.Join(t.cols, ", ") + ") SELECT * FROM unnest(" + strings.Join(params, ", ") + ") " + tail
	return t
}

// values is SQLite's statement for n rows. Plain question marks: the driver looks
// numbered ones up by name. OR FAIL: a row that fails need not undo the rows before
// it, the Update does that; otherwise SQLite keeps a copy of every page the statement changes.
func (t *table) values(n int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(t.cols)), ",") + "),"
	verb := "INSERT OR FAIL INTO "
	if t.tail != "" {
		verb = "INSERT INTO "
	}
	return verb + t.name + " (" + strings.Join(t.cols, ", ") + ") VALUES " + strings.TrimSuffix(strings.Repeat(one, n), ",") + " " + t.tail
}

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
