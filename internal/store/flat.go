package store

import (
	"database/sql/driver"
	"strings"
	"sync"
)

var flatTables sync.Map // head -> *table

// bulkFlat writes rows given as one flat list of string, int64 and float64
// values; the column types are those of the first row.
func (tx *Tx) bulkFlat(head string, cols int, tail string, flat []any) error {
	if len(flat) == 0 {
		return nil
	}
	v, ok := flatTables.Load(head)
	if !ok {
		name, list, _ := strings.Cut(strings.TrimPrefix(head, "INSERT INTO "), " (")
		var spec []string
		for i, c := range strings.Split(strings.TrimSuffix(list, ")"), ",") {
			kind := "text"
			switch flat[i].(type) {
			case int64:
				kind = "bigint"
			case float64:
				kind = "real"
			}
			spec = append(spec, strings.TrimSpace(c)+" "+kind)
		}
		v, _ = flatTables.LoadOrStore(head, bulkInto(name, strings.Join(spec, ","), tail))
	}
	return tx.bulk(v.(*table), len(flat)/cols, func(i int, r *row) {
		if r.cols == nil { // SQLite takes the values as they are
			for _, x := range flat[i*cols : (i+1)*cols] {
				r.lite = append(r.lite, driver.NamedValue{Ordinal: len(r.lite) + 1, Value: x})
			}
			return
		}
		for _, x := range flat[i*cols : (i+1)*cols] {
			switch x := x.(type) {
			case string:
				r.text(x)
			case int64:
				r.int(x)
			case float64:
				r.float(x)
			}
		}
	})
}
