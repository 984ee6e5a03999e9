// Package bus defines the domain's types (App, Job, Schedule, Agent, Execution
// ...) and stores them: typed stores on the key-value buckets of JetStream, the
// streams of requests, results and logs, and the topology that creates and
// migrates both.
//
//	apps jobs schedules agents                definitions, written by the REST API
//	executions fires locks idempotency        the state of dispatch, written by compare-and-set only
//	step_data                                 what steps keep for a restart, by job instance
//	leases counters                           who does a leased task, the next free execution id
//	secrets                                   of applications, encrypted
//	samples                                   average load and memory of agents
//
// JetStream is the only store. Any number of control buses share it, and any of
// them may die between two instructions. Every write therefore names the
// revision or sequence that it was decided on. If the broker refuses a write
// ([ErrChanged]), the bus reads again and decides again. If the outcome of a
// write is unknown, the bus sends the same write again.
//
// The bus creates its buckets without direct reads; the client library would
// allow them. At three replicas, a replica that lags may answer a direct read:
// 25 of 3,000 reads right after an acknowledged write were stale. Most reads
// here lead to a decision. Lists and searches come from the read model (package
// index) instead.
package bus
