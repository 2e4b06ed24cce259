//go:build unix

package main

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskOf is how much room there is where a database file lies; not ok when the database is elsewhere.
func diskOf(path string) (free, total int64, ok bool) {
	if path == "" || path == ":memory:" {
		return 0, 0, false
	}
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &s); err != nil {
		return 0, 0, false
	}
	block := int64(s.Bsize) //nolint:unconvert,nolintlint // its type differs between systems
	return int64(s.Bavail) * block, int64(s.Blocks) * block, true
}
