// Package monitor keeps what agents' heartbeats say of load and memory, for
// pictures of a day to a year.
//
//	heartbeats --once a minute--> the step of now, in memory
//	                                   |  average, when it is over
//	                                   v
//	              daily    5 min for a day         <agent>.daily
//	                 |  3 points to 1
//	              weekly  15 min for a week        <agent>.weekly
//	                 |  4 points to 1
//	              monthly  1 h for 31 days         <agent>.monthly
//	                 |  6 points to 1
//	              yearly   6 h for 366 days        <agent>.yearly
//
// One bus does it, under a lease. Memory has a step and no history: an archive
// is read, a point longer and written by compare-and-set once each of its
// steps, and the coarser one is made of the finer one. So whoever has the lease
// next, after a restart too, goes on from what is there; two that both think
// they have it write the same step once. What can be lost is the step of the
// moment: five minutes.
//
// An agent that is away has gaps. They are written when it is back; until then
// its archives end where it left. The broker removes what nobody wrote for a
// year.
package monitor
