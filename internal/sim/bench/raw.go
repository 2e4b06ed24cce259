package bench

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"orderly.example/orderly/internal/store"
)

// written lists the tables that a commit group writes, with the columns whose
// values name something of this group alone: a replay needs new ones, or it
// would meet its own rows and write fewer pages. conflict is set where a group
// changes rows that stand.
var written = []struct {
	table    string
	own      []string
	conflict string
}{
	{"event_key", []string{"id", "event_id"}, ""},
	{"event", []string{"seq", "id", "subject", "order_id", "customer_id"}, ""},
	{"orders", []string{"id", "number", "customer_id"}, ""},
	{"customer", []string{"id"}, ""},
	{"customer_search", []string{"customer_id"}, ""},
	{"velocity", []string{"key", "ref"}, ""},
	{"stock_move", []string{"seq", "order_id"}, ""},
	{"stock_balance", nil, "(sku, location) DO UPDATE SET on_hand = excluded.on_hand, reserved = excluded.reserved"},
	{"location_day", nil, "(location, day) DO UPDATE SET parcels = excluded.parcels"},
	{"stock_wait", []string{"order_id"}, ""},
	{"task", []string{"id", "subject", "order_id"}, ""},
	{"effect", []string{"id", "order_id", "customer_id"}, ""},
	{"timer", []string{"id"}, ""},
	{"automation_count", nil, "(name, hour) DO UPDATE SET considered = excluded.considered, fired = excluded.fired, would = excluded.would, unknown = excluded.unknown"},
}

// Group is what one commit group wrote: rows by table, in the order of written.
type Group struct {
	tables []groupTable
	Rows   int
	Bytes  int   // of text values
	seq    int64 // last number given to a replayed row
	size   int   // orders
	times  int   // replays so far
}

type groupTable struct {
	name     string
	conflict string
	cols     []string
	own      []bool
	rows     [][]any
	texts    *sync.Map // statements by number of rows
}

// Capture runs commit, which must decide one group of size orders on an otherwise idle store, and returns the rows it wrote.
func Capture(ctx context.Context, db *store.DB, size int, commit func() error) (*Group, error) {
	before, err := dump(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := commit(); err != nil {
		return nil, err
	}
	after, err := dump(ctx, db)
	if err != nil {
		return nil, err
	}
	g := &Group{seq: 1 << 40, size: size}
	for i, t := range after {
		old := map[string]bool{}
		for _, r := range before[i].rows {
			old[fmt.Sprint(r...)] = true
		}
		t.rows = slices.DeleteFunc(t.rows, func(r []any) bool { return old[fmt.Sprint(r...)] })
		g.tables = append(g.tables, t)
		g.Rows += len(t.rows)
		for _, r := range t.rows {
			for _, v := range r {
				if s, ok := v.(string); ok {
					g.Bytes += len(s)
				}
			}
		}
	}
	return g, nil
}

// dump reads the tables whole; capturing is done on a small store.
func dump(ctx context.Context, db *store.DB) ([]groupTable, error) {
	var out []groupTable
	err := db.View(ctx, func(tx *store.Tx) error {
		out = nil
		for _, w := range written {
			cols, err := columns(tx, w.table)
			if err != nil {
				return err
			}
			t := groupTable{name: w.table, conflict: w.conflict, cols: cols, texts: &sync.Map{}}
			for _, c := range cols {
				t.own = append(t.own, slices.Contains(w.own, c))
			}
			err = tx.Each(func(scan func(...any) error) error {
				row, dest := make([]any, len(cols)), make([]any, len(cols))
				for i := range row {
					dest[i] = &row[i]
				}
				err := scan(dest...)
				t.rows = append(t.rows, row)
				return err
			}, "SELECT "+strings.Join(cols, ", ")+" FROM "+w.table)
			if err != nil {
				return err
			}
			out = append(out, t)
		}
		return nil
	})
	return out, err
}

func columns(tx *store.Tx, table string) ([]string, error) {
	var cols []string
	query := "SELECT name FROM pragma_table_info('" + table + "') ORDER BY cid"
	if tx.Engine() == "postgres" {
		query = "SELECT column_name FROM information_schema.columns WHERE table_name = '" + table + "' AND table_schema = current_schema() ORDER BY ordinal_position"
	}
	err := tx.Each(func(scan func(...any) error) error {
		var c string
		err := scan(&c)
		cols = append(cols, c)
		return err
	}, query)
	return cols, err
}

// perStatement is how many rows one statement writes; the store does the same.
const perStatement = 50

func (t groupTable) write(tx *store.Tx) error {
	for rows := range slices.Chunk(t.rows, perStatement) {
		flat := make([]any, 0, len(rows)*len(t.cols))
		for _, r := range rows {
			flat = append(flat, r...)
		}
		if _, err := tx.Exec(t.text(len(rows), tx.Engine() == "postgres"), flat...); err != nil {
			return err
		}
	}
	return nil
}

// text is the statement for n rows.
func (t groupTable) text(n int, numbered bool) string {
	if text, ok := t.texts.Load(n); ok {
		return text.(string)
	}
	text := t.insert(n, numbered)
	t.texts.Store(n, text)
	return text
}

func (t groupTable) insert(n int, numbered bool) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.name + " (" + strings.Join(t.cols, ", ") + ") VALUES ")
	arg := 0
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for j := range t.cols {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteByte('?')
			if arg++; numbered {
				fmt.Fprintf(&b, "%d", arg)
			}
		}
		b.WriteByte(')')
	}
	text := b.String()
	if numbered {
		text = strings.ReplaceAll(text, "?", "$")
	}
	if t.conflict != "" {
		text += " ON CONFLICT " + t.conflict
	}
	return text
}

// renamed is the group with new names of the same shape: what stands together in
// an index still does, what is spread over it is spread anew, and event ids and
// sequence numbers go on growing.
func (g *Group) renamed() []groupTable {
	g.times++
	names := map[string]string{}
	seqs := map[int64]int64{}
	out := make([]groupTable, len(g.tables))
	for i, t := range g.tables {
		out[i] = t
		out[i].rows = make([][]any, len(t.rows))
		for j, r := range t.rows {
			r = slices.Clone(r)
			for c, own := range t.own {
				if !own {
					continue
				}
				switch v := r[c].(type) {
				case string:
					if v == "" {
						continue
					}
					n, ok := names[v]
					if !ok {
						n = g.rename(v)
						names[v] = n
					}
					r[c] = n
				case int64:
					n, ok := seqs[v]
					if !ok {
						g.seq++
						n = g.seq
						seqs[v] = n
					}
					r[c] = n
				}
			}
			out[i].rows[j] = r
		}
	}
	return out
}

var letters = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// Lengths in names, see event.OrderID and effect.ID.
const (
	shortName = 18   // below it a name is a sender's own and counts up
	prefixLen = 4    // "ord_"
	nearLen   = 6    // what orders of one thousand numbers share
	orderLen  = 20   // of an order's id; an effect's id goes on from it
	nearBy    = 1000 // numbers
)

// rename returns a new name of the same length and kind.
func (g *Group) rename(old string) string {
	if len(old) < shortName {
		g.seq++
		digits := strconv.FormatInt(g.seq, 10)
		return old[:min(4, len(old)/2)] + strings.Repeat("0", max(0, len(old)-4-len(digits))) + digits
	}
	if len(old) >= 36 {
		if _, err := uuid.Parse(old[:36]); err == nil {
			if id, err := uuid.NewV7(); err == nil {
				return id.String() + old[36:]
			}
		}
	}
	if strings.HasPrefix(old, "ord_") || strings.HasPrefix(old, "eff_") && len(old) > orderLen {
		near := scramble(old[prefixLen:prefixLen+nearLen], g.times*g.size/nearBy)
		own := scramble(old[prefixLen:orderLen], g.times)
		return old[:prefixLen] + near[:nearLen] + own[:orderLen-prefixLen-nearLen] + scramble(old, g.times)[:len(old)-orderLen]
	}
	return old[:prefixLen] + scramble(old, g.times)[:len(old)-prefixLen]
}

// scramble is a name made from a name and a number: 52 letters.
func scramble(name string, n int) string {
	sum := sha256.Sum256(strconv.AppendInt([]byte(name), int64(n), 10))
	return letters.EncodeToString(sum[:])
}
