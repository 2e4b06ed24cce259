// Package csvfile brings spreadsheets in: orders, stock, products and
// locations from CSV and XLSX files, by a mapping in YAML that says which column
// means what. It reads a file twice (once to learn where every order ends,
// once to map), turns rows into events and hands them to a Sink in
// chronological order. Every row is accounted for:
//
//	rows = accepted + rejected + duplicates
//
// and every rejected row is written to a file with its line and reason.
//
//	file ─▶ rows (reader.go, xlsx.go) ─▶ fields (field.go, number.go, date.go)
//	     ─▶ one draft per order (orders.go) ─▶ events (events.go) ─▶ Sink (out.go)
package csvfile
