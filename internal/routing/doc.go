// Package routing chooses which locations ship an order. [Route] is a pure
// function of the request and the policy: the same input gives the same plan,
// in whatever order the candidates stand.
//
// # What is optimised
//
// A candidate survives when no hard filter refuses it: it is open, not
// excluded, serves the channel, ships to the country, has capacity for one more
// parcel today, has something of what is asked after its safety stock, and, if
// the policy demands it, its parcel leaves today. What survivor l can give of
// SKU s is avail(s,l) = ATP less safety stock, at least 0.
//
// A plan is a set S of survivors, at most MaxSplits of them, each of which
// ships at least one unit in one parcel, and for every demand the units taken
// from each location of S, under these rules:
//
//   - A demand that is pinned to a location takes min(quantity, avail) there when
//     the location is in S, and nothing elsewhere. Pinned demands have the
//     first claim: what they take is no longer available to others.
//   - A demand that some location of S can fill alone is filled by one such
//     location, whole. Nobody wants one line in two parcels without need.
//   - Any other demand takes as much as S has of it, up to its quantity, and empties
//     the shelves it touches: every location but at most one gives either nothing
//     or all it has.
//
// Plans are compared by a list of figures, the first that differs decides:
//
//  1. units filled, the most (a policy without AllowPartial takes only plans that fill everything);
//  2. units from preferred locations, the most;
//  3. the policy's goals in their order, each as low as possible;
//  4. parcels, the fewest;
//  5. a fixed order of the locations (by what they are worth alone, then by id).
//
// The figures of the goals are integers, so that sums do not depend on an order:
//
//   - parcels: the number of locations in S.
//   - cost: sum over the parcels of the price of the first rate of the zone that
//     takes the parcel's weight (sum of WeightG of its units; packaging is not known).
//   - promise: the latest day on which a parcel arrives. A parcel is ready
//     HandlingH hours after the request; when the location's clock is past its
//     cut-off then, it leaves a day later; it leaves on a working day and
//     travels the zone's transit days, which are working days.
//   - distance: sum over the parcels of the great-circle distance in whole metres.
//   - rank: sum over the parcels of the location's rank.
//   - load: the highest share of today's capacity that a location of S has already
//     used, in hundredths of a percent; 0 without a limit.
//
// A parcel whose figure is not known (no price, no transit time, no coordinates, no
// rank) sorts after every parcel whose figure is: of two plans the one with
// fewer unknown parcels is better, then the lower sum of the others.
//
// # How
//
// All figures but the cost and the preferred units depend on S alone, and the
// preferred units are greatest when each demand's are. So the search walks all
// sets of at most 12 survivors by a table of what each fills (4,096 sums per
// SKU), keeps those that are best up to the cost, and for these assigns demands
// to parcels by branch and bound over the weight bands. A set that leaves a
// location idle is never better than the set without it, because no figure falls
// when a location joins; so the walk need not ask whether every location is used.
// Assigning weights to parcels is bin packing, so the number of steps is
// bounded too; [Plan.Exact] is true only when the best was proved.
//
// Beyond 12 survivors, the 12 most promising are searched exactly and the result
// is improved by exchanging, adding and dropping locations; the plan says so.
// One case stays exact at any number: when fewest parcels come first and one location
// can fill everything, every location is looked at alone.
package routing
