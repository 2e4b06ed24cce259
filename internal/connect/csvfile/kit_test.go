package csvfile

import (
	"fmt"
	"testing"
)

func TestComponents(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "[]",
		"MUG:2 TRAY:1":            "[{MUG 2} {TRAY 1}]",
		"MUG*2; TRAY":             "[{MUG 2} {TRAY 1}]",
		"A:B:3,C":                 "[{A:B 3} {C 1}]",
		"MUG:":                    "",
		"MUG:0":                   "",
		"MUG:-1":                  "",
		"MUG:1.5":                 "",
		":2":                      "",
		"MUG MUG":                 "",
		"MUG:9999999999999999999": "",
	} {
		got, err := components(text)
		if _, ok := asRejection(err); (err != nil) != (want == "") || err != nil && !ok || err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzComponents(f *testing.F) {
	f.Add("MUG:2 TRAY*1;X")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := components(text)
		if err != nil {
			return
		}
		for _, c := range got {
			if c.SKU == "" || c.Qty < 1 {
				t.Errorf("%q: %v", text, got)
			}
		}
	})
}
