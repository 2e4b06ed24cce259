package main

import "testing"

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		head, text string
		width      int
		want       string
	}{
		{"  ", "short", 80, "  short"},
		{"  * ", "a line that is too long for it", 24, "  * a line that is too\n    long for it"},
		{"  ", "a file or a pipe keeps one line", 0, "  a file or a pipe keeps one line"},
		{"  ", "ord_f2q87tsddq40g80a55vxgfcq stays whole", 22, "  ord_f2q87tsddq40g80a55vxgfcq\n  stays whole"},
		{"                    ", "no room to wrap in, so it stays", 30, "                    no room to wrap in, so it stays"},
	} {
		if got := wrap(c.head, c.text, c.width); got != c.want {
			t.Errorf("wrap(%q, %q, %d) = %q, want %q", c.head, c.text, c.width, got, c.want)
		}
	}
}
