package csvfile

import (
	"strconv"
	"strings"

	"orderly.example/orderly/internal/catalog"
	"orderly.example/orderly/internal/event"
)

// maxComponents bounds the parts of a kit.
const maxComponents = 100

// components reads the parts of a kit, "MUG:2 TRAY:1" or "MUG*2; TRAY": SKUs with a
// quantity after ":" or "*", 1 without, apart by spaces, commas or semicolons. The last ":"
// or "*" counts, so that a SKU may have one.
func components(text string) ([]catalog.Component, error) {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == ',' || r == ';'
	})
	if len(words) > maxComponents {
		return nil, reject("a kit has too many components", "%d, the limit is %d", len(words), maxComponents)
	}
	var out []catalog.Component
	seen := map[string]bool{}
	for _, w := range words {
		c := catalog.Component{SKU: w, Qty: 1}
		if i := strings.LastIndexAny(w, ":*"); i >= 0 {
			n, err := strconv.ParseUint(w[i+1:], 10, 63)
			if err != nil || n < 1 || n > event.MaxQty {
				return nil, reject("components are not like MUG:2 TRAY:1", "%q has no quantity from 1 to %d", short(w), int64(event.MaxQty))
			}
			c.SKU, c.Qty = w[:i], int64(n)
		}
		switch {
		case c.SKU == "":
			return nil, reject("components are not like MUG:2 TRAY:1", "%q has no SKU", short(w))
		case len(c.SKU) > event.MaxID:
			return nil, reject("a text is too long", "components: a SKU has %d bytes, the limit is %d", len(c.SKU), event.MaxID)
		case seen[c.SKU]:
			return nil, reject("a component is named twice", "%q", short(c.SKU))
		}
		seen[c.SKU] = true
		c.SKU = strings.Clone(c.SKU)
		out = append(out, c)
	}
	return out, nil
}

// kit refuses a kit in a kit, whichever of the two comes first in the file.
func (s *simpleRun) kit(p catalog.Product) error {
	if !p.Kit() {
		return nil
	}
	if p.Untracked {
		return reject("a kit cannot be untracked", "%s", p.SKU)
	}
	for _, c := range p.Components {
		i, ok := s.at[c.SKU]
		if c.SKU == p.SKU || ok && s.products[i].Kit() {
			return reject("a kit in a kit", "%q is a kit itself", short(c.SKU))
		}
	}
	if in, ok := s.partOf[p.SKU]; ok {
		return reject("a kit in a kit", "%q is a component of %q", short(p.SKU), short(in))
	}
	return nil
}
