package engine_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

func TestParseSettings(t *testing.T) {
	s, err := engine.ParseSettings("shop.yaml", []byte("shop: Sample\ntime_zone: Europe/Berlin\nfulfil_on: paid\nreview_sla: 2h\nops_owner: ops@shop.example\n"))
	if err != nil || s.Name != "Sample" || s.TimeZone.String() != "Europe/Berlin" || s.FulfilOn != event.PaymentPaid || s.ReviewSLA != 2*time.Hour {
		t.Fatalf("%+v %v", s, err)
	}
	for text, want := range map[string]string{
		"shop: A\nmial: x\n":          "shop.yaml:2:",
		"time_zone: Mars/Olympus\n":   "time_zone",
		"currency: Euro\n":            "currency",
		"fulfil_on: sometimes\n":      "fulfil_on",
		"review_sla: soon\n":          "review_sla",
		"ops_owner: not an address\n": "ops_owner",
		"shop: [unclosed\n":           "shop.yaml:1:",
	} {
		_, err := engine.ParseSettings("shop.yaml", []byte(text))
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != fault.Invalid || len(f.Problems) == 0 || !strings.Contains(f.Problems[0].Pointer, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestReadFolderRefusesWhatItDoesNotKnow(t *testing.T) {
	_, err := engine.ReadFolder(fstest.MapFS{"automations/a.yaml": {Data: []byte("x")}, "automatons/b.yaml": {Data: []byte("x")}})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "automatons/b.yaml") {
		t.Fatal(err)
	}
	if _, err := engine.ReadFolder(fstest.MapFS{}); fault.KindOf(err) != fault.Invalid {
		t.Fatal(err)
	}
}

func FuzzParseSettings(f *testing.F) {
	f.Add([]byte("shop: Sample\ntime_zone: Europe/Berlin\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := engine.ParseSettings("shop.yaml", text)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%v", err)
		}
		if err == nil && (s.TimeZone == nil || s.ReviewSLA <= 0) {
			t.Fatalf("accepted but not usable: %+v", s)
		}
	})
}
