// Package jobflow is the flow of control of Jakarta Batch 2.1: which element of
// a job runs next, when the job ends, and with which status. It knows nothing
// of what a step does. A [Runner] runs the bodies of steps and asks deciders.
//
//	            +--> step -----> Runner.RunStep ---+
//	element ----+--> decision -> Runner.Decide ----+--> exit status
//	   ^        +--> flow -----> elements ---------+        |
//	   |        +--> split ----> flows, in parallel+        v
//	   +-------- next ------------------------------- transitions
//	                                                        |
//	                                     end, fail, stop, no next: Outcome
//
// # Rules
//
// Numbers are sections of the specification.
//
//   - The first element in the order of the document starts (8.2.5). On a
//     restart, that is the element which the attribute restart of a stop has
//     named, if the previous execution ended there (10.8.4 rule 2).
//   - After an element, its transition elements are compared with its exit
//     status in the order of the document, even if a step has failed. Without a
//     match, a failed step fails the job, next goes on, and otherwise the scope
//     ends: the flow, or the job with COMPLETED (8.9.2, 8.9.4).
//   - end, fail and stop end the whole job, also inside a flow or a split
//     (8.9.4). They do not change the statuses of the step (8.7.1).
//   - No element may be reached twice in one execution, even if it is skipped:
//     the job fails (8.9.3).
//   - A completed step is skipped on a restart, and its old exit status decides
//     what follows, unless it has allow-start-if-complete (10.8.4 rules 3a, 3b).
//     Decisions always run again (rule 3d).
//   - start-limit counts the executions of a step in the whole job instance. If
//     it is reached, the job fails without a step execution and without a
//     transition (8.2).
//   - When the context ends, no further element starts, and the job is STOPPED
//     unless it is at its end. A step that has failed by then has still failed
//     (11.13).
//
// # Where the specification leaves a choice
//
//   - The exit status of a flow is that of its last element (8.9.5 leaves it
//     undefined). A flow that ends with a split has the exit status COMPLETED.
//   - If several flows of a split end the job, FAILED wins over STOPPED, and
//     STOPPED over COMPLETED (8.4.1). Between equal ones the first flow in the
//     order of the document wins. But if one flow was stopped on request and
//     another by an element stop, the restart begins at the first element,
//     because the first flow has work left.
//   - Each flow of a split has its own job context ([Runner.Fork]), as 9.4.1
//     says of threads. [Runner.Join] merges them in the order of the document,
//     so that the result does not depend on which flow was faster.
//   - A decider without an answer ends the job as failed: no transition matches
//     it, not even *.
//   - A decision behind a split gets the step executions in the order of the
//     document (9.6). A decision behind another one gets those of that one. If
//     a restart begins at a decision, the decider gets the earlier step
//     executions of the elements that lead to it.
package jobflow
