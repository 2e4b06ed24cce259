package yamltext

import (
	"strconv"
	"strings"
	"testing"
)

// paths calls f for every scalar.
func paths(n *Node, path string, f func(path string, n *Node)) {
	if n.Kind == Scalar {
		f(path, n)
	}
	for i, e := range n.Entries {
		key := e.Key
		if n.Kind == List {
			key = strconv.Itoa(i)
		}
		if !strings.Contains(key, "/") && key != "" {
			paths(e.Value, Join(path, key), f)
		}
	}
}

// FuzzEdit: whatever is read, a value set to itself changes no byte, a changed one changes its own
// lines alone, and no comment is lost.
func FuzzEdit(f *testing.F) {
	for _, s := range []string{
		sample, "a: 1\nb: {c: [x, 'y''z', \"q\"], d: e} # f\n", "a:\n- b\n- c: d\n  e: >\n    f\n\n    g\n  # h\nk: |-\n  l // m\n",
		"- a\n- - b\n  - c\n", "\"a\": ''\nb:\n  c:\nd: ~\n", "a: b # c\n\n# d\n\ne: f\n\n  g\nh: i", "a: x:y\nb: http://c#d\n", "a: [\n  b, # c\n  d\n]\n",
	} {
		f.Add(s, "new: \"text\" # x", uint8(0))
	}
	f.Fuzz(func(t *testing.T, text, value string, pick uint8) {
		if len(text) > 4<<10 || len(value) > 300 {
			return
		}
		d, err := Parse(text)
		if err != nil {
			return
		}
		var all []string
		paths(d.Root, "", func(path string, n *Node) {
			all = append(all, path)
			if got, err := d.SetText(path, n.Value); err == nil && got != text {
				t.Fatalf("%s set to itself:\n%q\n%q", path, text, got)
			}
		})
		if len(all) == 0 {
			return
		}
		path := all[int(pick)%len(all)]
		n := d.At(path)
		if n == nil {
			return
		}
		got, err := d.SetText(path, value)
		if err != nil {
			return
		}
		first, last := d.Line(n.Start)-1, d.Line(n.End)
		before := strings.SplitAfter(text, "\n")
		if !strings.HasPrefix(got, strings.Join(before[:first], "")) || !strings.HasSuffix(got, strings.Join(before[last:], "")) {
			t.Fatalf("%s set to %q changed other lines:\n%s\n%s", path, value, text, got)
		}
		again, err := Parse(got)
		if err != nil || again.At(path) == nil || again.At(path).Kind != Scalar || again.At(path).Value != strings.TrimRight(value, "\n") {
			t.Fatalf("%s set to %q gave\n%s", path, value, got)
		}
		if len(again.comments) != len(d.comments) {
			t.Fatalf("%s set to %q: %d comments, then %d:\n%s\n%s", path, value, len(d.comments), len(again.comments), text, got)
		}
	})
}
