package ui

import (
	_ "embed"
	"encoding/binary"
	"math"
	"strings"
	"sync"
)

// countriesPacked is described in assets/LICENSES.txt.
//
//go:embed countries.bin
var countriesPacked []byte

type lonLat struct{ lon, lat float64 } // degrees

type ring struct {
	pts                    []lonLat
	west, east, south, nor float64
}

// countries are the outer rings of all countries, unpacked at the first map that is drawn.
var countries = sync.OnceValue(func() []ring { return unpack(countriesPacked) })

func unpack(b []byte) []ring {
	const grid = 25 // steps per degree
	uv := func() uint64 {
		n, k := binary.Uvarint(b)
		if k <= 0 {
			b = nil
			return 0
		}
		b = b[k:]
		return n
	}
	zz := func() int64 { n := uv(); return int64(n>>1) ^ -int64(n&1) }
	rings := make([]ring, 0, 1600)
	for left := uv(); left > 0 && len(b) > 0; left-- {
		n := uv()
		if n > uint64(len(b)) {
			break
		}
		r := ring{pts: make([]lonLat, 0, n), west: 180, east: -180, south: 90, nor: -90}
		var x, y int64
		for range n {
			x += zz()
			y += zz()
			p := lonLat{float64(x) / grid, float64(y) / grid}
			r.pts = append(r.pts, p)
			r.west, r.east = math.Min(r.west, p.lon), math.Max(r.east, p.lon)
			r.south, r.nor = math.Min(r.south, p.lat), math.Max(r.nor, p.lat)
		}
		rings = append(rings, r)
	}
	return rings
}

// MapPoint is a place on a map.
type MapPoint struct {
	Lat, Lon float64 // degrees WGS 84
	Label    string
	Kind     string // loc, chosen, home (where it ships to), bill (where the bill goes)
	Title    string
}

// mapLayout is the geometry of Map in SVG units.
type mapLayout struct {
	w, h   float64
	land   string
	routes []string
	points []mapDot
}

type mapDot struct {
	x, y, r      float64
	class, label string
	anchor       string
	tx, ty       float64
	title        string
}

// layMap fits the points with a margin and draws the outlines around them in
// Mercator's projection, which keeps shapes at any size of map.
func layMap(points []MapPoint, w, h float64) mapLayout {
	m := mapLayout{w: w, h: h}
	if len(points) == 0 {
		return m
	}
	merc := func(lat float64) float64 {
		lat = math.Max(-80, math.Min(80, lat))
		return math.Log(math.Tan(math.Pi/4+lat*math.Pi/360)) * 180 / math.Pi
	}
	west, east, south, north := 180.0, -180.0, 90.0*2, -90.0*2
	for _, p := range points {
		west, east = math.Min(west, p.Lon), math.Max(east, p.Lon)
		south, north = math.Min(south, merc(p.Lat)), math.Max(north, merc(p.Lat))
	}
	const margin = 42 // SVG units around the outermost points, room for their labels
	scale := math.Min((m.w-2*margin)/math.Max(east-west, 3), (m.h-2*margin)/math.Max(north-south, 3))
	midX, midY := (west+east)/2, (south+north)/2
	at := func(p lonLat) (x, y float64) {
		return m.w/2 + (p.lon-midX)*scale, m.h/2 - (merc(p.lat)-midY)*scale
	}
	halfLon, halfLat := m.w/2/scale, m.h/2/scale // in projected degrees
	var b strings.Builder
	for _, r := range countries() {
		if r.east < midX-halfLon || r.west > midX+halfLon || merc(r.nor) < midY-halfLat || merc(r.south) > midY+halfLat {
			continue
		}
		poly := make([][2]float64, 0, len(r.pts))
		var lx, ly float64
		for i, p := range r.pts {
			x, y := at(p)
			if i > 0 && math.Abs(x-lx) < 0.7 && math.Abs(y-ly) < 0.7 {
				continue // nearer than a pixel
			}
			lx, ly = x, y
			poly = append(poly, [2]float64{x, y})
		}
		poly = clip(poly, -4, -4, m.w+4, m.h+4)
		if len(poly) < 3 {
			continue
		}
		for i, p := range poly {
			if i == 0 {
				b.WriteByte('M')
			} else {
				b.WriteByte('L')
			}
			b.WriteString(px(p[0]))
			b.WriteByte(' ')
			b.WriteString(px(p[1]))
		}
		b.WriteByte('Z')
	}
	m.land = b.String()
	var home *lonLat
	for _, p := range points {
		if p.Kind == "home" {
			home = &lonLat{p.Lon, p.Lat}
		}
	}
	var placed []mapDot
	for _, p := range points {
		x, y := at(lonLat{p.Lon, p.Lat})
		d := mapDot{x: x, y: y, r: 4, class: "loc", label: p.Label, anchor: "start", tx: x + 8, ty: y + 3.5, title: p.Title}
		switch p.Kind {
		case "chosen":
			d.class, d.r = "loc chosen", 5
			if home != nil {
				hx, hy := at(*home)
				// a slight bow, so that routes to one place do not lie upon each other
				cx, cy := (x+hx)/2-(hy-y)*0.12, (y+hy)/2+(hx-x)*0.12
				m.routes = append(m.routes, "M"+px(x)+" "+px(y)+"Q"+px(cx)+" "+px(cy)+" "+px(hx)+" "+px(hy))
			}
		case "home":
			d.class, d.r = "home", 7 // larger than a location, so that one at the same place leaves a ring
		case "bill":
			d.class = "bill"
		}
		if x > m.w*0.62 {
			d.anchor, d.tx = "end", x-8
		}
		for _, q := range placed { // labels at one height push each other down
			if math.Abs(q.ty-d.ty) < 11 && math.Abs(q.tx-d.tx) < 90 && q.anchor == d.anchor {
				d.ty = q.ty + 11
			}
		}
		placed = append(placed, d)
	}
	m.points = placed
	return m
}

// clip cuts a polygon to a rectangle, one edge after the other (Sutherland–Hodgman).
func clip(poly [][2]float64, x0, y0, x1, y1 float64) [][2]float64 {
	edges := []struct {
		axis  int
		limit float64
		above bool
	}{{0, x0, true}, {0, x1, false}, {1, y0, true}, {1, y1, false}}
	for _, e := range edges {
		in := func(p [2]float64) bool { return (p[e.axis] >= e.limit) == e.above }
		out := make([][2]float64, 0, len(poly))
		for i, p := range poly {
			q := poly[(i+len(poly)-1)%len(poly)]
			if in(p) != in(q) {
				t := (e.limit - q[e.axis]) / (p[e.axis] - q[e.axis])
				out = append(out, [2]float64{q[0] + t*(p[0]-q[0]), q[1] + t*(p[1]-q[1])})
			}
			if in(p) {
				out = append(out, p)
			}
		}
		poly = out
	}
	return poly
}
