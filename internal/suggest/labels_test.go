package suggest_test

import (
	"strings"
	"testing"

	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/suggest"
)

func TestReadLabels(t *testing.T) {
	got, err := suggest.ReadLabels("labels.csv", strings.NewReader("order,bad\n1001,0\n1002, Yes \n\"10,03\",fraud\n1001,no\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"1001": suggest.Approve, "1002": suggest.Reject, "10,03": suggest.Reject}
	if len(got) != len(want) {
		t.Errorf("read %v", got)
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %q, not %q", k, got[k], v)
		}
	}
}

func TestReadLabelsTellsTheLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"order,bad\n1001,maybe\n", `labels.csv:2: "maybe" is no label`},
		{"order,bad\n1001,0\n1001,1\n", "labels.csv:3: order 1001 has another label"},
		{"order,bad\n,1\n", "labels.csv:2: names no order"},
		{"1001,1\n", "labels.csv:1: the first line must name the columns"},
		{"order,bad\n1001\n", "labels.csv:2: has 1 columns"},
		{"order,bad\n", "holds no labels"},
		{"order,bad\n\"1001,1\n", "labels.csv:2: is not CSV"},
	} {
		_, err := suggest.ReadLabels("labels.csv", strings.NewReader(c.text))
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q gave %v", c.text, err)
			continue
		}
		if text := errorText(err); !strings.Contains(text, c.want) {
			t.Errorf("%q gave %q, not %q", c.text, text, c.want)
		}
	}
}

// errorText is an error with its problems, one a line.
func errorText(err error) string {
	text := err.Error()
	if f, ok := err.(*fault.Error); ok {
		for _, p := range f.Problems {
			text += "\n" + p.Pointer + ": " + p.Message
		}
	}
	return text
}

func FuzzReadLabels(f *testing.F) {
	f.Add("order,bad\n1001,0\n1002,1\n")
	f.Add("\ufefforder;bad\r\n\"a\nb\",yes\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := suggest.ReadLabels("f", strings.NewReader(text))
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%d labels and %v", len(got), err)
		}
		for n, l := range got {
			if n == "" || l != suggest.Approve && l != suggest.Reject {
				t.Fatalf("%q is %q", n, l)
			}
		}
	})
}
