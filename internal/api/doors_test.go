package api

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/fault"
)

func TestOneEvent(t *testing.T) {
	d := newDoor(t)
	a := d.post(t, "/v1/events", eventJSON("e-1", "1001"))
	if a.status != 200 || len(a.results) != 1 || a.results[0] != (Result{ID: "e-1", EventID: "evt-1", Status: Decided}) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ev := d.engine.all[0]
	p := ev.Data.(*event.OrderPlaced)
	if ev.Source != DefaultSource || ev.Key != "e-1" || ev.Type != "order.placed" || ev.Actor != "token:write" || !ev.At.Equal(testNow) ||
		ev.Subject != event.OrderID("shop", "1001") || len(ev.Hash) != 32 {
		t.Errorf("event %+v", ev)
	}
	if p.Number != "1001" || len(p.Lines) != 2 || p.Lines[1].Qty != 2 || p.Lines[0].UnitPrice.String() != "49.90 EUR" || len(p.Attributes) != 40 {
		t.Errorf("payload %+v", p)
	}
	// The same again is a duplicate, also with other blanks; other data is a conflict.
	if a := d.post(t, "/v1/events", " \n"+strings.ReplaceAll(eventJSON("e-1", "1001"), `,"`, " ,\t\"")); a.status != 200 || a.results[0].Status != Duplicate || a.results[0].EventID != "evt-1" {
		t.Errorf("repeated: %d %s", a.status, a.body)
	}
	a = d.post(t, "/v1/events", eventJSON("e-1", "1002"))
	if a.status != 409 || len(a.problem.Errors) != 1 || a.problem.Errors[0].Pointer != "/id" {
		t.Errorf("other content: %d %s", a.status, a.body)
	}
}

func TestEnvelopeFields(t *testing.T) {
	d := newDoor(t)
	body := `{"data":{"sku":"A","location":"berlin","qty":3,"unknown":{"x":[1,2]}},"time":"2026-05-30T10:00:00+02:00","source":"erp","type":"stock.received","id":"r-1","specversion":"1.0","datacontenttype":"application/json"}`
	if a := d.post(t, "/v1/events", body, "Content-Type", "application/cloudevents+json; charset=UTF-8"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ev := d.engine.all[0]
	if ev.Source != "erp" || !ev.At.Equal(time.Date(2026, 5, 30, 8, 0, 0, 0, time.UTC)) || ev.Data.(*event.StockReceived).Qty != 3 {
		t.Errorf("%+v", ev)
	}
}

func TestAListIsTakenWholeOrNotAtAll(t *testing.T) {
	d := newDoor(t)
	good := func(i int) string { return eventJSON(fmt.Sprintf("e-%d", i), fmt.Sprint(i)) }
	bad := strings.Replace(good(3), `"qty":2`, `"qty":0`, 1)
	typed := strings.Replace(good(4), `"qty":1`, `"qty":"one"`, 1)
	a := d.post(t, "/v1/events", "["+good(0)+","+bad+","+typed+`,7,{"id":"x"}]`)
	if a.status != 422 || d.engine.calls != 0 {
		t.Fatalf("%d %s, %d calls", a.status, a.body, d.engine.calls)
	}
	got := map[string]string{}
	for _, p := range a.problem.Errors {
		got[p.Pointer] = p.Message
	}
	for _, want := range []string{"/1/data/lines/1/qty", "/2/data/lines/0/qty", "/3", "/4/type"} {
		if got[want] == "" {
			t.Errorf("no problem at %s: %v", want, a.problem.Errors)
		}
	}
	d.engine.bad = "e-1"
	a = d.post(t, "/v1/events", "["+good(0)+","+good(1)+"]")
	if a.status != 200 || len(a.results) != 2 || a.results[1].Status != Quarantined || a.results[1].Reason == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = d.post(t, "/v1/events", "["+good(9)+","+eventJSON("e-0", "other")+"]")
	if a.status != 409 || a.problem.Errors[0].Pointer != "/1/id" || !strings.Contains(a.body, `"outcomes":[{"id":"e-9"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestEveryProblemIsToldAtOnce holds that one answer names all that is wrong: parts that do not fit their type,
// values that are refused, the envelope, in every item.
func TestEveryProblemIsToldAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"one event": {
			`{"type":"order.placed","data":{"channel":7,"number":"","currency":"EUR","lines":[{"sku":"A","qty":"two","unit_price":"9.90 EUR"},` +
				`{"sku":"","qty":0,"unit_price":12}],"shipping":[1,{"x":[2]}],"total":"1.00 USD"},"time":"yesterday"}`,
			[]string{
				"/data/channel", "/data/lines/0/qty", "/data/lines/1/qty", "/data/lines/1/sku", "/data/lines/1/unit_price",
				"/data/number", "/data/shipping", "/data/total", "/id", "/time",
			},
		},
		"a list": {
			`[{"id":"1","type":"stock.received","data":{"sku":5,"location":"b","qty":0}},7,` +
				`{"id":"2","data":{"sku":"A","location":"b","qty":"x"},"type":"stock.received","source":"console"},{"id":"3","type":"stock.received","data":[]}]`,
			[]string{"/0/data/qty", "/0/data/sku", "/1", "/2/data/qty", "/2/source", "/3/data"},
		},
		"what follows is not told": {
			`{"id":"1","type":"order.placed","data":{"channel":"web","number":"1","currency":9,"lines":[null,{"sku":"A","qty":1,"unit_price":"9.90 EUR"},4]}}`,
			[]string{"/data/currency", "/data/lines/0/qty", "/data/lines/0/sku", "/data/lines/2"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t)
			a := d.post(t, "/v1/events", tc.body)
			if a.status != 422 || d.engine.calls != 0 {
				t.Fatalf("answered %d %s", a.status, a.body)
			}
			var got []string
			for _, p := range a.problem.Errors {
				got = append(got, p.Pointer)
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("told %q\nwant %q\n%s", got, tc.want, a.body)
			}
		})
	}
}

// TestHostileBodies sends what no sender should and wants a clear refusal with nothing submitted.
func TestHostileBodies(t *testing.T) {
	d := newDoor(t)
	ok := eventJSON("e-1", "1")
	data := func(s string) string {
		return `{"id":"a","type":"stock.received","data":` + s + `}`
	}
	for _, tc := range []struct {
		name, body string
		status     int
		want       string // in the answer
	}{
		{"empty", "", 400, "empty"},
		{"blank", " \r\n\t", 400, "empty"},
		{"not JSON", "order=1", 400, "begins with 'o'"},
		{"a text", `"x"`, 400, "begins with"},
		{"cut off", ok[:len(ok)-9], 400, "cut off"},
		{"cut off in a type error", strings.Replace(ok, `"qty":1`, `"qty":"x"`, 1)[:900], 400, "cut off"},
		{"trailing", ok + "{}", 400, "after the end"},
		{"trailing garbage", ok + "x", 400, "not valid JSON"},
		{"trailing after a list", "[" + ok + "]]", 400, "not valid JSON"},
		{"empty list", "[]", 400, "list is empty"},
		{"bad syntax", `{"id":"a",}`, 400, "line 1, byte"},
		{"duplicate in the envelope", `{"id":"a","id":"b","type":"stock.received","data":{}}`, 400, "/id"},
		{"duplicate in the data", data(`{"sku":"A","qty":1,"qty":2,"location":"b"}`), 400, "/data/qty"},
		{"duplicate in unknown data", data(`{"sku":"A","qty":1,"location":"b","x":{"y":1,"y":2}}`), 400, "stands twice"},
		{"invalid UTF-8", data("{\"sku\":\"A\xff\",\"qty\":1,\"location\":\"b\"}"), 400, "UTF-8"},
		{"lone surrogate", data(`{"sku":"\ud800","qty":1,"location":"b"}`), 400, "invalid"},
		{"deep", strings.Repeat("[", 1000), 400, "nested more than"},
		{"deep in unknown data", data(`{"sku":"A","qty":1,"location":"b","x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}"), 400, "nested"},
		{"unknown type", `{"id":"a","type":"order.exploded","data":{}}`, 422, "order.placed"},
		{"unknown field", `{"id":"a","type":"stock.received","payload":{},"data":{}}`, 422, "/payload"},
		{"derived type", `{"id":"a","type":"order.accepted","data":{"order":"x"}}`, 422, "made by Orderly itself"},
		{"a person's word", `{"id":"a","type":"task.decided","data":{"task":"x","outcome":"approve"}}`, 422, "person's decision"},
		{"reserved source", `{"id":"a","source":"console","type":"stock.received","data":{}}`, 422, "reserved"},
		{"no id", `{"type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, `"/id"`},
		{"empty id", `{"id":"  ","type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, `"/id"`},
		{"number as id", `{"id":7,"type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, "must be a text, got a number"},
		{"long id", `{"id":"` + strings.Repeat("x", 300) + `","type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, "longer than"},
		{"control characters", `{"id":"a\u0000b","type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, "control character"},
		{"no type", `{"id":"a","data":{}}`, 422, `"/type"`},
		{"no data", `{"id":"a","type":"stock.received"}`, 422, `"/data"`},
		{"null data", data("null"), 422, "must be a JSON object, got null"},
		{"list data", data("[]"), 422, "must be a JSON object, got a list"},
		{"fraction", data(`{"sku":"A","location":"b","qty":1.5}`), 422, "must be a whole number, got 1.5"},
		{"huge number", data(`{"sku":"A","location":"b","qty":1e999999}`), 422, "/data/qty"},
		{"beyond int64", data(`{"sku":"A","location":"b","qty":9223372036854775808}`), 422, "/data/qty"},
		{"beyond the limit", data(`{"sku":"A","location":"b","qty":9000000}`), 422, "/data/qty"},
		{"object as text", data(`{"sku":{"a":1},"location":"b","qty":1}`), 422, "must be a text, got an object"},
		{"amount", strings.Replace(ok, `"49.90 EUR"`, `"49.905 EUR"`, 1), 422, "/data/lines/0/unit_price"},
		{"amount as number", strings.Replace(ok, `"49.90 EUR"`, `49.90`, 1), 422, "as a text like"},
		{"bad time", strings.Replace(ok, "2026-05-31T08:15:30Z", "yesterday", 1), 422, "/data/placed_at"},
		{"envelope time", `{"id":"a","time":"1999-01-01T00:00:00Z","type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, "/time"},
		{"future", `{"id":"a","time":"2027-01-01T00:00:00Z","type":"stock.received","data":{"sku":"A","location":"b","qty":1}}`, 422, "/time"},
		{"data before a bad type", `{"id":"a","data":{"sku":"A","location":"b","qty":"x"},"type":"stock.received"}`, 422, "/data/qty"},
		{"case matters", data(`{"SKU":"A","location":"b","qty":1}`), 422, "/data/sku"},
		{"too many", "[" + strings.Repeat("{},", maxBatch) + "{}]", 413, "at most"},
		{"one too large", `{"id":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "larger than"},
		{"one of a list too large", `[{"id":"` + strings.Repeat("x", 1<<20) + `"}]`, 422, `"/0"`},
		{"list too large", "[" + strings.Repeat(" ", 8<<20) + "]", 413, "larger than"},
	} {
		a := d.post(t, "/v1/events", tc.body)
		if a.status != tc.status || !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %d %.300s; want %d with %q", tc.name, a.status, a.body, tc.status, tc.want)
		}
		if len(a.body) > 8000 {
			t.Errorf("%s: the answer has %d bytes", tc.name, len(a.body))
		}
	}
	if d.engine.calls != 0 {
		t.Errorf("%d submissions", d.engine.calls)
	}
}

func TestWhoMay(t *testing.T) {
	d := newDoor(t)
	for _, tc := range []struct {
		auth   string
		status int
	}{{"", 401}, {"Bearer nope", 401}, {"Basic write", 401}, {"Bearer read", 403}, {"bearer write", 200}, {"Bearer admin", 200}} {
		a := d.post(t, "/v1/events", eventJSON("e-"+tc.auth, "1"), "Authorization", tc.auth)
		if a.status != tc.status || (a.status == 401) != (a.header.Get("WWW-Authenticate") != "") {
			t.Errorf("%q: %d %s", tc.auth, a.status, a.body)
		}
	}
	if a := d.post(t, "/v1/events", `{"id":"t","type":"task.decided","data":{"task":"tsk_1","outcome":"approve"}}`, "Authorization", "Bearer admin"); a.status != 200 {
		t.Errorf("an admin's decision: %d %s", a.status, a.body)
	}
}

func TestWayIn(t *testing.T) {
	d := newDoor(t)
	for _, h := range [][]string{
		{"Content-Type", "text/plain"}, {"Content-Type", ""}, {"Content-Type", "application/json; charset=latin1"}, {"Content-Encoding", "gzip"},
	} {
		if a := d.post(t, "/v1/events", eventJSON("e", "1"), h...); a.status != 415 {
			t.Errorf("%v: %d %s", h, a.status, a.body)
		}
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/events", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d", w.Code)
	}
	w = httptest.NewRecorder()
	d.h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/nothing", nil))
	if w.Code != 404 {
		t.Errorf("unknown path: %d", w.Code)
	}
	r := httptest.NewRequest("POST", "/v1/events", io.LimitReader(strings.NewReader(eventJSON("e", "1")), 100))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer write")
	r.ContentLength = -1
	w = httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	if w.Code != 400 {
		t.Errorf("cut chunked body: %d", w.Code)
	}
	if d.engine.calls != 0 {
		t.Errorf("%d submissions", d.engine.calls)
	}
}

func TestEngineErrors(t *testing.T) {
	d := newDoor(t)
	d.engine.fail = fault.New(fault.Unavailable, "fake", "the server is stopping; send it again")
	if a := d.post(t, "/v1/events", eventJSON("e", "1")); a.status != 503 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	d.engine.fail = errors.New("disk on fire")
	if a := d.post(t, "/v1/events", eventJSON("e", "1")); a.status != 500 || strings.Contains(a.body, "fire") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestHooks(t *testing.T) {
	d := newDoor(t)
	// The body is an event; its id wins over the header's.
	a := d.hook(t, "shop", eventJSON("e-1", "1"))
	if a.status != 200 || a.results[0].ID != "e-1" || d.engine.all[0].Source != "shop" || d.engine.all[0].Actor != "hook:shop" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// Without an id the header's is the key.
	a = d.hook(t, "shop", strings.Replace(eventJSON("e-1", "2"), `"id":"e-1",`, "", 1))
	if a.status != 200 || a.results[0].ID != "msg_1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	// The connection's own type: the body is the data.
	a = d.hook(t, "stock", `{"sku":"A","location":"berlin","qty":3}`)
	if a.status != 200 || d.engine.all[2].Type != "stock.received" || d.engine.all[2].Key != "msg_1" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = d.hook(t, "stock", `{"sku":"A","location":"berlin","qty":-3}`); a.status != 422 || a.problem.Errors[0].Pointer != "/qty" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = d.hook(t, "stock", `{"sku":"A","location":7,"qty":3}`); a.status != 422 || a.problem.Errors[0].Pointer != "/location" {
		t.Errorf("%d %s", a.status, a.body)
	}
	calls := d.engine.calls
	for _, tc := range []struct {
		name, body string
		header     []string
		status     int
	}{
		{"nowhere", eventJSON("e", "1"), nil, 404},
		{"shop", eventJSON("e", "1"), []string{"Webhook-Signature", "bad"}, 401},
		{"shop", eventJSON("e", "1"), []string{"Webhook-Id", ""}, 422},
		{"shop", "[" + eventJSON("e", "1") + "]", nil, 400},
		{"stock", "[]", nil, 400},
		{"stock", "null", nil, 400},
		{"shop", strings.Replace(eventJSON("e", "1"), `"type"`, `"source":"other","type"`, 1), nil, 422},
		{"shop", `{"type":"task.decided","data":{"task":"x","outcome":"approve"}}`, nil, 422},
		{"shop", `{"type":"stock.low","data":{"sku":"x"}}`, nil, 422},
		{"shop", strings.Repeat(" ", 2<<20), nil, 413},
	} {
		if a := d.hook(t, tc.name, tc.body, tc.header...); a.status != tc.status {
			t.Errorf("%s %.60s %v: %d %s, want %d", tc.name, tc.body, tc.header, a.status, a.body, tc.status)
		}
	}
	if d.engine.calls != calls {
		t.Error("something refused was submitted")
	}
}

// FuzzDoors: whatever comes, the doors answer, never with a fault of ours, and
// hand on valid events only.
func FuzzDoors(f *testing.F) {
	f.Add([]byte(eventJSON("e-1", "1")), "shop")
	f.Add([]byte("["+eventJSON("e-1", "1")+",{}]"), "stock")
	f.Add([]byte(`{"sku":"A","location":"berlin","qty":3}`), "stock")
	f.Add([]byte(`{"data":{"sku":{}},"type":"stock.received","id":"\ud800"}`), "x")
	f.Add([]byte("{\"id\":\"a\",\"type\":\"stock.counted\",\"data\":{\"on_hand\":1e400,\"\xff\":0}}"), "shop")
	d := newDoor(f)
	f.Fuzz(func(t *testing.T, body []byte, conn string) {
		for _, path := range []string{"/v1/events", "/hooks/shop", "/hooks/stock"} {
			before := len(d.engine.all)
			a := d.post(t, path, string(body), "Webhook-Id", "msg_"+conn, "Webhook-Signature", "good")
			if a.status >= 500 {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			if a.status != 200 && a.status != 409 && len(d.engine.all) != before {
				t.Fatalf("%s: %d, but something was submitted", path, a.status)
			}
			for _, ev := range d.engine.all[before:] {
				if ps := ev.Data.Validate(); len(ps) > 0 || ev.Key == "" || ev.Source == "" || ev.Hash == "" || ev.Subject == "" {
					t.Fatalf("%s: submitted %+v with problems %v", path, ev, ps)
				}
			}
			d.engine.all = d.engine.all[:before] // keep the seen ones: duplicates and conflicts are of interest
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := []byte(eventJSON("e-1", "1001"))
	env := envelope{actor: "x", allowed: mayWrite, now: testNow, maxOne: 1 << 20}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decodeBody(body, &env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHook(b *testing.B) {
	d := newDoor(b)
	body := eventJSON("e-1", "1001")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/hooks/shop", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Webhook-Id", "msg_1")
		r.Header.Set("Webhook-Signature", "good")
		w := httptest.NewRecorder()
		d.h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
