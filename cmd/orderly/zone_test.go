package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/watch"
	"orderly.example/orderly/internal/watch/rate"
)

// TestPeopleReadTheShopsTime: what the watch shows and what it tells stands in the shop's time zone, not in UTC or the machine's.
func TestPeopleReadTheShopsTime(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 2, 20, 30, 5, 0, time.UTC)
	var out bytes.Buffer
	p := &program{stdout: &out, zone: tokyo}
	p.tellWatch(watch.Status{
		Now: at, Done: at, Every: time.Minute, Lines: []watch.Line{{State: "learning", Title: "orders", Last: at, By: at.Add(time.Hour)}},
		Beat: watch.Beat{Connection: "outside", Last: at},
	})
	for _, want := range []string{"2026-03-03 05:30 JST", "2026-03-03 06:30 JST", "last heard 2026-03-03 05:30:05 JST"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the watch does not show %s:\n%s", want, &out)
		}
	}
	book, err := watch.NewBook(rate.Calendar{Zone: tokyo}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := certificate{Of: "wms", Until: at}.breach(watch.Ask{Now: at.Add(-time.Hour), Book: book})
	if !strings.HasSuffix(b.Title, "ends on 2026-03-03") || !strings.Contains(b.Detail, "until 2026-03-03 05:30 JST;") {
		t.Errorf("the certificate: %+v", b)
	}
}
