package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/geo"
	"orderly.example/orderly/internal/store"
)

const dataHelp = `Tables that decisions look things up in:
  postal   coordinates of postal codes, for distances (files of geonames.org, or
           any CSV with country, code, latitude and longitude)
  ip       countries of IPv4 ranges, for risk rules (first address, last address,
           country)
Without them distances and IP countries are unknown, and so are conditions that
need them. Files may be packed with gzip. Importing again adds and replaces; a
running server uses the new tables after its next start.`

// rowsPerUpdate bounds one transaction of an import of tables, so that a
// running server is not kept waiting.
const rowsPerUpdate = 20_000

func (p *program) dataCommand() *cobra.Command {
	var geonames, olist, asJSON bool
	var m geo.PostalMapping
	postal := &cobra.Command{
		Use: "postal FILE", Short: "Import coordinates of postal codes", Args: cobra.ExactArgs(1), Long: dataHelp,
		Example: examples("orderly data import postal DE.txt --geonames", "orderly data import postal points.csv --country FR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			country := m.Country
			switch {
			case geonames && olist:
				return usagef("--geonames and --olist exclude each other")
			case geonames:
				m = geo.GeoNames
			case olist:
				m = geo.Olist
			}
			if country != "" {
				m.Country = country
			}
			var b geo.PostalBuilder
			return p.importTable(cmd, args[0], asJSON, func(r io.Reader) (geo.ReadStats, error) { return geo.ReadPostalCSV(&b, r, m) },
				func(put putRows) (int, error) {
					t := b.Build()
					flat := make([]any, 0, 4*t.Len())
					t.Each(func(country, code string, lat, lon float64) { flat = append(flat, country, code, lat, lon) })
					return t.Len(), put(flat, 4, func(tx *store.Tx, f []any) error { return tx.PutPostal(f) })
				})
		},
	}
	postal.Flags().BoolVar(&geonames, "geonames", false, "the file is one of geonames.org: tabs, no header")
	postal.Flags().BoolVar(&olist, "olist", false, "the file is the Olist geolocation table (Brazil, prefixes without leading zeros)")
	postal.Flags().StringVar(&m.Country, "country", "", "`CODE` of the country when the file does not say it, like DE")

	ip := &cobra.Command{
		Use: "ip FILE", Short: "Import countries of IPv4 ranges", Args: cobra.ExactArgs(1), Long: dataHelp,
		Example: examples("orderly data import ip ranges.csv.gz"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var b geo.IPBuilder
			return p.importTable(cmd, args[0], asJSON, func(r io.Reader) (geo.ReadStats, error) { return geo.ReadIPRanges(&b, r) },
				func(put putRows) (int, error) {
					t := b.Build()
					flat := make([]any, 0, 3*t.Len())
					t.Each(func(from, to uint32, country string) { flat = append(flat, int64(from), int64(to), country) })
					return t.Len(), put(flat, 3, func(tx *store.Tx, f []any) error { return tx.PutIPRanges(f) })
				})
		},
	}
	for _, c := range []*cobra.Command{postal, ip} {
		bindJSON(c.Flags(), &asJSON)
		bindCommon(c.Flags())
	}
	imp := group(&cobra.Command{Use: "import", Short: "Import a table", Long: dataHelp}, postal, ip)
	return group(&cobra.Command{Use: "data", Short: "Import postal codes and IP ranges", Long: dataHelp}, imp)
}

// putRows writes a flat list of rows in transactions of bounded size.
type putRows = func(flat []any, each int, write func(*store.Tx, []any) error) error

func (p *program) importTable(cmd *cobra.Command, path string, asJSON bool, read func(io.Reader) (geo.ReadStats, error), write func(putRows) (int, error)) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(err, fault.NotFound, "data", "the file %s cannot be read", path)
	}
	defer f.Close()
	st, err := read(f)
	if err != nil {
		return err
	}
	return p.withShop(cmd, true, func(s *shop) error {
		n, err := write(func(flat []any, each int, one func(*store.Tx, []any) error) error {
			for len(flat) > 0 {
				part := flat[:min(len(flat), rowsPerUpdate*each)]
				flat = flat[len(part):]
				if err := s.db.Update(cmd.Context(), func(tx *store.Tx) error { return one(tx, part) }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if asJSON {
			return p.printJSON(map[string]any{"rows": st.Rows, "kept": st.Kept, "rejected": st.Rejected, "entries": n})
		}
		p.printf("%s; %d entries\n", st, n)
		return nil
	})
}
