package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL of one test, which may stop it, kill it and start it again, and give it a standby. It
// listens on a socket in its folder only, and ends with the test.
type Server struct {
	t    testing.TB
	bin  string
	dir  string
	who  *syscall.Credential
	hold io.Closer // the shell below which it runs reads from it
	cmd  *exec.Cmd
}

// Private starts a server of the test's own, with settings such as "fsync=off".
func Private(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := newServer(t)
	s.must(s.run("initdb", "-D", s.data(), "-U", "orderly", "-A", "trust", "-E", "UTF8", "--no-instructions"))
	s.Set(settings...)
	s.Start()
	return s
}

func newServer(t testing.TB) *Server {
	t.Helper()
	bin, err := programs()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("PostgreSQL is needed: %v", err)
		}
		t.Skipf("PostgreSQL is needed: %v", err)
	}
	s := &Server{t: t, bin: bin}
	if s.dir, err = os.MkdirTemp("/tmp", "orderly-pg-"); err != nil {
		t.Fatal(err)
	}
	if s.who, err = serverUser(s.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(syscall.SIGQUIT)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Logf("%v", err)
		}
	})
	return s
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.who}
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Set adds settings to the file that the server reads when it starts.
func (s *Server) Set(settings ...string) {
	s.t.Helper()
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	s.must(err)
	_, err = f.WriteString("\n" + strings.Join(settings, "\n") + "\n")
	s.must(errors.Join(err, f.Close()))
}

// Host is the folder of the server's socket, as the host parameter of a URL wants it.
func (s *Server) Host() string { return s.dir }

// URL is the address of a database of the server.
func (s *Server) URL(database string) string {
	return "postgres://orderly@/" + database + "?host=" + url.QueryEscape(s.dir)
}

// Exec runs a statement in the maintenance database.
func (s *Server) Exec(ctx context.Context, sql string) error {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	_, err = c.Exec(ctx, sql)
	return err
}

// Start starts the server and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s.must(s.launch())
		err := s.answers(deadline)
		if err == nil {
			return
		}
		s.Stop(syscall.SIGQUIT)
		if time.Now().After(deadline) { // sessions of a killed server may have held its memory for a while
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("PostgreSQL does not start: %v\n%s", err, log)
		}
	}
}

func (s *Server) launch() error {
	const script = `"$1/postgres" -D "$2" -k "$3" -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB >>"$3/log" 2>&1 &
pid=$!
cat >/dev/null
kill -QUIT $pid
wait $pid`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", s.bin, s.data(), s.dir)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who, Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	s.hold, s.cmd = in, cmd
	return cmd.Start()
}

// answers waits for an answer as long as the server's process lives.
func (s *Server) answers(deadline time.Time) error {
	begun := time.Now()
	for {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			_ = conn.Close(ctx)
		}
		stop()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		if s.pid() == 0 && time.Since(begun) > 2*time.Second {
			return err
		}
		<-time.After(20 * time.Millisecond)
	}
}

// pid is the process of the server, 0 when none runs.
func (s *Server) pid() int {
	b, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// Stop ends the server by a signal: SIGKILL as a power cut would, SIGQUIT at once, SIGINT in order.
func (s *Server) Stop(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	if pid := s.pid(); pid != 0 {
		_ = syscall.Kill(pid, sig) // it may have ended meanwhile
	}
	for range 500 { // in order takes a moment; the shell is less patient
		if _, err := os.Stat(filepath.Join(s.data(), "postmaster.pid")); sig != syscall.SIGINT || err != nil {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	_ = s.hold.Close()
	_ = s.cmd.Wait() // its shell says how the server ended
	s.cmd = nil
}

// Standby makes a copy of the server that follows it: from now on the server answers a commit only
// once the copy has it.
func (s *Server) Standby() *Server {
	s.t.Helper()
	c := newServer(s.t)
	s.must(c.run("pg_basebackup", "-h", s.dir, "-U", "orderly", "-D", c.data(), "-R", "-X", "stream", "-c", "fast"))
	c.Start()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	s.must(s.Exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '*'"))
	s.must(s.Exec(ctx, "SELECT pg_reload_conf()"))
	return c
}

// Promote makes a standby the primary.
func (s *Server) Promote() {
	s.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	s.must(s.Exec(ctx, "SELECT pg_promote(true, 25)"))
}
