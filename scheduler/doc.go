// Package scheduler decides when jobs fire, and makes each fire happen once.
//
//	timer, start, lease, edit: wake          bucket fires: <app>.<job>.<second>
//	             |                                        |
//	schedule --> plan --> due, misfire policy --> create-only key --> execution with the key's id
//	             ^                                        |                        |
//	    newest key of the generation <--------------------+     open: the key is there, no record
//
// A nominal time is a time that a schedule asked for. It is decided once, by
// creating its key: either the key names an execution, whose id was drawn
// before, or it says why there is none. Nothing else makes a fire happen, and
// nothing but the plan says which times there are: a timer only wakes the walk,
// which goes through the plan from the newest decision of the schedule's
// present generation, or from where the generation began, to now.
//
// Any number of buses may run a scheduler. The lease only saves work: two buses
// that both think they lead still fire once, because only one of them can
// create the key. A bus can die, or lose an acknowledgement, between any two
// steps:
//
//   - before the key, the walk of another bus finds the time undecided;
//   - between the key and the execution's record, the fire is open, and the walk
//     finishes it with the id that the key names. So the record is made again,
//     never a second execution;
//   - a bus that was paused there reads the key again, since the execution may
//     have ended and its record been removed meanwhile. A bus that removes a
//     record closes its fire's key first.
//
// An edit (Set, Pause, Resume, Remove) lets the walk come to the moment of the
// edit by the old plan, then writes the next generation, which begins at that
// moment. All generations share the keys: a bus that missed an edit cannot fire
// a second twice. But it can leave keys that the new generation's walk has not
// come to, hence a walk begins at the newest key of its own generation. While a
// schedule is paused it asks for nothing, so nothing is made up for.
//
// # Misfires
//
// A nominal time is a misfire if it passed while no bus ran, as far as the bus
// that decides it knows, or if it is decided later than the schedule's
// misfire_after (60s if it says nothing). [bus.Schedule] says what then becomes
// of it. A bus runs while it renews the lease, or tries to. One that was
// stopped, suspended, or had its clock set forward by more than the lease's
// time did not run meanwhile, does not lead until it has renewed the lease, and
// treats what passed as misfires.
//
// Between the death of a leader and the takeover by a bus that ran all the time
// nobody leads. What passes then is no misfire within misfire_after, or one
// restart would lose a nightly fire of a schedule that skips misfires. But many
// fires are not made at once: unless the policy is fire_all, only the newest of
// these times is fired.
//
// An edit makes up for nothing: what it finds undecided is fired if it is on
// time, by the same rules, and else skipped as edited, whatever the policy. A
// pause must not start what was missed last night.
//
// A long run of misfires that are skipped shares the key of its newest time; a
// time within it that has a key of its own was decided by that.
//
// What can be lost: a fire that is decided by a bus which read the schedule
// just before an edit or a pause still happens.
package scheduler
