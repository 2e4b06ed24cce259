package effect

import "testing"

func TestCause(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{`mail.shop.example did not take the message: 550 "5.1.1 <ann@example.com> is unknown"`, `mail.shop.example did not take the message: 550 "5.1.1 <bob.b@example.org> is unknown"`},
		{"wms.example answered 503 Service Unavailable after 1200 ms", "wms.example answered 503 Service Unavailable after 7 ms"},
		{"no order ord_abc123def at 2026-03-02T12:00:01Z", "no order ord_zzz999 at 2026-11-02T07:30:00.123Z"},
		{"request 0198c0de-0000-7000-8000-000000000000 was lost", "request 0198c0de-1111-7000-8000-0000000000ff was lost"},
		{"batch 17 of 20 failed", "batch 3 of 20 failed"},
	} {
		if Cause(c.a) != Cause(c.b) || CauseKey("d", c.a) != CauseKey("d", c.b) {
			t.Errorf("two causes:\n%s\n%s", Cause(c.a), Cause(c.b))
		}
	}
	for _, c := range []struct{ a, b string }{
		{"wms.example answered 503 Service Unavailable", "wms.example answered 404 Not Found"},
		{"smtp refused: 550 5.1.1 unknown", "smtp refused: 550 5.7.1 denied"},
		{"127.0.0.1:25 cannot be reached: refused", "127.0.0.1:25 did not answer in time"},
	} {
		if Cause(c.a) == Cause(c.b) {
			t.Errorf("one cause: %s", Cause(c.a))
		}
	}
	if CauseKey("a", "x") == CauseKey("b", "x") {
		t.Error("two destinations share a cause")
	}
}

func FuzzCause(f *testing.F) {
	f.Add(`550 "5.1.1 <ann@example.com>" at 12:30`)
	f.Add("\x00 5.1.1 \x00")
	f.Fuzz(func(t *testing.T, s string) {
		if a, b := Cause(s+" ann@example.com"), Cause(s+" bob@example.org"); a != b {
			t.Fatalf("two addresses make two causes: %q, %q", a, b)
		}
	})
}
