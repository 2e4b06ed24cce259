//go:build race

package proof

// orders is how many random orders hold the proofs to their word: few under the race detector, which makes each many
// times dearer and has nothing to find in a function that runs alone. make test runs them all without it.
const orders = 2_000
