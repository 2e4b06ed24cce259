// Package routingbench measures the routing on the orders of a real marketplace
// (Olist, Brazil), beside two simple ways that shops use.
package routingbench

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/routing"
)

// otherSellers is how many sellers beside its own keep a product.
const otherSellers = 4

// Table is the result: the same orders and the same stock, routed in several ways.
type Table struct {
	Orders     int     `json:"orders"`      // routed, oldest first
	SeveralSKU int     `json:"several_sku"` // of them, with more than one product
	Skipped    int     `json:"skipped"`     // orders without items
	Sellers    int     `json:"sellers"`     // locations
	NoPoint    int     `json:"no_point"`    // orders whose postal prefix has no coordinates
	Common     int     `json:"common"`      // orders that every way fills whole: parcels and km are theirs, so that they compare
	Seed       uint64  `json:"seed"`
	Rows       []Row   `json:"rows"`
	MicrosEach float64 `json:"micros_each"` // time of one plan of the first row, verdicts included
}

// Row is how one way of routing did.
type Row struct {
	Name            string  `json:"name"`
	ParcelsPerOrder float64 `json:"parcels_per_order"`       // of the common orders
	ParcelsSeveral  float64 `json:"parcels_per_several_sku"` // of the common orders with more than one product
	KMPerParcel     float64 `json:"km_per_parcel"`           // where both points are known
	KMPerOrder      float64 `json:"km_per_order"`
	Unfillable      float64 `json:"unfillable"` // share of the orders that could not be filled whole
}

// String is the table for a terminal.
func (t Table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "routing\tparcels/order\tof several SKUs\tkm/parcel\tkm/order\tunfillable\t\n")
	for _, r := range t.Rows {
		fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.0f\t%.0f\t%.2f %%\t\n", r.Name, r.ParcelsPerOrder, r.ParcelsSeveral, r.KMPerParcel, r.KMPerOrder, 100*r.Unfillable)
	}
	_ = w.Flush()
	fmt.Fprintf(&b, "%d orders (%d with several SKUs, %d without coordinates), %d sellers, seed %d, %.1f µs per plan;\nparcels and km over the %d orders that all three fill whole\n",
		t.Orders, t.SeveralSKU, t.NoPoint, t.Sellers, t.Seed, t.MicrosEach, t.Common)
	return b.String()
}

// BenchOlist routes the orders of the Olist files in dir (the folder that holds
// olist_orders_dataset.csv and full/). Every product is kept by the seller who sold it and,
// drawn by the seed, by four others; how many units each has is drawn too. Three
// ways route the same orders against their own copy of the stock:
//
//   - orderly: goals parcels, then distance;
//   - nearest: every line goes to the nearest seller who has it whole;
//   - ranked: every line goes to the first seller, the largest first, who has it whole.
//
// An order that cannot be filled whole is unfillable and takes nothing.
func BenchOlist(dir string, seed uint64) (Table, error) {
	m, err := load(dir)
	if err != nil {
		return Table{}, err
	}
	m.stockUp(seed)
	t := Table{Orders: len(m.orders), Skipped: m.skipped, Sellers: len(m.sellers), Seed: seed}
	for _, o := range m.orders {
		if len(o.demand) > 1 {
			t.SeveralSKU++
		}
		if !o.located {
			t.NoPoint++
		}
	}
	pol := routing.DefaultPolicy()
	pol.Goals = []routing.Goal{routing.Parcels, routing.Distance}
	pol.AllowPartial = false
	ways := []struct {
		name  string
		route func(*order, stock) []int
	}{
		{"orderly", func(o *order, s stock) []int { return m.byGoals(o, s, pol) }},
		{"nearest", func(o *order, s stock) []int { return m.lineByLine(o, s, true) }},
		{"ranked", func(o *order, s stock) []int { return m.lineByLine(o, s, false) }},
	}
	routes := make([][][]int, len(ways))
	for w := range ways {
		began := time.Now()
		routes[w] = m.run(ways[w].route)
		if w == 0 {
			t.MicrosEach = float64(time.Since(began).Microseconds()) / float64(max(len(m.orders), 1))
		}
	}
	common := make([]bool, len(m.orders))
	for i := range m.orders {
		common[i] = true
		for w := range ways {
			common[i] = common[i] && len(routes[w][i]) > 0
		}
		if common[i] {
			t.Common++
		}
	}
	for w := range ways {
		t.Rows = append(t.Rows, m.measure(ways[w].name, routes[w], common))
	}
	return t, nil
}

// market is the data, ready to route.
type market struct {
	sellers []catalog.Location // by rank, so that index i has rank i+1
	index   map[string]int     // seller id -> index
	keepers map[string][]int   // product -> sellers that keep it, own one first
	initial stock
	orders  []*order
	skipped int
}

// order is what is routed of an order.
type order struct {
	id       string
	at       string // purchase time as text, which sorts
	demand   []routing.Demand
	lat, lon float64
	located  bool
}

// key names the stock of a product at a seller.
type key struct {
	sku    string
	seller int
}

type stock map[key]int64

// run routes all orders against a copy of the stock. route takes what it ships from the stock
// and returns the sellers, none for an order it cannot fill.
func (m *market) run(route func(*order, stock) []int) [][]int {
	s := maps.Clone(m.initial)
	out := make([][]int, len(m.orders))
	for i, o := range m.orders {
		out[i] = route(o, s)
	}
	return out
}

// measure sums up the routes of one way over the common orders.
func (m *market) measure(name string, routes [][]int, common []bool) Row {
	var filled, orders, parcels, several, severalParcels, measured, measuredOrders int
	var km float64
	for i, from := range routes {
		if len(from) > 0 {
			filled++
		}
		if !common[i] {
			continue
		}
		o := m.orders[i]
		orders++
		parcels += len(from)
		if len(o.demand) > 1 {
			several++
			severalParcels += len(from)
		}
		known := 0
		for _, seller := range from {
			if d, ok := m.distance(o, seller); ok {
				km += d
				known++
			}
		}
		measured += known
		if known > 0 {
			measuredOrders++
		}
	}
	div := func(a float64, b int) float64 { return a / float64(max(b, 1)) }
	return Row{
		Name: name, ParcelsPerOrder: div(float64(parcels), orders), ParcelsSeveral: div(float64(severalParcels), several),
		KMPerParcel: div(km, measured), KMPerOrder: div(km, measuredOrders), Unfillable: div(float64(len(routes)-filled), len(routes)),
	}
}

func (m *market) distance(o *order, seller int) (float64, bool) {
	l := &m.sellers[seller]
	if !o.located || (l.Lat == 0 && l.Lon == 0) {
		return 0, false
	}
	return geo.DistanceKM(o.lat, o.lon, l.Lat, l.Lon), true
}

// byGoals is the routing under test.
func (m *market) byGoals(o *order, s stock, pol *routing.Policy) []int {
	req := routing.Request{
		OrderID: o.id, Country: "BR", Lat: o.lat, Lon: o.lon, HasPoint: o.located, Demand: o.demand,
	}
	at := map[int]int{}
	for _, d := range o.demand {
		for _, i := range m.keepers[d.SKU] {
			n, ok := at[i]
			if !ok {
				n = len(req.Candidates)
				at[i] = n
				req.Candidates = append(req.Candidates, routing.Candidate{Location: m.sellers[i], ATP: map[string]int64{}})
			}
			req.Candidates[n].ATP[d.SKU] = s[key{d.SKU, i}]
		}
	}
	plan := routing.Route(req, pol)
	var from []int
	for _, a := range plan.Assign {
		i := m.index[a.Location]
		s[key{a.SKU, i}] -= a.Qty
		if !slices.Contains(from, i) {
			from = append(from, i)
		}
	}
	return from
}

// lineByLine gives every line to one seller who has it whole: the nearest, or the first by rank.
func (m *market) lineByLine(o *order, s stock, nearest bool) []int {
	picks := make([]int, len(o.demand))
	for k, d := range o.demand {
		best, bestKM := -1, 0.0
		for _, i := range m.keepers[d.SKU] {
			if s[key{d.SKU, i}] < d.Qty {
				continue
			}
			km, ok := m.distance(o, i)
			if !ok {
				km = 1e9
			}
			if best < 0 || (nearest && km < bestKM) || (!nearest && i < best) {
				best, bestKM = i, km
			}
		}
		if best < 0 {
			return nil
		}
		picks[k] = best
	}
	var from []int
	for k, d := range o.demand {
		s[key{d.SKU, picks[k]}] -= d.Qty
		if !slices.Contains(from, picks[k]) {
			from = append(from, picks[k])
		}
	}
	return from
}

// stockUp draws who keeps what: the seller of a product has up to 3 units, each of the four
// others up to 2.
func (m *market) stockUp(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0x0115))
	skus := make([]string, 0, len(m.keepers))
	for sku := range m.keepers {
		skus = append(skus, sku)
	}
	slices.Sort(skus)
	m.initial = stock{}
	for _, sku := range skus {
		own := len(m.keepers[sku])
		for len(m.keepers[sku]) < own+otherSellers && len(m.keepers[sku]) < len(m.sellers) {
			if i := r.IntN(len(m.sellers)); !slices.Contains(m.keepers[sku], i) {
				m.keepers[sku] = append(m.keepers[sku], i)
			}
		}
		for k, i := range m.keepers[sku] {
			if k < own {
				m.initial[key{sku, i}] = int64(r.IntN(4))
			} else {
				m.initial[key{sku, i}] = int64(r.IntN(3))
			}
		}
	}
}

// load reads the files.
func load(dir string) (*market, error) {
	var pb geo.PostalBuilder
	f, err := os.Open(filepath.Join(dir, "full", "geolocation_one_row_per_prefix.csv"))
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, "routingbench.load", "the Olist files are not in this folder")
	}
	_, err = geo.ReadPostalCSV(&pb, f, geo.Olist)
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	postal := pb.Build()

	m := &market{index: map[string]int{}, keepers: map[string][]int{}}
	type item struct{ product, seller string }
	items := map[string][]item{}
	sold := map[string]int{}
	if err := table(dir, "olist_order_items_dataset.csv", func(row map[string]string) {
		it := item{row["product_id"], row["seller_id"]}
		items[row["order_id"]] = append(items[row["order_id"]], it)
		sold[it.seller]++
	}); err != nil {
		return nil, err
	}
	if err := table(dir, "full/olist_sellers_dataset.csv", func(row map[string]string) {
		l := catalog.Location{ID: row["seller_id"], Name: row["seller_city"], Country: "BR", Postal: row["seller_zip_code_prefix"]}
		l.Lat, l.Lon, _ = postal.Lookup("BR", l.Postal)
		m.sellers = append(m.sellers, l)
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(m.sellers, func(a, b catalog.Location) int {
		return cmp.Or(cmp.Compare(sold[b.ID], sold[a.ID]), strings.Compare(a.ID, b.ID))
	})
	for i := range m.sellers {
		m.sellers[i].Rank = i + 1
		m.index[m.sellers[i].ID] = i
	}
	weight := map[string]int64{}
	if err := table(dir, "olist_products_dataset.csv", func(row map[string]string) {
		weight[row["product_id"]], _ = strconv.ParseInt(row["product_weight_g"], 10, 64)
	}); err != nil {
		return nil, err
	}
	prefix := map[string]string{}
	if err := table(dir, "olist_customers_dataset.csv", func(row map[string]string) {
		prefix[row["customer_id"]] = row["customer_zip_code_prefix"]
	}); err != nil {
		return nil, err
	}
	if err := table(dir, "olist_orders_dataset.csv", func(row map[string]string) {
		o := &order{id: row["order_id"], at: row["order_purchase_timestamp"]}
		o.lat, o.lon, o.located = postal.Lookup("BR", prefix[row["customer_id"]])
		for _, it := range items[o.id] {
			i, ok := m.index[it.seller]
			if !ok {
				continue
			}
			if !slices.Contains(m.keepers[it.product], i) {
				m.keepers[it.product] = append(m.keepers[it.product], i)
			}
			k := slices.IndexFunc(o.demand, func(d routing.Demand) bool { return d.SKU == it.product })
			if k < 0 {
				k = len(o.demand)
				o.demand = append(o.demand, routing.Demand{SKU: it.product, WeightG: weight[it.product]})
			}
			o.demand[k].Qty++
		}
		if len(o.demand) == 0 {
			m.skipped++
			return
		}
		m.orders = append(m.orders, o)
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(m.orders, func(a, b *order) int { return cmp.Or(strings.Compare(a.at, b.at), strings.Compare(a.id, b.id)) })
	return m, nil
}

// table gives every row of a file with a header to f.
func table(dir, name string, f func(row map[string]string)) error {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "routingbench.table", "the Olist file %s is missing", name)
	}
	defer func() { _ = file.Close() }()
	r := csv.NewReader(file)
	header, err := r.Read()
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "routingbench.table", "%s has no header", name)
	}
	row := make(map[string]string, len(header))
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "routingbench.table", "%s cannot be read", name)
		}
		for i, h := range header {
			row[strings.TrimPrefix(h, "\ufeff")] = rec[i]
		}
		f(row)
	}
}
