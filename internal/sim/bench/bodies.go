// Package bench drives a running Orderly with signed webhook deliveries and
// measures what comes back, and measures beside it what the database alone could do.
//
//	Bodies ──▶ Conn (one keep-alive connection) ──▶ POST /hooks/{connection}
//	   Run: as fast as N connections can (closed loop), or at a rate (open loop:
//	   timed from when a delivery was due, so that a slow answer delays nothing unseen)
//	Capture ──▶ Replay: the rows of one real commit group, written again without deciding
//
// The client is its own: net/http's costs as much per request as the server does,
// and both share the machine.
package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim"
)

// BodySize is the length of an order's delivery in bytes, give or take a few digits.
const BodySize = 4096

// templates is how many different orders the bodies are made from: numbers, buyers,
// devices and addresses are new in each, products and places repeat.
const templates = 256

// Bodies makes the bodies of order deliveries: 4 KB each, two lines. It is safe for concurrent use.
type Bodies struct {
	prefix string
	parts  [][]part
}

// part is a piece of text followed by a value that differs from order to order.
type part struct {
	text []byte
	slot slot
}

type slot byte

const (
	none   slot = iota
	number      // of the order
	buyer       // a number for each buyer: four of five orders come from a new one
	device
	ip
	street
)

// markers are replaced by slots; they cannot occur in a sample order otherwise.
var markers = map[slot]string{number: "@number@", buyer: "@buyer@", device: "@device@", ip: "@ip@", street: "@street@"}

// NewBodies makes the bodies of a seed. prefix starts every order number, so
// that two runs do not meet. Of the 4 KB, stored bytes are attributes that Orderly
// keeps with the order; the rest are fields of the channel that it does not
// know and drops.
func NewBodies(seed uint64, prefix string, stored int) (*Bodies, error) {
	shop := sim.New(seed, "")
	b := &Bodies{prefix: prefix}
	at := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	for range templates {
		p := shop.OrderOf(at, 2)
		doc, err := template(p, stored)
		if err != nil {
			return nil, err
		}
		b.parts = append(b.parts, split(doc))
	}
	return b, nil
}

// template is the JSON of an order with markers where orders differ.
func template(p *event.OrderPlaced, stored int) ([]byte, error) {
	p.Number, p.PlacedAt = markers[number], time.Time{}
	p.Customer.ID = markers[buyer]
	p.Customer.Name = "Sample Buyer " + markers[buyer]
	p.Customer.Email = "buyer" + markers[buyer] + "@example.com"
	p.Shipping.Name, p.Shipping.Line1 = p.Customer.Name, "Sample Street "+markers[street]
	if p.Billing.Line1 != "Other Street 1" {
		p.Billing = p.Shipping
	}
	p.Device, p.IP = "sample-device-"+markers[device], markers[ip]
	p.Attributes = map[string]string{}
	for i, left := 0, stored; left > 0; i++ {
		n := min(left, 120)
		p.Attributes[fmt.Sprintf("attribute_%02d", i)] = filler(n)
		left -= n + 20
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	var extra bytes.Buffer
	for i := 0; ; i++ {
		room := BodySize - len(data) - extra.Len() - 60
		if room < 40 {
			break
		}
		fmt.Fprintf(&extra, `,"channel_field_%02d":%q`, i, filler(min(room-30, 90)))
	}
	var doc bytes.Buffer
	doc.WriteString(`{"type":"order.placed","data":`)
	doc.Write(data[:len(data)-1])
	doc.Write(extra.Bytes())
	doc.WriteString(`}}`)
	return doc.Bytes(), nil
}

// filler is n letters that look like what channels add: words and hyphens.
func filler(n int) string {
	const words = "sample-campaign utm-source newsletter-spring landing-page catalogue browser-locale checkout-step "
	b := make([]byte, n)
	for i := range b {
		b[i] = words[i%len(words)]
	}
	return string(b)
}

// split cuts a document at its markers.
func split(doc []byte) []part {
	var out []part
	for {
		at, which := len(doc), none
		for s, m := range markers {
			if i := bytes.Index(doc, []byte(m)); i >= 0 && i < at {
				at, which = i, s
			}
		}
		out = append(out, part{text: doc[:at], slot: which})
		if which == none {
			return out
		}
		doc = doc[at+len(markers[which]):]
	}
}

// Append adds the body of order n to buf.
func (b *Bodies) Append(buf []byte, n int64) []byte {
	h := mix(uint64(n))
	who := n
	if h%5 == 0 && n > 50 {
		who = n - 1 - int64(h>>8%50) // somebody who was here a moment ago
	}
	w := mix(uint64(who))
	for _, p := range b.parts[uint64(n)%templates] {
		buf = append(buf, p.text...)
		switch p.slot {
		case number:
			buf = append(buf, b.prefix...)
			buf = strconv.AppendInt(buf, n, 10)
		case buyer, device:
			buf = strconv.AppendInt(buf, 100000+who, 10)
		case street:
			buf = strconv.AppendUint(buf, 1+w%9000, 10)
		case ip: // 198.18.0.0/15 is kept for benchmarks
			buf = fmt.Appendf(buf, "198.%d.%d.%d", 18+w>>8%2, w>>16%256, w>>24%256)
		}
	}
	return buf
}

// AppendID adds the webhook-id of order n's delivery to buf.
func (b *Bodies) AppendID(buf []byte, n int64) []byte {
	buf = append(buf, "msg_"...)
	buf = append(buf, b.prefix...)
	return strconv.AppendInt(buf, n, 10)
}

// mix scrambles a number (the finalizer of SplitMix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
