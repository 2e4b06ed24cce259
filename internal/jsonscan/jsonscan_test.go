package jsonscan

import (
	"encoding/json"
	"testing"
)

// FuzzText: a string, a number or a list of either that the scanner reads is what encoding/json reads.
func FuzzText(f *testing.F) {
	for _, s := range []string{`"a"`, `"\u00e9\""`, `"\ud800"`, "\"\xff\"", `12`, `-0`, `01`, `1e3`, `["a","b"]`, `["a",]`, `[`, `{"a":"b","c":[1,{"d":"]"}]}`, `{"a":1,"b":"x"}`, `{}`, `{,}`, ``, `true`, `tru`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x := Of(text)
		if got := x.String(); x.Whole() {
			var want string
			if err := json.Unmarshal([]byte(text), &want); err != nil || got != want {
				t.Errorf("%q is %q, want %q (%v)", text, got, want, err)
			}
		}
		x = Of(text)
		if got := x.Int(); x.Whole() {
			var want int64
			if err := json.Unmarshal([]byte(text), &want); err != nil || got != want {
				t.Errorf("%q is %d, want %d (%v)", text, got, want, err)
			}
		}
		x = Of(text)
		if got := x.Bool(); x.Whole() {
			var want bool
			if err := json.Unmarshal([]byte(text), &want); err != nil || got != want {
				t.Errorf("%q is %v, want %v (%v)", text, got, want, err)
			}
		}
		x = Of(text)
		got := []string{}
		for x.Array(); x.More(); {
			got = append(got, x.String())
		}
		if x.Whole() {
			var want []string
			if err := json.Unmarshal([]byte(text), &want); err != nil || len(want) != len(got) {
				t.Errorf("%q is %q, want %q (%v)", text, got, want, err)
			}
		}
		x = Of(text)
		fields := map[string]string{}
		for x.Object(); ; {
			name, ok := x.AnyKey()
			if !ok {
				break
			}
			fields[name] = x.Skip()
		}
		x.End()
		var want map[string]json.RawMessage
		if x.Whole() && json.Unmarshal([]byte(text), &want) == nil {
			for name, v := range want {
				if string(v) != fields[name] {
					t.Errorf("%q has %q as %q, want %q", text, name, fields[name], v)
				}
			}
		}
		if v := Of(text); json.Valid([]byte(text)) && text != "" && text[0] > ' ' {
			if raw := v.Skip(); v.IsBad() || len(raw) > len(text) {
				t.Errorf("%q is not skipped", text)
			}
		}
	})
}
