package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/pgtest"
)

// The crash suite. Nodes of one shop work under load, with duplicates and
// deliveries out of order, while everything below and around them fails. A seed draws a schedule of
// faults for some seconds; then every law must hold and every answer must be there, once. A shop goes
// on for twenty seeds, and at the end everything must have left, no mail twice but for the window that
// nobody can close: between a mail server's acceptance and our record of it.
//
// Without ORDERLY_FAULT_SEEDS it is twenty, or as many as fit into four minutes.
//
//	ORDERLY_FAULT_SEEDS=300 ORDERLY_FAULT_SEED=1 go test ./internal/sim -run TestFaults -v   (make crash SEEDS=300)
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills programs; left out under -short")
	}
	seeds, first := number(t, "ORDERLY_FAULT_SEEDS", shopSeeds), uint64(number(t, "ORDERLY_FAULT_SEED", 1))
	t.Parallel() // much of it is waiting for claims to run out
	for done := 0; done < seeds; done += shopSeeds {
		first, seeds := first+uint64(done), min(shopSeeds, seeds-done)
		t.Run(fmt.Sprintf("postgres from seed %d", first), func(t *testing.T) {
			t.Parallel()
			s := pgtest.Private(t)
			if err := s.Exec(t.Context(), "CREATE DATABASE shop"); err != nil {
				t.Fatal(err)
			}
			faults(t, s, s.URL("shop"), first, seeds)
		})
		t.Run(fmt.Sprintf("sqlite from seed %d", first), func(t *testing.T) {
			t.Parallel()
			faults(t, nil, "", first, max(1, seeds/5))
		})
	}
}

// TestFailover: two nodes on a primary with a synchronous standby. The primary is killed and the standby takes
// its place; nothing that was answered is lost, and the nodes go on by themselves.
func TestFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills programs; left out under -short")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	primary := pgtest.Private(t)
	if err := primary.Exec(ctx, "CREATE DATABASE shop"); err != nil {
		t.Fatal(err)
	}
	standby := primary.Standby()
	url := "postgres://orderly@/shop?host=" + primary.Host() + "," + standby.Host() + "&target_session_attrs=read-write"
	c := newCrashing(t, ctx, url, 1)
	c.addNode(c.binary)
	for _, n := range c.nodes {
		if err := n.serve(); err != nil {
			t.Fatal(err)
		}
	}
	end := c.load(ctx, 1)
	c.work(ctx, 300)
	primary.Stop(syscall.SIGKILL)
	c.mu.Lock()
	before := len(c.answered)
	c.mu.Unlock()
	standby.Promote()
	c.examine("after the failover")
	c.work(ctx, 300)
	end()
	for _, n := range c.nodes {
		n.stop()
	}
	c.examine("at the end")
	t.Logf("%d deliveries were answered before the primary was killed, %d in all, %d sent again without an answer", before, len(c.answered), c.lost)
}

// trouble is one fault of a schedule.
type trouble struct {
	at   time.Duration // from the begin of its seed
	what string
	node int
	long time.Duration
}

func (f trouble) String() string {
	return fmt.Sprintf("%v %s %d %v", f.at.Round(time.Millisecond), f.what, f.node, f.long.Round(time.Millisecond))
}

// shopSeeds is how many seeds one shop goes through: after each, all that ever happened in it is examined.
const shopSeeds = 20

// span is how long the faults of one seed take.
const span = 4 * time.Second

// patience is how long seeds go on that nobody asked for: a busy machine runs fewer of them.
const patience = 4 * time.Minute

// drawn is the schedule of a seed; the same seed gives the same.
func drawn(seed uint64, nodes int, postgres, disk bool) []trouble {
	rng := rand.New(rand.NewPCG(seed, 300))
	kinds := []string{"kill", "kill", "pause", "mail busy", "mail drops", "mail slow", "receiver fails", "receiver drops"}
	if postgres {
		kinds = append(kinds, "cut", "cut", "database restarts", "database killed", "pause beyond the lease")
	}
	if disk {
		kinds = append(kinds, "disk full", "disk full")
	}
	var out []trouble
	for range 3 + rng.IntN(4) {
		out = append(out, trouble{
			at: time.Duration(rng.Int64N(int64(span))), what: kinds[rng.IntN(len(kinds))], node: rng.IntN(nodes),
			long: time.Duration(200+rng.IntN(1500)) * time.Millisecond,
		})
	}
	slices.SortFunc(out, func(a, b trouble) int { return int(a.at - b.at) })
	return out
}

// faulty is a crashing shop with what may fail around it.
type faulty struct {
	*crashing
	pg    *pgtest.Server
	disk  string      // folder of a small file system that holds the database, "" = none
	ends  []time.Time // moments when a process ended or stood still
	downs []time.Time // when the database went and came, by turns

	paused map[int]time.Time // until when
}

func faults(t *testing.T, pg *pgtest.Server, url string, first uint64, seeds int) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+time.Duration(seeds)*time.Minute)
	defer cancel()
	f := &faulty{pg: pg, paused: map[int]time.Time{}}
	if pg == nil {
		f.disk = smallDisk(t)
		if f.disk != "" {
			url = "sqlite:" + filepath.Join(f.disk, "orderly.db")
		}
	}
	f.crashing = newCrashing(t, ctx, url, first)
	if pg != nil {
		f.addNode(f.binary)
		f.addNode(f.build("90s"))
	}
	for _, n := range f.nodes {
		if err := n.serve(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range f.nodes {
				said, _ := os.ReadFile(n.log)
				t.Logf("%s says last:\n%s", filepath.Base(n.log), said[max(0, len(said)-3000):])
			}
		}
	})
	end := f.load(ctx, first)
	begun, asked := time.Now(), os.Getenv("ORDERLY_FAULT_SEEDS") != ""
	for k := range seeds {
		if !asked && time.Since(begun) > patience {
			t.Logf("the machine is busy: %d of %d seeds in %v; ORDERLY_FAULT_SEEDS=%d runs them all", k, seeds, patience, seeds)
			break
		}
		seed := first + uint64(k)
		plan := drawn(seed, len(f.nodes), pg != nil, f.disk != "")
		t.Logf("seed %d: %v", seed, plan)
		f.suffer(ctx, plan)
		f.work(ctx, 30)
		if pg == nil {
			f.nodes[0].kill()
			f.ended()
		}
		f.examine(fmt.Sprintf("after seed %d", seed))
		if pg == nil {
			f.start(ctx, 0)
		}
		if t.Failed() || ctx.Err() != nil {
			break
		}
	}
	end()
	f.resume(true)
	f.settle(ctx)
	for _, n := range f.nodes {
		n.stop()
	}
	f.examine("at the end")
	f.arrived(f.conclude(1 + len(f.ends) + 2*seeds))
	f.judgeMails()
}

// smallDisk is a file system of its own that can be filled. Only root can make one.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Logf("no small disk to fill: %v", err)
		return ""
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Log(err)
		}
	})
	return dir
}

// suffer lets the faults of a plan happen at their times.
func (f *faulty) suffer(ctx context.Context, plan []trouble) {
	begun := time.Now()
	for _, p := range plan {
		pause(ctx, time.Until(begun.Add(p.at)))
		f.resume(false)
		f.happen(ctx, p)
	}
	end := begun.Add(span)
	for _, until := range f.paused {
		if until.Before(end.Add(10*time.Second)) && until.After(end) { // a short pause ends with its seed
			end = until
		}
	}
	pause(ctx, time.Until(end))
	f.resume(false)
}

// ended notes that a process ended or stands still.
func (f *faulty) ended() { f.ends = append(f.ends, time.Now()) }

func (f *faulty) happen(ctx context.Context, p trouble) {
	n := f.nodes[p.node]
	if _, still := f.paused[p.node]; still && (p.what == "kill" || strings.HasPrefix(p.what, "pause")) {
		return
	}
	switch p.what {
	case "kill":
		n.kill()
		f.ended()
		pause(ctx, p.long)
		f.start(ctx, p.node)
	case "pause", "pause beyond the lease":
		if p.what != "pause" {
			p.long += 65 * time.Second
		}
		if len(f.paused) > 0 && p.what != "pause" {
			return // two of three nodes stay
		}
		f.ended()
		n.halt()
		f.paused[p.node] = time.Now().Add(p.long)
	case "cut":
		f.must(f.pg.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid()"))
	case "database restarts", "database killed":
		sig := syscall.SIGINT
		if p.what == "database killed" {
			sig = syscall.SIGKILL
		}
		f.downs = append(f.downs, time.Now())
		f.pg.Stop(sig)
		pause(ctx, p.long)
		f.pg.Start()
		f.downs = append(f.downs, time.Now())
	case "mail busy":
		f.mail.Fail(fake.MailFault{Code: 451}, fake.MailFault{Code: 421, AtRecipient: true})
	case "mail drops":
		f.mail.Fail(fake.MailFault{Drop: true}, fake.MailFault{Drop: true, Take: true})
	case "mail slow":
		answer := make(chan struct{})
		time.AfterFunc(p.long, func() { close(answer) })
		f.mail.Fail(fake.MailFault{Hold: answer})
	case "receiver fails":
		f.hooks.Fail(fake.HookFault{Status: 503}, fake.HookFault{Status: 500, Take: true})
	case "receiver drops":
		f.hooks.Fail(fake.HookFault{Drop: true}, fake.HookFault{Drop: true, Take: true})
	case "disk full":
		f.downs = append(f.downs, time.Now())
		f.fill()
		pause(ctx, p.long)
		f.must(os.Remove(filepath.Join(f.disk, "filler")))
		f.downs = append(f.downs, time.Now())
	default:
		f.t.Fatalf("nobody can make %s happen", p.what)
	}
}

func (f *faulty) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Error(err)
	}
}

// start starts a node again; the database may be on its way up.
func (f *faulty) start(ctx context.Context, i int) {
	var err error
	for range 20 {
		if err = f.nodes[i].serve(); err == nil || ctx.Err() != nil {
			break
		}
		pause(ctx, 500*time.Millisecond)
	}
	f.must(err)
}

// resume continues paused nodes whose time has come, or all.
func (f *faulty) resume(all bool) {
	for i, until := range f.paused {
		if all || !time.Now().Before(until) {
			f.nodes[i].goOn()
			delete(f.paused, i)
		}
	}
}

// halt lets a node stand still where it is; its callers give up.
func (n *node) halt() {
	if err := n.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		n.c.t.Error(err)
	}
	_, n.away = n.leave()
}

// goOn lets it go on.
func (n *node) goOn() {
	if err := n.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		n.c.t.Error(err)
	}
	n.come(n.away)
}

// fill fills the small disk.
func (f *faulty) fill() {
	file, err := os.Create(filepath.Join(f.disk, "filler"))
	if err != nil {
		f.t.Error(err)
		return
	}
	for size := 1 << 20; size >= 512; size /= 2 {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = file.Write(block)
		}
	}
	if err := file.Close(); err != nil {
		f.t.Log(err)
	}
}

// judgeMails explains every mail that was taken twice.
func (f *faulty) judgeMails() {
	byID := map[string][]fake.Mail{}
	for _, m := range f.mail.Messages() {
		byID[m.ID] = append(byID[m.ID], m)
	}
	unanswered, window := 0, map[time.Time]int{}
	for id, ms := range byID {
		for i := 1; i < len(ms); i++ {
			before := ms[i-1]
			gap := ms[i].At.Sub(before.At)
			if f.pg != nil && gap < 10*time.Second { // a file has one process, which takes back its own claims when it starts
				f.t.Errorf("the mail %s came again after %v: somebody took it out of another's hands", id, gap)
			}
			if !before.Answered {
				unanswered++
				continue
			}
			end, ok := f.endBetween(before.At)
			if !ok {
				f.t.Errorf("the mail %s was taken at %s and again %v later; no process ended between acceptance and record", id, before.At.Format(time.StampMilli), gap)
			}
			window[end]++
		}
	}
	twice := 0
	for end, n := range window {
		twice += n
		if n > mailsAtOnce*len(f.nodes) {
			f.t.Errorf("%d mails were sent again for the end at %s", n, end.Format(time.StampMilli))
		}
	}
	f.t.Logf("%d mails came again because their answer had not come, %d because a process ended between acceptance and record; %d ends, the database was away %d times",
		unanswered, twice, len(f.ends), len(f.downs)/2)
}

// endBetween finds the end of a process that fell between the acceptance of a mail and its record: a record takes
// a moment, and as long as the database is away.
func (f *faulty) endBetween(taken time.Time) (time.Time, bool) {
	until := taken.Add(5 * time.Second)
	for i := 0; i+1 < len(f.downs); i += 2 {
		if f.downs[i].Before(until) && f.downs[i+1].After(taken) {
			until = f.downs[i+1].Add(5 * time.Second)
		}
	}
	for _, e := range f.ends {
		if e.After(taken.Add(-500*time.Millisecond)) && e.Before(until) {
			return e, true
		}
	}
	return time.Time{}, false
}
