//go:build !unix

package bench

// Usage is not known on this system.
func Usage() (cpuMicros int64, maxRSS float64) { return 0, 0 }
