// Package pgtest gives tests a PostgreSQL: one cluster per test binary, started
// on first use in a temporary folder, and one fresh database per test.
//
// The programs are looked for in /usr/lib/postgresql/*/bin and in PATH. With
// ORDERLY_TEST_PG set to a postgres:// URL of a superuser, that server is used and
// none is started. Without either, tests are skipped; under CI=true they fail.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is the server of this test binary.
type cluster struct {
	url string // of the maintenance database
	err error  // why there is none
}

var (
	once    sync.Once
	shared  cluster
	counter atomic.Int64
)

// URL returns the URL of a new empty database. It is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

var (
	templates   = map[string]string{} // key -> database
	templatesMu sync.Mutex
)

// Prepared returns the URL of a new copy of a database that prepare made ready,
// once for all tests with the same key. Migrating a copy is much slower than copying it.
func Prepared(t testing.TB, key string, prepare func(url string) error) string {
	t.Helper()
	templatesMu.Lock()
	defer templatesMu.Unlock()
	name, ok := templates[key]
	if !ok {
		need(t)
		name = fmt.Sprintf("t%d_template%d", os.Getpid(), len(templates))
		ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
		defer stop()
		if err := admin(ctx, "CREATE DATABASE "+name); err != nil {
			t.Fatalf("a test database could not be made: %v", err)
		}
		if err := prepare(address(t, name)); err != nil {
			t.Fatalf("a test database could not be prepared: %v", err)
		}
		templates[key] = name
	}
	return create(t, " TEMPLATE "+name)
}

func need(t testing.TB) {
	t.Helper()
	once.Do(func() { shared = start() })
	if shared.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed: %v", shared.err)
		}
		t.Skipf("PostgreSQL is needed: %v", shared.err)
	}
}

func create(t testing.TB, from string) string {
	t.Helper()
	need(t)
	name := fmt.Sprintf("t%d_%d", os.Getpid(), counter.Add(1))
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := admin(ctx, "CREATE DATABASE "+name+from); err != nil {
		t.Fatalf("a test database could not be made: %v", err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
		defer stop()
		if err := admin(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Logf("the test database %s could not be dropped: %v", name, err)
		}
	})
	return address(t, name)
}

// address is the URL of a database of the server.
func address(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(shared.url)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func admin(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, shared.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}

// start finds a server or starts one, and proves that it answers.
func start() cluster {
	if u := os.Getenv("ORDERLY_TEST_PG"); u != "" {
		return cluster{url: u}
	}
	bin, err := programs()
	if err != nil {
		return cluster{err: err}
	}
	// Not t.TempDir: the cluster outlives the test that happens to start it. Under
	// /tmp, because the path of a socket may not be longer than 107 bytes and the
	// server may run as another user than the test.
	dir, err := os.MkdirTemp("/tmp", "orderly-pg-")
	if err != nil {
		return cluster{err: err}
	}
	who, err := serverUser(dir)
	if err != nil {
		return cluster{err: err}
	}
	run := func(name string, args ...string) error {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
		cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "orderly", "-A", "trust", "-E", "UTF8", "--no-instructions"); err != nil {
		return cluster{err: err}
	}
	if err := launch(bin, dir, data, who); err != nil {
		return cluster{err: err}
	}
	c := cluster{url: "postgres://orderly@/postgres?host=" + url.QueryEscape(dir)}
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, c.url)
		if err == nil {
			_ = conn.Close(ctx)
			stop()
			return c
		}
		stop()
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return cluster{err: fmt.Errorf("the server did not start: %w: %s", err, log)}
		}
		<-time.After(20 * time.Millisecond)
	}
}

// launch starts the server below a small shell that ends it when this test binary
// ends, in whatever way: the shell reads from a pipe of which only we hold the other end.
func launch(bin, dir, data string, who *syscall.Credential) error {
	const script = `"$1/postgres" -D "$2" -k "$3" -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB >"$3/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid
wait $pid
rm -rf "$3"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", bin, data, dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	keep = in
	return cmd.Start()
}

// keep holds the pipe open as long as the process lives.
var keep io.Closer

// Stop ends the server of this test binary. Nobody has to call it: the server
// ends with the process.
func Stop() {
	if keep != nil {
		_ = keep.Close()
	}
}

// programs finds the folder of the server's programs, the newest version first.
func programs() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	sort.Slice(dirs, func(i, j int) bool { return version(dirs[i]) > version(dirs[j]) })
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, "postgres")); err == nil {
			return d, nil
		}
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", fmt.Errorf("no postgres in /usr/lib/postgresql/*/bin or PATH; install it or set ORDERLY_TEST_PG")
}

func version(dir string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(dir, "/usr/lib/postgresql/"), "/bin"))
	return n
}

// serverUser is who runs the server. PostgreSQL refuses to run as root, so root's
// tests run it as the user postgres, or nobody, who then owns the folder.
func serverUser(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, fmt.Errorf("this is root, as whom PostgreSQL does not run, and there is no user postgres or nobody")
}
