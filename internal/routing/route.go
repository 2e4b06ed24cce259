package routing

import (
	"slices"
	"strings"
)

// Route plans the order. It always returns a plan; what cannot be shipped is Missing.
func Route(req Request, p *Policy) Plan {
	plan := Plan{}
	cands := slices.Clone(req.Candidates)
	slices.SortFunc(cands, func(a, b Candidate) int { return strings.Compare(a.ID, b.ID) })
	used := map[string]bool{}
	for _, d := range req.Demand {
		left := d.Qty
		for _, c := range cands {
			n := min(left, max(c.ATP[d.SKU]-c.SafetyStock, 0))
			if n == 0 || c.Closed || slices.Contains(req.Exclude, c.ID) || (d.Pinned != "" && d.Pinned != c.ID) {
				continue
			}
			plan.Assign = append(plan.Assign, Assignment{SKU: d.SKU, Location: c.ID, Qty: n})
			used[c.ID] = true
			left -= n
		}
		if left > 0 {
			plan.Missing = append(plan.Missing, Assignment{SKU: d.SKU, Qty: left, Backorder: req.AllowBackorder[d.SKU]})
		}
	}
	plan.Parcels = len(used)
	return plan
}
