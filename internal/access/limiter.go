package access

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The limits of failed sign-ins. An account and an address each have a bucket
// of free failures that refills with time; once it is empty, every further
// failure doubles the time during which no attempt is looked at.
const (
	accountBurst = 5
	addressBurst = 20
	refillEvery  = time.Minute
	firstLock    = 2 * time.Second
	// An account's lock is short: one guess a minute is worthless against a good
	// password, and a longer one would let a stranger keep its owner out.
	longestAccount = time.Minute
	longestAddress = 15 * time.Minute
	maxBuckets     = 20_000 // about 3 MB
	evictionSample = 8
)

// limiter counts failures by key. Its memory is bounded: when it is full, the
// bucket with the least to remember among a few random ones makes room, so
// that a flood of new keys does not wash out the locked ones.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*bucket
	now     func() time.Time
	max     int
}

type bucket struct {
	failures float64 // counted, less what has been refilled
	burst    float64
	longest  time.Duration
	last     time.Time
	locked   time.Time // no attempt is looked at before
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{buckets: map[string]*bucket{}, now: now, max: maxBuckets}
}

// attempt counts an attempt as failed for the account and the address before
// it is looked at, so that many at once cannot slip through together, and
// returns how long to wait when it must not be looked at at all.
func (l *limiter) attempt(account, address string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := l.bucket(account, accountBurst, longestAccount, now)
	i := l.bucket(address, addressBurst, longestAddress, now)
	if w := max(a.locked.Sub(now), i.locked.Sub(now)); w > 0 {
		return w
	}
	a.fail(now)
	i.fail(now)
	return 0
}

// success takes back what attempt counted: the account starts afresh, the
// address gets its one failure back.
func (l *limiter) success(account, address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.buckets, account)
	if b := l.buckets[address]; b != nil {
		b.failures = max(0, b.failures-1)
		b.locked = time.Time{}
	}
}

func (l *limiter) bucket(key string, burst float64, longest time.Duration, now time.Time) *bucket {
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= l.max {
			l.evict(now)
		}
		b = &bucket{burst: burst, longest: longest, last: now}
		l.buckets[key] = b
	}
	return b
}

func (b *bucket) fail(now time.Time) {
	b.refill(now)
	b.failures++
	if over := b.failures - b.burst; over > 0 {
		lock := b.longest
		if n := int(over); n < 10 {
			lock = min(lock, firstLock<<n)
		}
		b.locked = now.Add(lock)
	}
}

func (b *bucket) refill(now time.Time) {
	b.failures = max(0, b.failures-float64(now.Sub(b.last))/float64(refillEvery))
	b.last = now
}

func (l *limiter) evict(now time.Time) {
	var victim string
	var least float64
	n := 0
	for k, b := range l.buckets { // map order is as good as a random sample
		b.refill(now)
		weight := b.failures / b.burst
		if b.locked.After(now) {
			weight += 1000
		}
		if n == 0 || weight < least {
			victim, least = k, weight
		}
		if n++; n == evictionSample {
			break
		}
	}
	delete(l.buckets, victim)
}

func accountKey(email string) string { return "a:" + email }

// addressKey puts an IPv6 network of one customer (/64) into one bucket: a
// single host owns all of its addresses.
func addressKey(addr string) string {
	ip, err := netip.ParseAddr(strings.Trim(addr, "[]"))
	if err != nil {
		return "i:" + addr
	}
	ip = ip.Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return "i:" + p.String()
		}
	}
	return "i:" + ip.String()
}
