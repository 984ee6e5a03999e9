// Package bus holds the words of the domain (App, Job, Schedule, Agent, Execution ...) and what keeps
// them: typed stores on the key-value buckets of JetStream, the streams of requests, results and logs,
// and the topology that creates and migrates both.
//
//	apps jobs schedules agents                definitions, written by the REST API
//	executions fires locks idempotency        the state of dispatch, written by compare-and-set only
//	leases counters                           who does a chore, which execution ids are free
//	samples                                   what agents did, on average
//
// JetStream is the only store. Any number of control buses share it, and any of them may die between two
// instructions; so every write names the revision or the sequence that it was decided on, and whoever is
// refused reads again and decides anew ([ErrChanged]). A write whose outcome is not known is repeated as it was.
//
// Buckets are made without direct reads, unlike the client library's own: at three replicas a direct read may
// be answered by a replica that lags (25 of 3,000 reads right after an acknowledged write were stale), and
// most of what is read here decides something. Lists and searches come from the read model (package index) instead.
package bus
