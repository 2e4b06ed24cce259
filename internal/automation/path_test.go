package automation

import "testing"

func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"0", "1.then.0", "2.do3.1", "4.else.0", "1.do2.0.then.3"} {
		if at, ok := ParsePath(s); !ok || Path(at) != s {
			f.Errorf("%q is not read back: %v", s, at)
		}
		f.Add(s)
	}
	for _, s := range []string{"", "x", "-1", "1.", "1.then", "1.do.0", "1.dox.0", "01"} {
		if at, ok := ParsePath(s); ok {
			f.Errorf("%q is a place: %v", s, at)
		}
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if at, ok := ParsePath(s); ok && Path(at) != s {
			t.Errorf("%q became %q", s, Path(at))
		}
	})
}
