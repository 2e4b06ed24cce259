package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orderly.example/orderly/internal/access"
	"orderly.example/orderly/internal/risk"
	"orderly.example/orderly/internal/store"
)

// velocity compares with counting by hand, over windows of all kinds.
func velocity(t *testing.T, open Opener) {
	db := open(t, time.Now)
	rng := rand.New(rand.NewPCG(1, 2))
	var marks []store.VelocityMark
	for i := range 500 {
		marks = append(marks, store.VelocityMark{
			Key: fmt.Sprint("k", rng.IntN(3)), At: Start.Add(time.Duration(rng.IntN(40)) * time.Second), Ref: fmt.Sprint("o", i),
		})
	}
	byHand := append([]store.VelocityMark(nil), marks...)
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(store.InsertVelocity(tx, marks), store.InsertVelocity(tx, marks[:50])) // twice counts once
	})
	base := Start.UnixMicro()
	for round := range 60 {
		var qs []risk.VelocityQuery
		for range 1 + rng.IntN(12) {
			from := base + int64(rng.IntN(40))*1e6
			width := []int64{0, 1, 1e6, 10e6, 30e6}[rng.IntN(5)]
			if round%2 == 0 { // as in a group: windows of one width that end at nearly the same moment
				from, width = base+5e6+int64(rng.IntN(3))*1e6, 20e6
			}
			qs = append(qs, risk.VelocityQuery{Key: fmt.Sprint("k", rng.IntN(4)), From: from, To: from + width})
		}
		var got map[risk.VelocityQuery]int64
		view(t, db, func(tx *store.Tx) (err error) {
			got, err = store.VelocityCounts(tx, qs)
			return err
		})
		for _, q := range qs {
			want := int64(0)
			for _, m := range byHand {
				if at := m.At.UnixMicro(); m.Key == q.Key && at >= q.From && at < q.To {
					want++
				}
			}
			if n, ok := got[q]; n != want || !ok {
				t.Fatalf("round %d: %+v counted %d, want %d", round, q, n, want)
			}
		}
	}
}

func policy(t *testing.T, open Opener) {
	db := open(t, time.Now)
	texts := []store.Text{{Kind: "automation", Name: "b", Text: "on: x"}, {Kind: "routing", Name: "routing", Text: "goals: []"}}
	put := func(want int64, changed bool) {
		t.Helper()
		update(t, db, func(tx *store.Tx) error {
			rev, ch, err := tx.PutPolicy(texts, "ops@example.com", "a note")
			if rev != want || ch != changed {
				t.Errorf("revision %d, changed %v; want %d, %v", rev, ch, want, changed)
			}
			return err
		})
	}
	put(1, true)
	put(1, false)
	old := append([]store.Text(nil), texts...)
	texts[0].Text = "on: y"
	put(2, true)
	texts = old
	put(3, true) // back to what was: a new revision, the same texts
	view(t, db, func(tx *store.Tx) error {
		rev, _, err := tx.CurrentPolicy()
		if err != nil || rev != 3 {
			t.Errorf("current revision %d, %v", rev, err)
		}
		for _, r := range []int64{1, 3} {
			got, err := tx.Policy(r)
			if d := cmp.Diff(old, got); d != "" || err != nil {
				t.Errorf("revision %d: %v %s", r, err, d)
			}
		}
		if _, err := tx.Policy(9); err == nil {
			t.Error("a revision that is not there was read")
		}
		return nil
	})

	texts = texts[1:]
	put(4, true)
	view(t, db, func(tx *store.Tx) error {
		vs, err := tx.Versions("automation", "b", 0, 10)
		var got []string
		for _, v := range vs {
			got = append(got, fmt.Sprint(v.Rev, " ", v.Text, " ", v.Author, " ", v.Note))
		}
		want := []string{"4  ops@example.com a note", "3 on: x ops@example.com a note", "2 on: y ops@example.com a note", "1 on: x ops@example.com a note"}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("versions: %v %s", err, d)
		}
		if vs, err = tx.Versions("automation", "b", 3, 1); err != nil || len(vs) != 1 || vs[0].Rev != 2 {
			t.Errorf("versions before 3: %v %v", vs, err)
		}
		if vs, err = tx.Changes("routing", 0, 10); err != nil || len(vs) != 1 || vs[0].Rev != 1 {
			t.Errorf("changes of routing: %v %v", vs, err)
		}
		return nil
	})
}

func people(t *testing.T, open Opener) {
	db := open(t, time.Now)
	u := access.User{ID: "u1", Email: "ops@example.com", Name: "Sample Person", Role: access.Admin, Password: "$argon2id$x", Created: Start}
	tok := access.APIToken{Hash: "h1", Name: "shop", Scopes: []access.Scope{"events:write", "orders:read"}, Created: Start, CreatedBy: "u1", Expires: Start.Add(time.Hour)}
	inv := access.Invite{Hash: "i1", Email: "new@example.com", Name: "New", Role: access.Agent, Created: Start, CreatedBy: "ops@example.com", Expires: Start.Add(time.Hour)}
	key := access.Passkey{ID: "k1", UserID: "u1", Name: "Desk", Key: "{}", Count: 7, Challenge: "c0", Created: Start}
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.PutUser(u), tx.PutToken(tok), tx.PutSession("s1", "data", Start.Add(time.Hour)), tx.PutSession("s2", "old", Start),
			tx.PutSetting("zone", "Europe/Paris"), tx.PutSetting("gone", "x"), tx.DeleteSetting("gone"),
			tx.PutIdentity("https://id.example", "s", "u0"), tx.PutIdentity("https://id.example", "s", "u1"),
			tx.PutPasskey(access.Passkey{ID: "k0", UserID: "u1"}), tx.PutPasskey(key), tx.PutPasskey(access.Passkey{ID: "k2", UserID: "u2"}), tx.DeletePasskey("k0"),
			tx.PutInvite(access.Invite{Hash: "i0", Email: inv.Email}), tx.PutInvite(inv), tx.PutInvite(access.Invite{Hash: "i2", Email: "b@example.com"}), tx.DeleteInvite("i2"))
	})
	for _, x := range []struct {
		challenge string
		count     uint32
		ok        bool
	}{{"c0", 8, false}, {"c1", 7, false}, {"c1", 1 << 31, true}, {"c1", 1<<31 + 1, false}, {"c2", 0, false}} {
		update(t, db, func(tx *store.Tx) error {
			if ok, err := tx.UsePasskey("k1", x.challenge, x.count, Start.Add(time.Minute)); ok != x.ok || err != nil {
				t.Error(x, ok, err)
			}
			return nil
		})
	}
	key.Count, key.Challenge, key.LastUsed = 1<<31, "c1", Start.Add(time.Minute)
	u.Disabled = true
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.PutUser(u), tx.TouchToken("h1", Start.Add(time.Minute)), tx.DeleteExpiredSessions(Start.Add(time.Minute)))
	})
	tok.LastUsed = Start.Add(time.Minute)
	view(t, db, func(tx *store.Tx) error {
		users, err := tx.Users()
		if d := cmp.Diff([]access.User{u}, users); d != "" || err != nil {
			t.Error(d, err)
		}
		got, ok, err := tx.UserByEmail("ops@example.com")
		if !ok || err != nil || got != u {
			t.Error(got, ok, err)
		}
		if _, ok, err := tx.UserByID("nobody"); ok || err != nil {
			t.Error("found nobody", ok, err)
		}
		toks, err := tx.Tokens()
		if d := cmp.Diff([]access.APIToken{tok}, toks); d != "" || err != nil {
			t.Error(d, err)
		}
		if id, ok, err := tx.Identity("https://id.example", "s"); id != "u1" || !ok || err != nil {
			t.Error(id, ok, err)
		}
		if id, ok, err := tx.Identity("https://other.example", "s"); ok || err != nil {
			t.Error(id, ok, err)
		}
		ks, err := tx.Passkeys("u1")
		if d := cmp.Diff([]access.Passkey{key}, ks); d != "" || err != nil {
			t.Error(d, err)
		}
		if _, ok, err := tx.Passkey("k2"); !ok || err != nil {
			t.Error(ok, err)
		}
		if _, ok, err := tx.Passkey("k0"); ok || err != nil {
			t.Error("removed and there", err)
		}
		is, err := tx.Invites()
		if d := cmp.Diff([]access.Invite{inv}, is); d != "" || err != nil {
			t.Error(d, err)
		}
		if ss, err := tx.Sessions(Start); err != nil || len(ss) != 1 || ss[0] != (access.SessionRow{Hash: "s1", Data: "data", Expiry: Start.Add(time.Hour)}) {
			t.Error(ss, err)
		}
		if data, ok, err := tx.Session("s1", Start); data != "data" || !ok || err != nil {
			t.Error(data, ok, err)
		}
		if _, ok, err := tx.Session("s1", Start.Add(2*time.Hour)); ok || err != nil {
			t.Error("an expired session is valid", err)
		}
		if _, ok, err := tx.Session("s2", Start.Add(-time.Hour)); ok || err != nil {
			t.Error("an expired session was kept", err)
		}
		v, ok, err := tx.Setting("zone")
		_, gone, err2 := tx.Setting("gone")
		if v != "Europe/Paris" || !ok || gone {
			t.Error(v, ok, gone)
		}
		return errors.Join(err, err2)
	})
}

// audit seals from two nodes at once: the chain has every record once, in one order.
func audit(t *testing.T, open Opener) {
	clock := NewClock()
	db := open(t, clock.Now)
	svc := access.New(auditStore{db}, nil, clock.Now)
	ctx := access.WithOrigin(context.Background(), access.Origin{Actor: "usr_1", Who: "Kim_50%@example.com", From: "192.0.2.1"})
	mac := func(s string) string { return "sealed " + s }
	for n := range 6 {
		if err := svc.Record(ctx, access.Record{Action: "task.decide", Subject: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			continue
		}
		clock.Add(time.Minute)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := svc.Seal(ctx, mac); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if v, err := svc.VerifyAudit(ctx, mac, access.Head{}); err != nil || !v.OK || v.Sealed != 6 || v.Unsealed != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	for name, f := range map[string]access.AuditFilter{
		"6 2": {Limit: 2}, "6 6": {Who: "kim_50%", Limit: 9}, "0 0": {Who: "kimx50", Limit: 9}, "6 4": {Action: "task", Result: "ok", From: Start, Limit: 4},
	} {
		rs, err := svc.Audit(ctx, f)
		var total, want int
		_, _ = fmt.Sscan(name, &total, &want)
		if err != nil || len(rs) != want || want > 0 && rs[0].Subject != fmt.Sprint(total-1) {
			t.Errorf("%+v finds %v, %v", f, rs, err)
		}
		if want == 2 {
			f.After = rs[1].ID
			if rs, err = svc.Audit(ctx, f); err != nil || len(rs) != 2 || rs[0].Subject != "3" {
				t.Errorf("the page after: %v, %v", rs, err)
			}
		}
	}
	for _, sql := range []string{"UPDATE audit SET who = 'eve'", "DELETE FROM audit", "UPDATE audit_chain SET hash = ''", "DELETE FROM audit_chain"} {
		if err := db.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(sql); return err }); err == nil {
			t.Errorf("%s was let through", sql)
		}
	}
	undo := errors.New("undo")
	err := db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec("INSERT INTO audit (id, at, actor, who, action, subject, origin, result, detail) VALUES ('stray', 1, '', '', '', '', '', 'ok', '')"); err != nil {
			return err
		}
		if id, err := tx.StrayRecord(); id != "stray" || err != nil {
			t.Errorf("a record that was put in: %q, %v", id, err)
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Error(err)
	}
}

// auditStore is a store as access sees it.
type auditStore struct{ db *store.DB }

func (s auditStore) View(ctx context.Context, fn func(access.Tx) error) error {
	return s.db.View(ctx, func(tx *store.Tx) error { return fn(tx) })
}

func (s auditStore) Update(ctx context.Context, fn func(access.Tx) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return fn(tx) })
}
