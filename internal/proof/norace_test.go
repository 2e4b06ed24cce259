//go:build !race

package proof

// orders is how many random orders hold the proofs to their word.
const orders = 100_000
