package main

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// silenceFile says how a file of order lines is read.
type silenceFile struct {
	id, at, country, units string // columns
	large                  int    // units from which the sample automation fires
	zone                   string
	from                   string
	closed                 []string
}

func (p *program) benchSilenceCommand() *cobra.Command {
	var f silenceFile
	var asJSON bool
	c := &cobra.Command{
		Use: "silence FILE", Short: "Measure how soon silence is noticed, and how often for nothing", Args: cobra.ExactArgs(1),
		Long: `Replay the order times of a CSV file (also .gz) that you bring. The watch learns from them as
it would have lived them. Each silence in the file that it would have told is counted as
a false alarm. Then the orders are cut after every order in opening hours: for an hour, for a day, for good;
all of them, those of each country, and those on which an automation fires that
wants many units. The table says how soon that would have been noticed.`,
		Example: examples("orderly bench silence online_retail.csv.gz", "orderly bench silence online_retail.csv.gz --closed 2011-04-22,2011-04-25 --json"),
		RunE: func(_ *cobra.Command, args []string) error {
			cal := rate.Calendar{Closed: map[string]bool{}}
			var err error
			if cal.Zone, err = time.LoadLocation(f.zone); err != nil {
				return usagef("--time-zone is an IANA time zone like Europe/London, got %q", f.zone)
			}
			for _, d := range f.closed {
				if _, err := time.Parse(time.DateOnly, d); err != nil {
					return usagef("--closed has dates like 2011-04-22, got %q", d)
				}
				cal.Closed[d] = true
			}
			var from time.Time
			if f.from != "" {
				if from, err = time.ParseInLocation(time.DateOnly, f.from, cal.Zone); err != nil {
					return usagef("--from is a date like 2011-04-01, got %q", f.from)
				}
			}
			moments, err := f.read(args[0], cal.Zone)
			if err != nil {
				return err
			}
			trials := watch.Replay(moments, cal, from)
			if asJSON {
				return p.printJSON(trials)
			}
			p.tellSilence(trials)
			return nil
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.id, "id", "InvoiceNo", "`COLUMN` with the order's number")
	fs.StringVar(&f.at, "at", "InvoiceDate", "`COLUMN` with its time")
	fs.StringVar(&f.country, "country", "Country", "`COLUMN` with its country")
	fs.StringVar(&f.units, "units", "Quantity", "`COLUMN` with a line's units")
	fs.IntVar(&f.large, "large", 500, "the automation fires on orders of at least this `NUMBER` of units")
	fs.StringVar(&f.zone, "time-zone", "Europe/London", "`ZONE` of the times")
	fs.StringSliceVar(&f.closed, "closed", nil, "`DATES` on which nothing was expected, with commas between")
	fs.StringVar(&f.from, "from", "", "report on what happened from this `DATE` on only; what was before is learned from")
	bindJSON(fs, &asJSON)
	return c
}

// silenceTimes are the forms of a time that are read.
var silenceTimes = []string{time.DateTime, "2006-01-02 15:04", time.RFC3339, "1/2/2006 15:04"}

// read gives one moment for each order of the file.
func (f silenceFile) read(name string, zone *time.Location) ([]watch.Moment, error) {
	const op = "bench.silence"
	file, err := os.Open(name)
	if err != nil {
		return nil, fault.Wrap(err, fault.NotFound, op, "the file %s cannot be read", name)
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, op, "%s is not a gzip file", name)
		}
	}
	r := csv.NewReader(in)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, op, "%s has no head line", name)
	}
	head = slices.Clone(head)
	var cols [4]int
	for i, want := range []string{f.id, f.at, f.country, f.units} {
		if cols[i] = slices.Index(head, want); cols[i] < 0 {
			return nil, fault.New(fault.Invalid, op, "%s has no column %q; its columns are %s", name, want, strings.Join(head, ", "))
		}
	}
	type placed struct {
		at      time.Time
		country string
		units   int
	}
	by := map[string]*placed{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, op, "%s: %s", name, err)
		}
		id := row[cols[0]]
		if strings.HasPrefix(id, "C") { // a cancellation
			continue
		}
		units, err := strconv.Atoi(row[cols[3]])
		if err != nil {
			continue // a line without a quantity
		}
		o := by[id]
		if o == nil {
			o = &placed{country: row[cols[2]]}
			for _, form := range silenceTimes {
				if o.at, err = time.ParseInLocation(form, row[cols[1]], zone); err == nil {
					break
				}
			}
			if err != nil {
				line, _ := r.FieldPos(cols[1])
				return nil, fault.New(fault.Invalid, op, "%s:%d: %q is no time", name, line, row[cols[1]])
			}
			by[strings.Clone(id)] = o
			o.country = strings.Clone(o.country)
		}
		o.units += units
	}
	out := make([]watch.Moment, 0, len(by))
	for _, o := range by {
		m := watch.Moment{At: o.at, Series: []string{"all orders", "orders from " + o.country}}
		if o.units >= f.large {
			m.Series = append(m.Series, "an automation on large orders")
		}
		out = append(out, m)
	}
	return out, nil
}

func (p *program) tellSilence(trials []*watch.Trial) {
	var rows [][]string
	left := 0
	for _, t := range trials {
		if t.Missing != "" {
			left++
			continue
		}
		rows = append(rows, []string{
			t.Name, fmt.Sprintf("%.0f", t.PerWeek), fmt.Sprintf("%.1f", t.Months), fmt.Sprintf("%d (%.2f a month)", len(t.Alarms), t.PerMonth()), strconv.Itoa(t.Stops),
			percent(t.Hour), percent(t.Day), short(t.Median), short(t.Most), short(t.Thrice), percent(t.InTime),
		})
	}
	p.table([]string{"RATE", "A WEEK", "MONTHS", "FALSE ALARMS", "STOPS", "1 H CUT", "1 DAY CUT", "NOTICED AFTER", "95 %", "3 × 99.9 %", "WITHIN IT"}, rows)
	for _, t := range trials {
		for _, a := range t.Alarms {
			p.printf("told: %s, silent from %s to %s, noticed %s\n", t.Name, a.From.Format("2006-01-02 15:04"), a.To.Format("2006-01-02 15:04"), a.Noticed.Format("2006-01-02 15:04"))
		}
	}
	if left > 0 {
		p.printf("%d rates were never known well enough to be watched.\n", left)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// short is a duration in the unit that people would use.
func short(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}
