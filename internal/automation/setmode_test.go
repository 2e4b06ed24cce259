package automation

import (
	"strings"
	"testing"
)

func TestWithModeChangesOneLine(t *testing.T) {
	const head = "# why it is here\nautomation: a\nowner: a@shop.example\nwhy: b\non: order.placed # each order\n"
	const tail = "when: order.units > 2\ndo:\n  - tag: many # and so on\n"
	for _, tc := range []struct {
		text, want string
		mode       Mode
		share      int
	}{
		{head + tail, head + "mode: shadow\n" + tail, Shadow, 0},
		{head + tail, head + "mode: canary\nshare: 10%\n" + tail, Canary, 10},
		{head + "mode: canary # since May\nshare: 10%\n" + tail, head + "mode: active # since May\n" + tail, Active, 0},
		{head + "mode: canary\n" + tail + "share: 5%\n", head + "mode: canary\nshare: 20%\n" + tail, Canary, 20},
		{head + "mode: \"paused\"\n" + tail, head + "mode: draft\n" + tail, Draft, 0},
		{strings.ReplaceAll(head+tail, "\n", "\r\n"), strings.ReplaceAll(head+"mode: draft\n"+tail, "\n", "\r\n"), Draft, 0},
	} {
		got, err := WithMode("a.yaml", []byte(tc.text), tc.mode, tc.share)
		if err != nil || string(got) != tc.want {
			t.Errorf("%s %d of\n%s\ngives %v\n%s", tc.mode, tc.share, tc.text, err, got)
		}
	}
	for _, text := range []string{"{automation: a, owner: a@shop.example, why: b, on: order.placed, do: [{tag: x}]}", "no automation"} {
		if got, err := WithMode("a.yaml", []byte(text), Shadow, 0); err == nil {
			t.Errorf("%s became\n%s", text, got)
		}
	}
	if got, err := WithMode("a.yaml", []byte(head+tail), Canary, 0); err == nil {
		t.Errorf("a canary without a share became\n%s", got)
	}
}
