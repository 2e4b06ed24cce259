// Package engine is the shell around decide: it makes events durable and
// decided in one commit, and sees that what must leave leaves once.
//
//	Submit ──▶ prepare (own goroutine of the caller): id, keyed identity, personal data apart
//	             │
//	             ▼  one committer; events that arrive while a commit runs share the next
//	           group: store.Update
//	             dedupe (source, key) ─▶ load what decide.Needs… names ─▶ decide each event against
//	             the working set as the ones before it left it ─▶ write the net result in bulk
//	             + effects + one delivery job per destination and 20 effects
//	             │
//	             ▼  after the commit: callers are answered, watchers are told
//	           deliver: claim (own commit) ─▶ connect ─▶ finish (own commit); a failure is retried
//	           with backoff and becomes a dead letter, which is an event again
//
// An answered event is on disk and decided. An event whose decision fails is kept as
// quarantined with the reason. Timers are rows that become events when they are due.
package engine
