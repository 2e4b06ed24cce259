package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"orderly.example/orderly/internal/pgtest"
	"orderly.example/orderly/internal/store"
)

// first reads a file of what version 0.1 wrote.
func first(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata/0.1", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// firstShop makes the shop of version 0.1 in dir and, on PostgreSQL, in a new database.
func firstShop(t *testing.T, postgres bool) (dir, db string) {
	t.Helper()
	dir = t.TempDir()
	files := map[string][]byte{"orderly.key": first(t, "orderly.key")}
	if postgres {
		db = pgtest.URL(t)
		c, err := pgx.Connect(t.Context(), db)
		if err == nil {
			_, err = c.Exec(t.Context(), string(first(t, "shop.sql.gz")))
			_ = c.Close(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
	} else {
		db = filepath.Join(dir, "orderly.db")
		files["orderly.db"] = first(t, "shop.db.gz")
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, db
}

const nextOrder = `{"source":"%s","id":"%s","type":"order.placed","data":{"channel":"web","number":"%s","currency":"EUR",
	"lines":[{"sku":"MUG-BLUE","qty":1,"unit_price":"9.50 EUR"}],"customer":{"email":"buyer1@example.com"},
	"shipping":{"postal":"69001","country":"FR"},"payment":{"status":"paid"}}}`

// TestUpgradeFromTheFirstVersion: a database that version 0.1 wrote is brought up to date, keeps every law, and goes on.
func TestUpgradeFromTheFirstVersion(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			dir, db := firstShop(t, engine == "postgres")
			flags := []string{"--db", db, "--data-dir", dir, "--log-level", "error"}
			command(t, exitOK, append([]string{"migrate"}, flags...)...)
			if out, _ := command(t, exitOK, append([]string{"doctor"}, flags...)...); !strings.Contains(out, "laws hold") {
				t.Errorf("doctor: %s", out)
			}
			out, _ := command(t, exitOK, append([]string{"why", "S11"}, flags...)...)
			for _, want := range []string{"web S11 is held", "hold-large-first-orders did: hold"} {
				if !strings.Contains(out, want) {
					t.Errorf("the story of an order of 0.1 does not say %q: %s", want, out)
				}
			}
			s := start(t, dir, "serve", "--db", db)
			auth := []string{"Authorization", "Bearer " + strings.TrimSpace(string(first(t, "token"))), "Content-Type", "application/json"}
			for _, c := range []struct{ source, id, want string }{{"my-shop", "order-2", "conflict"}, {"my-shop", "after-upgrade", "decided"}, {"my-shop", "after-upgrade", "duplicate"}} {
				_, body, _ := s.do("POST", "/v1/events", fmt.Sprintf(nextOrder, c.source, c.id, "U-"+c.id), auth...)
				if !strings.Contains(body, c.want) {
					t.Errorf("%s is answered %s, want %s", c.id, body, c.want)
				}
			}
			if code := s.stop(); code != exitOK {
				t.Errorf("exit %d: %s", code, s.errs)
			}
		})
	}
}

// oldCommit is a version before everything that migrations have added since 0.1.
const oldCommit = "ef5e5b4"

// TestRollingUpgrade: two nodes of an old version work on one PostgreSQL under load; one after the other is replaced by
// today's, so that for a while both versions run side by side on the new schema. Nothing that was answered is lost. It builds
// an old version from the project's history, so it is part of make crash.
func TestRollingUpgrade(t *testing.T) {
	if os.Getenv("ORDERLY_FAULT_SEEDS") == "" {
		t.Skip("builds an old version; make crash runs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	tmp := t.TempDir()
	old, now := filepath.Join(tmp, "old"), filepath.Join(tmp, "now")
	if err := exec.CommandContext(ctx, "git", "rev-parse", "--verify", "--quiet", oldCommit+"^{commit}").Run(); err != nil {
		t.Skipf("the history has no %s; the databases of testdata/0.1 are tested in any case", oldCommit)
	}
	build := fmt.Sprintf("set -e; mkdir src; (cd %q && git archive %s) | tar x -C src; (cd src && go build -o %q ./cmd/orderly)", project(t), oldCommit, old)
	for dir, script := range map[string]string{tmp: build, ".": fmt.Sprintf("go build -o %q .", now)} {
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	dir, db := firstShop(t, true)
	token := strings.TrimSpace(string(first(t, "token")))
	type node struct {
		cmd  *exec.Cmd
		base string
	}
	var mu sync.Mutex
	var nodes [2]*node
	serve := func(i int, program string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, program, "serve", "--db", db, "--data-dir", dir, "--listen", "127.0.0.1:0", "--log-level", "error")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + tmp}
		out := newOutput()
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		n := &node{cmd: cmd, base: out.wait(t, `listens on (http://\S+)`)}
		mu.Lock()
		nodes[i] = n
		mu.Unlock()
	}
	leave := func(i int) {
		t.Helper()
		mu.Lock()
		n := nodes[i]
		nodes[i] = nil
		mu.Unlock()
		if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := n.cmd.Wait(); err != nil {
			t.Errorf("node %d did not end in order: %v", i, err)
		}
	}
	serve(0, old)
	serve(1, old)
	decided := map[string]bool{}
	var wg sync.WaitGroup
	quit := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-quit:
					return
				default:
				}
				id := fmt.Sprintf("r%d-%d", w, i)
				for try := 0; ; try++ { // as a sender does: until it is answered
					mu.Lock()
					n := nodes[(w+i+try)%2]
					mu.Unlock()
					if n == nil {
						<-time.After(5 * time.Millisecond)
						continue
					}
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.base+"/v1/events", bytes.NewBufferString(fmt.Sprintf(nextOrder, "rolling", id, id)))
					if err != nil {
						t.Error(err)
						return
					}
					req.Header.Set("Authorization", "Bearer "+token)
					req.Header.Set("Content-Type", "application/json")
					resp, err := http.DefaultClient.Do(req)
					if err == nil {
						b, _ := io.ReadAll(resp.Body)
						_ = resp.Body.Close()
						if resp.StatusCode == 200 {
							mu.Lock()
							decided[id] = regexp.MustCompile(`"(decided|duplicate)"`).Match(b)
							mu.Unlock()
							break
						}
						if resp.StatusCode < 500 {
							t.Errorf("%s is answered %d %s", id, resp.StatusCode, b)
							return
						}
					}
					if ctx.Err() != nil {
						return
					}
				}
			}
		})
	}
	reach := func(n int) {
		t.Helper()
		mu.Lock()
		goal := len(decided) + n
		mu.Unlock()
		for {
			mu.Lock()
			have := len(decided)
			mu.Unlock()
			if have >= goal {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatalf("only %d orders were taken, of %d", have, goal)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	reach(200)
	for i := range nodes {
		leave(i)
		serve(i, now) // the first brings the schema up to date while the other goes on
		reach(200)
	}
	// An old node that starts now says why it does not.
	out, err := exec.CommandContext(ctx, old, "doctor", "--db", db, "--data-dir", dir).CombinedOutput()
	if err == nil && newerSchema(t) || err != nil && !strings.Contains(string(out), "use the newer program") {
		t.Errorf("an old program on the new schema: %v %s", err, out)
	}
	close(quit)
	wg.Wait()
	for i := range nodes {
		leave(i)
	}
	if out, _ := command(t, exitOK, "doctor", "--db", db, "--data-dir", dir, "--log-level", "error"); !strings.Contains(out, "laws hold") {
		t.Errorf("doctor: %s", out)
	}
	s, err := store.Open(ctx, db, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(ctx, func(tx *store.Tx) error {
		for id, ok := range decided {
			seen, err := tx.Seen("rolling", id)
			if err != nil {
				return err
			}
			if !seen || !ok {
				t.Errorf("%s was answered (decided: %v), kept: %v", id, ok, seen)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d orders were answered, none lost", len(decided))
}

// project is the folder of the project.
func project(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// newerSchema reports whether migrations were added since oldCommit.
func newerSchema(t *testing.T) bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "diff", "--name-only", "--diff-filter=A", oldCommit, "--", "../../internal/store/migrations").Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(bytes.TrimSpace(out)) > 0
}
