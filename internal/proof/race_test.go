//go:build race

package proof

// orders is how many random orders hold the proofs to their word: fewer under the race detector, which
// makes each many times dearer and has nothing to find in a function that runs alone.
const orders = 10_000
