package login

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	freeTries  = 5  // failed logins of a user from one address before the first pause
	freeOthers = 25 // failed logins of a user or from an address, in all
	freeNew    = 25 // first tries of a user from new addresses that need not wait, in newWindow
	newWindow  = time.Hour
	firstPause = time.Second
	maxPause   = 5 * time.Minute
	forgetTime = time.Hour // after which failed logins are forgotten; longer than maxPause
	maxTracked = 10_000    // of users, of addresses and of pairs: some megabytes
)

// PausedError refuses a login, whatever its password, after several failed
// ones.
type PausedError struct{ Wait time.Duration }

func (e *PausedError) Error() string {
	return fmt.Sprintf("too many failed logins; try again in %d s", e.Seconds())
}

// Seconds returns the wait, rounded up.
func (e *PausedError) Seconds() int { return int(math.Ceil(e.Wait.Seconds())) }

// throttle delays those who guess passwords. It counts failed logins three
// times, each with a pause that doubles from firstPause to maxPause:
//
//	user from an address  one person who guesses       freeTries
//	address               a machine that tries users   freeOthers
//	user                  many machines, one user      freeOthers
//
// The pause of a user does not apply to an address from which the user has
// logged in. So nobody can lock a user out from there. Nor does it apply to the
// first try from another address in an hour, for the first freeNew of these
// addresses in an hour: an attacker with any number of addresses has that many
// more tries an hour. Users that do not exist are treated as those who do.
//
// Each control bus counts for itself, in memory.
type throttle struct {
	newLimit int // of the first tries of a user from new addresses in newWindow; 0: none

	mu                      sync.Mutex
	pairs, addresses, users *failureMap
}

type failureMap = simplelru.LRU[string, *failures]

// failures are failed logins that have something in common.
type failures struct {
	count   int
	pending int       // attempts whose password is being checked; they count as failed
	last    time.Time // of the last failure or admitted attempt
	until   time.Time // end of the pause
	good    bool      // of a pair: there was a right password

	// Of a user: the first tries from new addresses since newSince.
	newTries int
	newSince time.Time
}

func newThrottle(newLimit int) *throttle {
	tracked := func() *failureMap {
		m, _ := simplelru.NewLRU[string, *failures](maxTracked, nil) // fails for sizes below 1
		return m
	}
	return &throttle{newLimit: newLimit, pairs: tracked(), addresses: tracked(), users: tracked()}
}

// tracked returns the failures of a key, without those that are forgotten.
func tracked(m *failureMap, key string, now time.Time) *failures {
	f, ok := m.Get(key)
	if !ok {
		f = &failures{}
		m.Add(key, f)
	}
	if now.Sub(f.last) >= forgetTime {
		f.count = 0
	}
	return f
}

// lookUp returns the failures of a key without storing anything, so that refused
// attempts cannot push other keys out of the map.
func lookUp(m *failureMap, key string, now time.Time) failures {
	f, ok := m.Peek(key)
	if !ok || now.Sub(f.last) >= forgetTime {
		return failures{good: ok && f.good}
	}
	return *f
}

// keysOf returns the keys of an attempt.
func keysOf(a *Attempt) (pair, address, user string) {
	id, from := a.ID[:min(len(a.ID), 64)], NetworkOf(a.Address)
	return id + " " + from, from, id
}

// find returns what is known of an attempt, and stores it.
func (t *throttle) find(a *Attempt, now time.Time) (pair, address, user *failures) {
	p, from, id := keysOf(a)
	return tracked(t.pairs, p, now), tracked(t.addresses, from, now), tracked(t.users, id, now)
}

// admit reports how long an attempt must wait. At 0 its password may be
// checked, and the caller must then call fail, succeed or release. Until then
// the attempt counts as a failed one, so several at the same time have no more
// free tries than one after the other.
func (t *throttle) admit(a *Attempt) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	p, from, id := keysOf(a)
	known, user := lookUp(t.pairs, p, now), lookUp(t.users, id, now)
	wait = max(known.until.Sub(now), lookUp(t.addresses, from, now).until.Sub(now))
	isNew := known.count+known.pending == 0 && !known.good
	if !known.good && (!isNew || t.newLimit > 0 && user.newIn(now) >= t.newLimit) {
		wait = max(wait, user.until.Sub(now))
	}
	if wait > 0 {
		return wait
	}
	t.updateAll(a, now, func(f *failures) { f.pending, f.last = f.pending+1, now })
	if isNew {
		tracked(t.users, id, now).addNew(now)
	}
	return 0
}

// newIn returns how many first tries from new addresses count at a time.
func (f *failures) newIn(now time.Time) int {
	if now.Sub(f.newSince) >= newWindow {
		return 0
	}
	return f.newTries
}

// addNew counts a first try from a new address.
func (f *failures) addNew(now time.Time) {
	if f.newTries = f.newIn(now) + 1; f.newTries == 1 {
		f.newSince = now
	}
}

// fail counts an attempt with a wrong password, and returns the pause of the
// user at the address.
func (t *throttle) fail(a *Attempt) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	pair, address := t.updateAll(a, now, func(f *failures) {
		f.pending, f.count, f.last = max(0, f.pending-1), f.count+1, now
	})
	return max(0, pair.until.Sub(now), address.until.Sub(now))
}

// release takes an admitted attempt back whose password was not checked.
func (t *throttle) release(a *Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.updateAll(a, time.Now(), func(f *failures) { f.pending = max(0, f.pending-1) })
}

// updateAll changes what is known of an attempt, and begins the pauses that
// follow from it.
func (t *throttle) updateAll(a *Attempt, now time.Time, change func(*failures)) (pair, address *failures) {
	pair, address, user := t.find(a, now)
	for _, f := range []*failures{pair, address, user} {
		change(f)
	}
	pair.pause(now, freeTries)
	address.pause(now, freeOthers)
	user.pause(now, freeOthers)
	return pair, address
}

// succeed forgets the failures of the user. Those of other users at the address
// count on: an attacker may have a user of their own.
func (t *throttle) succeed(a *Attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	pair, address, user := t.find(a, now)
	address.count = max(0, address.count-pair.count)
	pair.count, user.count, pair.good = 0, 0, true
	for _, f := range []*failures{pair, address, user} {
		f.pending, f.until = max(0, f.pending-1), time.Time{}
	}
}

// pause begins the pause that follows from the failed and pending attempts, if
// they are as many as the free ones.
func (f *failures) pause(now time.Time, free int) {
	f.until = time.Time{}
	if over := f.count + f.pending - free; over >= 0 {
		f.until = now.Add(min(firstPause<<min(over, 10), maxPause))
	}
}

// NetworkOf returns the network in which one machine may choose its address: the
// first 64 bits of IPv6, all of IPv4. All loopback addresses are one network,
// since each process of the machine may use each of them. An IPv4 address that
// is mapped to IPv6 counts as IPv4.
func NetworkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address[:min(len(address), 64)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.IsLoopback() {
		return "loopback"
	}
	if ip.Is4() {
		return ip.String()
	}
	network, _ := ip.Prefix(64) // fails for other families only
	return network.String()
}

// logFailure logs a failed login. The id is as it was sent, so it may be a
// password that was typed in the wrong place; administrators see it.
func (s *Service) logFailure(a *Attempt, pause time.Duration) {
	s.log.Warn("login failed", "user", printableID(a.ID), "address", cmp.Or(a.Address, "unknown"), "pause", pause.Round(time.Second).String())
}

// printableID returns what was sent as an id, on one line that cannot control a
// terminal.
func printableID(id string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, id[:min(len(id), 40)])
}
