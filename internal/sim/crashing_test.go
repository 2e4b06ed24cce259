package sim_test

import (
	"bufio"
	"bytes"
	"context"
	"io/fs"
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

	"orderly.example/orderly/examples"
	"orderly.example/orderly/internal/connect"
	"orderly.example/orderly/internal/connect/fake"
	"orderly.example/orderly/internal/engine"
	"orderly.example/orderly/internal/event"
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

	mu       sync.Mutex
	up       chan struct{} // closed while a server runs
	addr     string
	lives    []life
	answered map[string]string // webhook-id -> event id
	answers  int               // duplicates included
	lost     int               // deliveries without an answer
	mails    map[string][]int64
	cmd      *exec.Cmd
}

func newCrashing(t *testing.T, ctx context.Context, url string, seed uint64) *crashing {
	t.Helper()
	c := &crashing{t: t, ctx: ctx, dir: t.TempDir(), url: url, up: make(chan struct{}), answered: map[string]string{}}
	if c.url == "" {
		c.url = "sqlite:" + filepath.Join(c.data(), "orderly.db")
	}
	c.binary = filepath.Join(c.dir, "orderly")
	build := exec.CommandContext(ctx, "go", "build", "-o", c.binary, "../../cmd/orderly")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program does not build: %v\n%s", err, out)
	}
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
			return store.UpsertLocations(tx, locs)
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

// serve starts the server and lets the workers at it.
func (c *crashing) serve() {
	c.t.Helper()
	c.noteMails()
	cmd := exec.CommandContext(c.ctx, c.binary, "serve", "--data-dir", c.data(), "--db", c.url, "--listen", "127.0.0.1:0", "--log-level", "error")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	m := listens.FindStringSubmatch(line)
	if err != nil || m == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		c.t.Fatalf("the server does not start: %q %v\n%s", line, err, errs.String())
	}
	go func() { _, _ = r.WriteTo(&bytes.Buffer{}) }() // ends with the process
	c.gen.Add(1)
	c.mu.Lock()
	c.cmd, c.addr = cmd, m[1]
	close(c.up)
	c.mu.Unlock()
}

// down takes the server from the workers.
func (c *crashing) down() *exec.Cmd {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = make(chan struct{})
	return c.cmd
}

// kill ends the server as a power cut would, as far as the process is concerned.
func (c *crashing) kill() {
	c.t.Helper()
	cmd := c.cmd
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
	c.down()
	_ = cmd.Wait() // killed: it says so
}

// stop ends the server in order.
func (c *crashing) stop() {
	c.t.Helper()
	cmd := c.down()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		c.t.Errorf("the server did not end in order: %v", err)
	}
	c.noteMails()
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
