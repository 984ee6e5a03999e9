// Package scheduler decides when jobs fire, and makes each fire happen once.
//
//	timer, start, renewed lease, edit: wake
//	             |
//	             v
//	schedule --> plan --> due times, misfire policy --> key <app>.<job>.<second> in bucket fires
//	             ^                                        |                        |
//	    newest key of the generation <--------------------+     execution with the id in the key
//
// A nominal time is a time that a schedule asks for. The scheduler decides each
// nominal time once, by creating its key in bucket fires. The value of the key
// is the decision: the id of an execution, drawn before, or the reason why
// there is none. A fire happens only through such a key.
//
// The plan of a schedule computes its nominal times. A walk goes through the
// plan up to now and decides each time. It begins at the newest key of the
// schedule's current generation, or at the start of the generation. Timers only
// start walks: a timer that fires early, late or twice changes no decision.
//
// Any number of buses may run a scheduler. The lease only saves work: two buses
// that both believe they lead still fire once, because only one of them can
// create the key. A bus may die, or lose an acknowledgement, between any two
// steps:
//
//   - Before the key is created, the time is undecided, and the walk of another
//     bus decides it.
//   - After the key is created and before the execution's record exists, the
//     fire is open. A walk finishes an open fire with the execution id in the
//     key, so it creates the same record again and never a second execution.
//   - A bus that was suspended at that point reads the key again before it
//     submits, because the execution may have ended and its record may have
//     been removed meanwhile. A bus that removes a record closes the key of its
//     fire first.
//
// An edit (Set, Pause, Resume, Remove) first decides all times up to the moment
// of the edit by the old plan. Then it writes the next generation of the
// schedule, which begins at that moment. All generations share the keys, so a
// bus that missed an edit cannot fire the same second again. But such a bus can
// create keys beyond the point that the new generation's walk has reached.
// Therefore a walk begins at the newest key of its own generation. A paused
// schedule has no nominal times, so a resumed schedule has no misfires from its
// pause.
//
// # Misfires
//
// A nominal time is a misfire in two cases: it passed while no bus was running,
// as far as the deciding bus knows, or the decision comes later than the
// schedule's misfire_after (60s by default). [bus.Schedule] describes the
// policies for misfires. A bus counts as running while it renews the lease or
// tries to. A bus that was stopped or suspended for longer than the TTL of the
// lease, or whose clock was set forward by more than that, was not running
// meanwhile. It does not lead until it has renewed the lease, and it treats the
// times that passed as misfires.
//
// After the death of a leader nobody leads until another running bus takes
// over. Times that pass meanwhile are not misfires within misfire_after.
// Otherwise a restart would lose a nightly fire of a schedule that skips
// misfires. Such times must not start many executions at once either: unless
// the policy is fire_all, only the newest of them fires.
//
// An edit does not catch up on misfires. It fires undecided times that are on
// time, by the same rules, and skips the others with the reason "edited",
// whatever the policy: a pause must not start what was missed last night.
//
// # Overlaps
//
// A schedule may make a nominal time wait for the end of the executions that it
// fired before. The key of such a fire is created as always, with the id of its
// execution, and the fire stays open: the queue needs no other storage, and a
// bus that takes over finishes it. Of the queued fires of a schedule a walk
// tries only the oldest one, and only if no execution of the schedule runs. The
// end of an execution starts a walk, and so does each renewal of the lease.
//
// # Runs of skipped times
//
// A long run of skipped misfires shares the key of its newest time. A time
// within that run may have a key of its own; that key decides it.
//
// There is one race: a bus that read the schedule just before an edit or a
// pause may still fire a time that it found due.
package scheduler
