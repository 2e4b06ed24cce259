//go:build unix

package bench

import (
	"runtime"
	"syscall"
)

// Usage returns the processor time of this process in microseconds, and the most memory it had resident in MB.
func Usage() (cpuMicros int64, maxRSS float64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	rss := float64(u.Maxrss) // in KiB, but on Darwin in bytes
	if runtime.GOOS == "darwin" {
		rss /= 1024
	}
	return micros(u.Utime) + micros(u.Stime), rss / 1024
}

func micros(t syscall.Timeval) int64 { return int64(t.Sec)*1e6 + int64(t.Usec) } //nolint:unconvert // 32 bits on other systems
