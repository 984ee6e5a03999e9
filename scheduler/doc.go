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
// schedule fires nothing. The edit that ends a pause skips the times that passed
// during it with the reason "paused", unless the resumption asks to make up for
// them: then the next generation begins where the pause began.
//
// # Pauses of groups
//
// An application, or all schedules, can be paused too. Such a pause changes no
// schedule: it is a period in a record of its own in bucket pauses. While it is
// on, a walk decides nothing that is due after its beginning. When it has ended,
// what was due during it is skipped with the reason "paused", or if it ended with
// catch_up, is a misfire, however late it is. With a jitter, what counts is when a
// time is due, and not the nominal time.
//
// Pauses may overlap, also with that of a schedule: what was due is a misfire
// only if all of them ended with catch_up, and it waits until all have ended. An
// edit during a pause decides what has passed as paused: a later catch_up does
// not bring it back. Triggers wait for the end of a pause. What was decided
// before it goes on: open and queued fires, retries.
//
// A walk goes by the pauses as they are stored, as it does for calendars. Old
// periods are dropped once every time during them is decided.
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
// # Backfills
//
// A backfill fires nominal times that have passed and have no execution. It
// creates the keys of these times, or replaces decisions that skipped them by
// compare-and-set, so no time fires twice. The fires are open and wait, as those
// of a queue do. A walk starts the oldest as long as fewer executions of the
// backfill run than may run at the same time. Before it submits an execution it
// stores in the key that the fire was started: from then on the fire cannot be
// cancelled, and a bus that takes over counts it as running.
//
// Walks begin at keys with the generation of the schedule. The key of a time
// that only a backfill decided has no generation, so no walk begins there and
// skips undecided times before it. A walk that decides such a time finds the
// key, and adds its generation. If it wanted to store a run of skipped times
// with that key, it adds the run. Conversely, a backfill that replaces a skipped
// time keeps the generation and the run of its key.
//
// A time without a key may have had an execution, if its key has been purged.
// Therefore a backfill refuses times from which keys can have been purged.
//
// # Calendars
//
// A schedule may name a calendar. Its plan then consists of its times on
// business days, and of those that the substitution moved off holidays: package
// calendar computes both. The key of a moved fire is the second at which it
// fires, and its value names the first time that was moved there (from). A time
// on a holiday has no key, so a holiday costs no write. Preview explains such a
// time by computing it, with the calendar as it is now.
//
// A change of a calendar counts like an edit of all schedules that use it,
// directly or through another calendar. The bus that changes it first decides
// what is due by the old days (DecideBefore), and then writes the calendar with
// that moment as its Since. A walk begins no earlier than the Since of the
// schedule, of its calendar and of all calendars of which that is made. So what
// a holiday skipped does not fire because the day is a business day later on.
// The times of a pause are those by the calendar at its end.
//
// A walk goes by the calendars as they are stored: a bus whose read model lags
// behind asks for the newest revision in their bucket, and reads them. A bus
// that read them just before a change may still act by the old days, as for an
// edit. Because keys are shared, no second fires twice.
//
// A change on a weekend meets times that have passed but were moved to Monday.
// If the new days move them too, they fire when the new days say. If they fired
// already, because they were on business days then, the moved fire is skipped
// with the reason "decided". If they are no holidays any more, they do not fire:
// their time has passed.
//
// A deletion of a calendar looks for schedules that use it before and after it,
// and a schedule looks for its calendar before and after it is written. Of two
// that happen at once at least one is undone.
//
// There is one race: a bus that read the schedule just before an edit or a
// pause may still fire a time that it found due.
package scheduler
