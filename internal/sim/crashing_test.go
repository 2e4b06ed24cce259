package sim_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
	"orderly.example/orderly/internal/sim/bench"
	"orderly.example/orderly/internal/store"
)

// crashing is a shop whose server dies.
type crashing struct {
	t      *testing.T
	ctx    context.Context
	binary string
	dir    string
	url    string // of the store
	secret connect.Secret
	mail   *fake.SMTP
	hooks  *fake.Receiver
	stock  int // opening deliveries

	gen atomic.Int64 // how many servers were started

	nodes []*node

	mu       sync.Mutex
	changed  chan struct{} // closed when a node comes up
	lives    []life
	answered map[string]string // webhook-id -> event id
	answers  int               // duplicates included
	lost     int               // deliveries without an answer
	mails    map[string][]int64
}

// node is one server of the shop.
type node struct {
	c      *crashing
	binary string
	log    string // file of what it says

	away  string               // its address while it stands still
	cmd   *exec.Cmd            // guarded by c.mu, like the others
	addr  string               // "" while nobody should call it
	conns map[*bench.Conn]bool // open to it
}

func newCrashing(t *testing.T, ctx context.Context, url string, seed uint64) *crashing {
	t.Helper()
	c := &crashing{t: t, ctx: ctx, dir: t.TempDir(), url: url, changed: make(chan struct{}), answered: map[string]string{}}
	if c.url == "" {
		c.url = "sqlite:" + filepath.Join(c.data(), "orderly.db")
	}
	c.binary = c.build("")
	c.addNode(c.binary)
	var err error
	if c.mail, err = fake.StartSMTP(ctx, fake.SMTPOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.mail.Close() })
	if c.hooks, err = fake.StartReceiver(ctx, fake.ReceiverOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.hooks.Close() })
	policy := filepath.Join(c.dir, "policy")
	for _, f := range []string{"shop.yaml", "routing.yaml", "automations/order-confirmation.yaml"} {
		text, err := fs.ReadFile(examples.Shop(), f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(policy, f)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(policy, f), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(policy, "automations", "wait-twice.yaml"), []byte(waitTwice), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port := c.mail.HostPort()
	c.command("", "connection", "set", "mail", "--kind", "smtp", "--host", host, "--port", strconv.Itoa(port), "--tls", "none", "--from", "Sample Shop <orders@shop.example>")
	for _, name := range []string{"warehouse", "alerts"} {
		c.command(c.hooks.Secret().Reveal()+"\n", "connection", "set", name, "--kind", "webhook", "--url", c.hooks.URL(), "--allow-private", "--secret-stdin")
	}
	out := c.command("", "connection", "set", "shop", "--kind", "inbound")
	secret := regexp.MustCompile(`whsec_\S+`).FindString(out)
	if secret == "" {
		t.Fatalf("no secret was printed: %s", out)
	}
	c.secret = connect.Secret(secret)
	c.command("", "apply", policy)
	c.open(func(db *store.DB, keys *store.Keyring) {
		l := newLives(seed, "")
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := store.UpsertProducts(tx, l.shop.Products()); err != nil {
				return err
			}
			locs := l.shop.Locations()
			for i := range locs {
				locs[i].Capacity = 0
			}
			return store.UpsertLocations(tx, locs, "test")
		})
		if err != nil {
			t.Fatal(err)
		}
		eng, err := engine.New(ctx, engine.Options{DB: db, Keyring: keys})
		if err != nil {
			t.Fatal(err)
		}
		var evs []event.Event
		for i, p := range plenty(l.shop, openingUnits) {
			evs = append(evs, event.Event{Source: "opening", Key: strconv.Itoa(i), Data: p})
		}
		c.stock = len(evs)
		if _, err := eng.Submit(ctx, evs); err != nil {
			t.Fatal(err)
		}
		if err := eng.Close(ctx); err != nil {
			t.Fatal(err)
		}
	})
	return c
}

// waitTwice makes every order a run that is woken by the clock while servers die, and then waits for an event.
const waitTwice = `automation: wait-twice
owner: ops@shop.example
why: Runs wait while servers die.
on: order.placed
do:
  - wait: 1s
  - tag: waited
  - wait_for: { event: order.cancelled, for: 9d, else: [ stop ] }
`

// openingUnits is more of each product at each location than a run sells.
const openingUnits = 1_000_000

// command runs one subcommand to its end and returns what it printed.
func (c *crashing) command(stdin string, args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.ctx, c.binary, append(args, "--data-dir", c.data(), "--db", c.url)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("orderly %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *crashing) data() string { return filepath.Join(c.dir, "data") }

// open opens the shop's database while no server runs.
func (c *crashing) open(do func(*store.DB, *store.Keyring)) {
	c.t.Helper()
	master, err := store.LoadOrCreateKey(filepath.Join(c.data(), "orderly.key"))
	if err != nil {
		c.t.Fatal(err)
	}
	keys, err := store.NewKeyring(master)
	if err != nil {
		c.t.Fatal(err)
	}
	db, err := store.Open(c.ctx, c.url, store.Options{Keyring: keys})
	if err != nil {
		c.t.Fatal(err)
	}
	do(db, keys)
	if err := db.Close(); err != nil {
		c.t.Fatal(err)
	}
}

var listens = regexp.MustCompile(`listens on http://(\S+)`)

// build builds the program with a clock that is wrong by so much.
func (c *crashing) build(clock string) string {
	c.t.Helper()
	file := filepath.Join(c.dir, "orderly"+clock)
	build := exec.CommandContext(c.ctx, "go", "build", "-ldflags", "-X main.clockIsAhead="+clock, "-o", file, "../../cmd/orderly")
	if out, err := build.CombinedOutput(); err != nil {
		c.t.Fatalf("the program does not build: %v\n%s", err, out)
	}
	return file
}

// addNode adds a server that is to run a binary.
func (c *crashing) addNode(binary string) {
	c.nodes = append(c.nodes, &node{
		c: c, binary: binary, conns: map[*bench.Conn]bool{}, log: filepath.Join(c.dir, "node"+strconv.Itoa(len(c.nodes))+".log"),
	})
}

// serve starts the only server and lets the workers at it.
func (c *crashing) serve() {
	c.t.Helper()
	c.noteMails()
	if err := c.nodes[0].serve(); err != nil {
		c.t.Fatal(err)
	}
	c.gen.Add(1)
}

// serve starts a server and lets the workers at it.
func (n *node) serve() error {
	c := n.c
	cmd := exec.CommandContext(c.ctx, n.binary, "serve", "--data-dir", c.data(), "--db", c.url, "--listen", "127.0.0.1:0", "--log-level", "warn", "--drain-timeout", "2s")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	errs, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer errs.Close()
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	m := listens.FindStringSubmatch(line)
	if err != nil || m == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		said, _ := os.ReadFile(n.log)
		return fmt.Errorf("the server does not start: %q %w\n%s", line, err, said[max(0, len(said)-2000):])
	}
	go func() { _, _ = r.WriteTo(io.Discard) }() // ends with the process
	c.mu.Lock()
	n.cmd = cmd
	c.mu.Unlock()
	n.come(m[1])
	return nil
}

// come lets the workers at a node.
func (n *node) come(addr string) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	n.addr = addr
	close(n.c.changed)
	n.c.changed = make(chan struct{})
}

// leave takes a node from the workers, who hang up and call elsewhere.
func (n *node) leave() (cmd *exec.Cmd, addr string) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	addr, n.addr = n.addr, ""
	for conn := range n.conns {
		_ = conn.Close()
	}
	clear(n.conns)
	return n.cmd, addr
}

// kill ends a server as a power cut would, as far as the process is concerned.
func (n *node) kill() {
	n.c.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		n.c.t.Fatal(err)
	}
	cmd, _ := n.leave()
	_ = cmd.Wait() // killed: it says so
}

// stop ends a server in order.
func (n *node) stop() {
	n.c.t.Helper()
	cmd, _ := n.leave()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		n.c.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		n.c.t.Errorf("the server did not end in order: %v", err)
	}
}

// load lets callers tell of lives until end is called, which waits until all of it is answered.
func (c *crashing) load(ctx context.Context, seed uint64) (end func()) {
	feed, quit := make(chan delivery, 64), make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { c.deliver(ctx, feed) })
	}
	all.Go(func() {
		defer close(feed)
		l := newLives(seed, "C")
		for {
			vs, ds := l.batch(12)
			c.mu.Lock()
			c.lives = append(c.lives, vs...)
			c.mu.Unlock()
			for _, d := range ds {
				feed <- d // callers take until the end, so this never hangs
			}
			select {
			case <-quit:
				return
			case <-ctx.Done():
				return
			default:
			}
		}
	})
	return func() { close(quit); all.Wait() }
}

// pick chooses among the nodes that can be called, and waits while there is none.
func (c *crashing) pick(ctx context.Context) (*node, string) {
	for {
		c.mu.Lock()
		var up []*node
		for _, n := range c.nodes {
			if n.addr != "" {
				up = append(up, n)
			}
		}
		changed := c.changed
		if len(up) > 0 {
			n := up[rand.IntN(len(up))]
			addr := n.addr
			c.mu.Unlock()
			return n, addr
		}
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ""
		}
	}
}

// call posts one delivery over a connection of its worker to a node.
func (c *crashing) call(ctx context.Context, conns map[*node]*bench.Conn, d delivery, body []byte) (status int, answer []byte, err error) {
	n, addr := c.pick(ctx)
	if n == nil {
		return 0, nil, ctx.Err()
	}
	conn := conns[n]
	c.mu.Lock()
	if conn != nil && !n.conns[conn] {
		conn = nil // closed when the node left
	}
	c.mu.Unlock()
	if conn == nil {
		if conn, err = bench.Dial(ctx, bench.Target{Addr: addr, Path: "/hooks/shop", Secret: c.secret}); err != nil {
			pause(ctx, 5*time.Millisecond) // it died while we called
			return 0, nil, err
		}
		conns[n] = conn
		c.mu.Lock()
		n.conns[conn] = true
		c.mu.Unlock()
	}
	status, answer, err = conn.Post(d.id, body, time.Now())
	if err != nil || status != 200 {
		c.mu.Lock()
		delete(n.conns, conn)
		c.mu.Unlock()
		_ = conn.Close()
		delete(conns, n)
	}
	return status, answer, err
}

// noteMails files the mails taken so far under the server that sent them. It is called while none runs.
func (c *crashing) noteMails() {
	if c.mails == nil {
		c.mails = map[string][]int64{}
	}
	have := 0
	for _, g := range c.mails {
		have += len(g)
	}
	for _, m := range c.mail.Messages()[have:] {
		c.mails[m.ID] = append(c.mails[m.ID], c.gen.Load())
	}
}
