package csvfile

import "testing"

func TestPlainCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "A-1": "A-1", "-12.50": "-12.50", "+3": "+3", "=1+1": "'=1+1", "-1+cmd|x": "'-1+cmd|x", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\rx": "'\rx", "-1/2": "'-1/2",
	} {
		if got := plainCell(in); got != want {
			t.Errorf("plainCell(%q) = %q, want %q", in, got, want)
		}
	}
}
