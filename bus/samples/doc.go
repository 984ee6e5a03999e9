// Package samples stores the load and memory samples from agents' heartbeats,
// for charts of a day up to a year.
//
//	heartbeats --once a minute--> the current step, in memory
//	                                   |  average, at the end of the step
//	                                   v
//	              daily    5 min for a day         <agent>.daily
//	                 |  3 points to 1
//	              weekly  15 min for a week        <agent>.weekly
//	                 |  4 points to 1
//	              monthly  1 h for 31 days         <agent>.monthly
//	                 |  6 points to 1
//	              yearly   6 h for 366 days        <agent>.yearly
//
// One bus samples, under a lease. It holds only the current step in memory. At
// the end of each step it reads an archive, adds a point and writes it by
// compare-and-set. It computes a coarser archive from the next finer one. So
// the next holder of the lease continues from the stored archives, also after a
// restart. Two buses that both believe they hold the lease write the same step
// once. A crash loses at most the current step: five minutes.
//
// While an agent is away its archives end where it left. When it is back, the
// bus writes gaps for the missing steps. The broker removes an archive that has
// not been written for a year.
package samples
