package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/connect/csvfile"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/store"
)

const importHelp = `Bring in orders, stock, products or locations from a CSV or XLSX file. A mapping
says what the columns mean: a built-in one (shopify, woocommerce, amazon, generic)
or a YAML file of your own; docs/import.md explains how to write one.

By default the file is history: facts are recorded at the time they happened,
stock moves at the location "opening" only, and nothing leaves the program. With
--as live the orders are worked on as if they had just come in.

Every row is accounted for: rows = accepted + rejected + duplicates. Rejected
rows are written to a file with their line and the reason. Importing the same file
again changes nothing; try --dry-run first.`

func (p *program) importCommand() *cobra.Command {
	return group(&cobra.Command{Use: "import", Short: "Bring in orders, stock, products or locations from CSV or XLSX", Long: importHelp},
		p.importKind(csvfile.Orders, "Import orders, returns and payments"),
		p.importKind(csvfile.Stock, "Import what is on hand"),
		p.importKind(csvfile.Products, "Import products with title, weight and low-stock line"),
		p.importKind(csvfile.Locations, "Import the places that hold and ship stock"))
}

func (p *program) importKind(kind, short string) *cobra.Command {
	var mapping, as, rejects, location string
	var with map[string]string
	var dry, asJSON, quiet bool
	cmd := &cobra.Command{
		Use: kind + " FILE", Short: short, Long: importHelp + "\n\nBuilt-in mappings for " + kind + ": " + strings.Join(csvfile.Presets(kind), ", ") + ".",
		Args: cobra.ExactArgs(1),
		Example: examples("orderly import "+kind+" "+kind+".csv --dry-run",
			"orderly import "+kind+" "+kind+".xlsx --mapping my-mapping.yaml --json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := csvfile.LoadMapping(mapping, kind)
			if err != nil {
				return &usageError{err}
			}
			o := csvfile.Options{
				Path: args[0], Kind: kind, Mapping: m, As: event.Mode(as), DryRun: dry, Rejects: rejects,
				With: with, Location: location, Actor: "terminal", Now: p.now,
			}
			if o.Rejects == "" {
				o.Rejects = csvfile.RejectsPath(args[0])
			}
			if !quiet {
				o.Progress = csvfile.Bar(p.stderr, terminal(p.stderr))
			}
			run := func() error {
				rep, err := csvfile.Import(cmd.Context(), o)
				if err != nil && !quiet && terminal(p.stderr) {
					_, _ = fmt.Fprintln(p.stderr) // below the bar
				}
				switch {
				case err != nil && cmd.Context().Err() != nil && dry:
					return fault.New(fault.Unavailable, "import", "stopped before the end of the file; a dry run changes nothing")
				case err != nil && cmd.Context().Err() != nil:
					return fault.New(fault.Unavailable, "import", "stopped before the end of the file. What was imported until now stays. Run the same command again to bring in the rest: nothing is imported twice")
				case err != nil:
					return err
				}
				if asJSON {
					err = p.printJSON(rep)
				} else {
					rep.WriteText(p.stdout)
				}
				if err == nil && rep.Rejected > 0 && rep.Accepted == 0 && rep.Duplicates == 0 {
					err = &exitError{exitFailure} // the report says why
				}
				return err
			}
			if dry {
				return run()
			}
			return p.withShop(cmd, true, func(s *shop) error {
				eng, err := engine.New(cmd.Context(), engine.Options{DB: s.db, Keyring: s.keys, Now: p.now, Logger: s.log})
				if err != nil {
					return err
				}
				o.Sink = importSink{eng, s.db}
				err = run()
				if cerr := eng.Close(context.WithoutCancel(cmd.Context())); err == nil {
					err = cerr
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&mapping, "mapping", "generic", "`NAME` of a built-in mapping or a YAML file")
	f.StringVar(&as, "as", string(event.History), "history or live")
	f.BoolVar(&dry, "dry-run", false, "read, check and count; change nothing")
	f.StringVar(&rejects, "rejects", "", "`FILE` for rejected rows (default: the file's name with .rejects.csv, in this folder)")
	f.StringToStringVar(&with, "with", nil, "`NAME=PATH` of a side file that the mapping joins")
	f.StringVar(&location, "location", "", "live: `ID` of the location where stock is counted and parcels leave")
	f.BoolVar(&quiet, "quiet", false, "no progress")
	bindJSON(f, &asJSON)
	bindCommon(f)
	return cmd
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

// importSink hands what an import brings to the engine and the catalogue.
type importSink struct {
	eng *engine.Engine
	db  *store.DB
}

// Submit implements csvfile.Sink.
func (s importSink) Submit(ctx context.Context, evs []event.Event) ([]csvfile.Result, error) {
	out, err := s.eng.Submit(ctx, evs)
	if err != nil {
		return nil, err
	}
	res := make([]csvfile.Result, len(out))
	for i, o := range out {
		res[i] = csvfile.Result{Status: string(o.Status), Reason: o.Reason}
	}
	return res, nil
}

// StockRun implements csvfile.StockRuns. The number is written before the counts
// are, so an import that was interrupted goes on under the same keys.
func (s importSink) StockRun(ctx context.Context, source, fingerprint string) (n int64, err error) {
	name := "import.stock." + source
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		n = 0
		was, ok, err := tx.Setting(name)
		if err != nil {
			return err
		}
		if ok {
			run, last, _ := strings.Cut(was, " ")
			if n, err = strconv.ParseInt(run, 10, 64); err != nil {
				return fault.Wrap(err, fault.Internal, "import stock", "the setting %s holds no run number", name)
			}
			if last == fingerprint {
				return nil
			}
			n++
		}
		return tx.PutSetting(name, strconv.FormatInt(n, 10)+" "+fingerprint)
	})
	return n, err
}

// PutProducts implements csvfile.Sink.
func (s importSink) PutProducts(ctx context.Context, ps []catalog.Product, onlyNew bool) (changed int, err error) {
	skus := make([]string, len(ps))
	for i, x := range ps {
		skus[i] = x.SKU
	}
	slices.Sort(skus)
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		known, err := store.Products(tx, skus)
		if err != nil {
			return err
		}
		if err := noKitOfKits(tx, ps); err != nil {
			return err
		}
		var put []catalog.Product
		for _, x := range ps {
			if old, ok := known[x.SKU]; ok && (onlyNew || reflect.DeepEqual(old.Product, x)) {
				continue
			}
			put = append(put, x)
		}
		changed = len(put)
		if changed == 0 {
			return nil
		}
		return store.UpsertProducts(tx, put)
	})
	return changed, err
}

// noKitOfKits refuses a kit whose part is a kit in the catalogue and stays one:
// kits are taken apart once only.
func noKitOfKits(tx *store.Tx, ps []catalog.Product) error {
	now := map[string]catalog.Product{}
	var parts []string
	for _, x := range ps {
		now[x.SKU] = x
		for _, c := range x.Components {
			parts = append(parts, c.SKU)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	known, err := store.Products(tx, slices.Compact(parts))
	if err != nil {
		return err
	}
	for _, x := range ps {
		for _, c := range x.Components {
			old, ok := known[c.SKU]
			if _, again := now[c.SKU]; ok && !again && old.Product.Kit() {
				return fault.New(fault.Invalid, "import products", "%s is a kit with %s in it, which is a kit itself: list the parts of %s instead", x.SKU, c.SKU, c.SKU)
			}
		}
	}
	return nil
}

// PutLocations implements csvfile.Sink.
func (s importSink) PutLocations(ctx context.Context, ls []catalog.Location) (changed int, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		known, err := tx.AllLocations()
		if err != nil {
			return err
		}
		var put []catalog.Location
		for _, l := range ls {
			if old, ok := known[l.ID]; !ok || !reflect.DeepEqual(old, l) {
				put = append(put, l)
			}
		}
		changed = len(put)
		if changed == 0 {
			return nil
		}
		return store.UpsertLocations(tx, put, "terminal")
	})
	return changed, err
}
