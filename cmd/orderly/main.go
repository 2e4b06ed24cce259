// Command orderly runs the back office of an online shop. `orderly demo` shows
// it with a sample shop, `orderly serve` runs it for real; `orderly help` tells
// the rest.
//
// wire.go is the one place where the packages meet.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"orderly.example/orderly/internal/config"
	"orderly.example/orderly/internal/fault"
	"orderly.example/orderly/internal/observe"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2 // the command line or the settings are wrong
	exitOffender = 3 // doctor found a law broken, watch something silent
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
	stop()
	os.Exit(code)
}

// Main runs one command and returns its exit code. It uses nothing of the
// process but the file system and the network, so that a test can run it.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr, environ: environ, now: nodeClock()}
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if _, silent := errors.AsType[*exitError](err); !silent {
		p.tell(err)
	}
	return codeOf(err)
}

// clockIsAhead is how wrong the clock of this build is. Only the crash suite's builds have one, set by the linker.
var clockIsAhead string

// nodeClock is what the program takes for the time.
func nodeClock() func() time.Time {
	ahead, err := time.ParseDuration(clockIsAhead)
	if err != nil {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(ahead) }
}

// tuneRuntime sets how a server's Go runtime works; GOGC and GOMAXPROCS in the environment go first.
//
// Its heap may grow to two and a half times what is alive before it is collected. That is little, and the default of twice as
// much cost a node a sixth of its time; three times took a node of a busy shop beyond 150 MB.
//
// It may run one goroutine more than there are processors: on two, the one that writes and the one that carries SQLite's log
// take both without a pause, and Go looks for what the network or the disk answered once in 10 ms then. The operating system
// shares a processor among threads far sooner.
func (p *program) tuneRuntime() {
	if p.env("GOGC") == "" {
		debug.SetGCPercent(150)
	}
	if p.env("GOMAXPROCS") == "" {
		oneMore()
	}
}

var oneMore = sync.OnceFunc(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) })

// program is one run of the command.
type program struct {
	zone           *time.Location // in which people read times; nil: UTC
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	now            func() time.Time
}

// exitError ends the command with a code after it has said everything itself.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// usageError is a wrong command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fault.New(fault.Invalid, "", format, args...)}
}

func codeOf(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailure
}

// tell prints an error for the person at the terminal: what is wrong, each
// problem on a line, and the cause when it is ours.
func (p *program) tell(err error) {
	var b strings.Builder
	fe, ok := errors.AsType[*fault.Error](err)
	switch {
	case errors.Is(err, context.Canceled): // by a person, or by who runs us: no fault of the work
		b.WriteString("orderly: stopped before it was done\n")
	case !ok:
		fmt.Fprintf(&b, "orderly: %s\n", err)
	default:
		msg := fe.Message
		if msg == "" {
			msg = "something went wrong on our side"
		}
		fmt.Fprintf(&b, "orderly: %s\n", msg)
		for _, q := range fe.Problems {
			fmt.Fprintf(&b, "  %s: %s\n", q.Pointer, q.Message)
		}
		if fe.Err != nil && !strings.Contains(msg, fe.Err.Error()) {
			fmt.Fprintf(&b, "  cause: %s\n", fe.Err)
		}
	}
	if _, ok := errors.AsType[*usageError](err); ok && !strings.Contains(b.String(), "--help") {
		b.WriteString("  add --help to see how it is used\n")
	}
	_, _ = io.WriteString(p.stderr, observe.Clean(b.String())) // nowhere else to say it
}

func (p *program) env(name string) string {
	for i := len(p.environ) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(p.environ[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}

// printf writes to standard output.
func (p *program) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stdout, format, args...) // a closed pipe is the reader's wish
}

// notef writes to standard error: what is not the result.
func (p *program) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(p.stderr, format, args...)
}

// settings loads the configuration with a command's flags.
func (p *program) settings(cmd *cobra.Command) (*config.Config, error) {
	cfg, err := config.Load(config.Source{Flags: cmd.Flags(), Environ: p.environ})
	if err != nil {
		return nil, &usageError{err}
	}
	for _, w := range cfg.Warnings {
		p.notef("orderly: %s\n", w)
	}
	return cfg, nil
}
