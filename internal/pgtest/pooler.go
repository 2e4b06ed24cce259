package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pooler starts a PgBouncer in front of the server of a URL, which gives a session for one transaction
// only, and returns the same database's URL through it. It ends with the test.
// Without a pgbouncer in PATH the test is skipped; under CI=true it fails.
func Pooler(t testing.TB, to string) string {
	t.Helper()
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; !isFile(bin) {
			if os.Getenv("CI") == "true" {
				t.Fatal("pgbouncer is needed: make setup installs it")
			}
			t.Skip("pgbouncer is needed: make setup installs it")
		}
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "orderly-pool-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	who, err := serverUser(dir)
	if err != nil {
		t.Fatal(err)
	}
	// A socket in a folder, as the server has it: only its port is part of the name, and every folder has its own.
	settings := fmt.Sprintf(`[databases]
* = host=%s
[pgbouncer]
listen_addr =
unix_socket_dir = %s
listen_port = 6432
auth_type = trust
auth_file = %s/users
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
server_check_delay = 0
`, u.Query().Get("host"), dir, dir)
	for name, text := range map[string]string{"ini": settings, "users": "\"orderly\" \"\"\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const script = `"$1" "$2/ini" 2>"$2/log" &
pid=$!
cat >/dev/null
kill -KILL $pid
wait $pid`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", bin, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	hold, err := cmd.StdinPipe() // it ends with this process, in whatever way
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hold.Close()
		_ = cmd.Wait() // its shell says how it ended
	})
	q := url.Values{"host": {dir}, "port": {"6432"}}
	through := (&url.URL{Scheme: "postgres", User: u.User, Path: u.Path, RawQuery: q.Encode()}).String()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
		c, err := pgx.Connect(ctx, through)
		if err == nil {
			_ = c.Close(ctx)
			stop()
			return through
		}
		stop()
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("pgbouncer does not answer: %v\n%s", err, said)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func isFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
