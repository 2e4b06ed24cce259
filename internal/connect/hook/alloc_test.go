//go:build !race

package hook_test

import (
	"bytes"
	"testing"
)

// The race detector makes sync.Pool forget on purpose, so this is measured without it.
func TestAGenuineDocumentCostsNoAllocation(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 4096)
	v := verifier(t, newSecret, oldSecret)
	h := headers(t, signer(t, oldSecret), "eff_1", at, body)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := v.Verify(h, body, at); err != nil {
			t.Fatal(err)
		}
	}); n > 0.5 { // a collection may empty the pool
		t.Errorf("%v allocations", n)
	}
}
