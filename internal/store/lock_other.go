//go:build !unix || solaris || aix

package store

import "os"

// tryLock does nothing where files have no advisory locks: two openings are then
// kept apart by SQLite alone, and a restore relies on the server being stopped.
func tryLock(*os.File, bool) error { return nil }
