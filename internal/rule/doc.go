// Package rule compiles and evaluates the conditions of automations.
//
// The language is CEL over the fields of the schema. It is total: a condition
// always ends with true, false or unknown, within bounded time, whatever the facts.
//
//	order.total > money("400", "EUR") && customer.orders == 0
//	        │
//	        ▼  parse and type-check (cel-go); names, literals and size checked here
//	  checked tree ───────────────┬──────────────────────────────┐
//	        │ decidable fragment  │ anything else                │
//	        ▼                     ▼                              ▼
//	  node tree: no allocation    celNode: a CEL program    branch tree: the text of
//	  comparisons, membership,    for that part only        every part, for Explain
//	  prefixes, and/or/not,
//	  exists/all over lines
//	        └──────────┬──────────┘
//	                   ▼
//	        Eval(facts) → False | True | Unknown
//
// The node tree exists because decisions are made thousands of times a second
// and most conditions are comparisons: it is many times faster than the
// interpreter. The CEL program of the same text is the definition of what a
// condition means; a property test holds the two to the same outcomes.
//
// What a condition can be on any facts at all is [Solve]'s part: it searches the node tree for facts
// that make conditions true, false or unknown together, and proves where there are none (ADR 0013).
//
// Unknown follows Kleene: false && unknown is false, true || unknown is true,
// and what stays unknown does not fire. A comparison of two currencies is
// unknown, not false.
package rule
