// Package consoletest fills a store with a sample shop and runs the console on
// it, for tests and for looking at the pages. All of its people are samples.
package consoletest

import (
	"orderly.example/orderly/internal/catalog"
)

// place is a town with a postal code and its coordinates, rounded.
type place struct {
	country, postal, city string
	lat, lon              float64
}

var places = []place{
	{"DE", "10115", "Berlin", 52.53, 13.39},
	{"DE", "20095", "Hamburg", 53.55, 10.00},
	{"DE", "80331", "München", 48.14, 11.57},
	{"DE", "50667", "Köln", 50.94, 6.96},
	{"DE", "01067", "Dresden", 51.06, 13.73},
	{"DE", "70173", "Stuttgart", 48.78, 9.18},
	{"FR", "75001", "Paris", 48.86, 2.34},
	{"FR", "69001", "Lyon", 45.77, 4.83},
	{"FR", "13001", "Marseille", 43.30, 5.38},
	{"AT", "1010", "Wien", 48.21, 16.37},
	{"NL", "1012", "Amsterdam", 52.37, 4.90},
	{"PL", "00-001", "Warszawa", 52.23, 21.01},
	{"ES", "28001", "Madrid", 40.42, -3.69},
	{"IT", "20121", "Milano", 45.47, 9.19},
	{"DK", "1050", "København", 55.68, 12.59},
	{"SE", "111 20", "Stockholm", 59.33, 18.06},
	{"BE", "1000", "Bruxelles", 50.85, 4.35},
	{"PT", "1100", "Lisboa", 38.71, -9.14},
}

// Postal knows the coordinates of the sample places.
type Postal struct{}

// Lookup implements console.Postal.
func (Postal) Lookup(country, code string) (lat, lon float64, ok bool) {
	for _, p := range places {
		if p.country == country && p.postal == code {
			return p.lat, p.lon, true
		}
	}
	return 0, 0, false
}

var locations = []catalog.Location{
	{ID: "leipzig", Name: "Leipzig warehouse", Country: "DE", Postal: "04109", Lat: 51.34, Lon: 12.37, Rank: 1, Capacity: 400, CutOff: "15:00", SafetyStock: 2},
	{ID: "venlo", Name: "Venlo warehouse", Country: "NL", Postal: "5911", Lat: 51.37, Lon: 6.17, Rank: 2, Capacity: 250, CutOff: "14:00", SafetyStock: 2},
	{ID: "lyon", Name: "Lyon warehouse", Country: "FR", Postal: "69001", Lat: 45.77, Lon: 4.83, Rank: 3, Capacity: 120, CutOff: "16:00"},
	{ID: "berlin-shop", Name: "Berlin shop", Country: "DE", Postal: "10115", Lat: 52.53, Lon: 13.39, Rank: 4, Capacity: 20, SafetyStock: 1},
}

type item struct {
	sku, title string
	cents      int64
	weightG    int64
	lowAt      int64
}

var items = []item{
	{"MUG-BLU-01", "Enamel mug, blue", 1490, 320, 20},
	{"MUG-CRM-01", "Enamel mug, cream", 1490, 320, 20},
	{"KTL-STV-12", "Stovetop kettle 1.2 l", 6900, 1450, 8},
	{"GRN-HND-02", "Hand grinder", 8900, 820, 10},
	{"DRP-CER-V2", "Ceramic dripper V2", 2450, 560, 15},
	{"FLT-PAP-100", "Paper filters, 100", 690, 180, 60},
	{"SCL-DIG-2K", "Kitchen scale 2 kg", 3990, 640, 12},
	{"BTL-STL-500", "Steel bottle 500 ml", 2790, 380, 25},
	{"BTL-STL-750", "Steel bottle 750 ml", 3190, 460, 25},
	{"TWL-LIN-GRY", "Linen towel, grey", 1890, 210, 20},
	{"TWL-LIN-SND", "Linen towel, sand", 1890, 210, 20},
	{"KNF-CHF-20", "Chef's knife 20 cm", 11900, 340, 6},
	{"KNF-PAR-09", "Paring knife 9 cm", 4900, 110, 8},
	{"BRD-OAK-40", "Oak board 40 cm", 5400, 1900, 8},
	{"PAN-IRN-24", "Iron pan 24 cm", 7900, 1650, 8},
	{"PAN-IRN-28", "Iron pan 28 cm", 9400, 2150, 8},
	{"POT-CST-4L", "Cast pot 4 l", 18900, 5200, 4},
	{"LMP-DSK-WH", "Desk lamp, white", 12900, 1800, 5},
	{"LMP-DSK-BK", "Desk lamp, black", 12900, 1800, 5},
	{"NTB-A5-DOT", "Notebook A5, dotted", 1290, 260, 40},
	{"NTB-A5-PLN", "Notebook A5, plain", 1290, 260, 40},
	{"PEN-BRS-01", "Brass pen", 3600, 45, 15},
	{"BAG-CNV-NV", "Canvas bag, navy", 4900, 520, 10},
	{"BAG-CNV-OL", "Canvas bag, olive", 4900, 520, 10},
	{"CND-SOY-CD", "Soy candle, cedar", 2200, 410, 20},
	{"CND-SOY-FG", "Soy candle, fig", 2200, 410, 20},
	{"BLK-WOL-GR", "Wool blanket, grey", 14900, 1350, 6},
	{"BLK-WOL-RS", "Wool blanket, rust", 14900, 1350, 6},
	{"SET-COF-01", "Coffee set", 11900, 1600, 5},
	{"TEA-GRN-100", "Green tea 100 g", 1150, 130, 30},
}
