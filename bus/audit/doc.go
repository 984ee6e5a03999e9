// Package audit stores who changed what: rows that are chained by their hashes,
// in a stream of its own.
//
//	row 16 --SHA-256--> row 17 --SHA-256--> row 18 = head
//	                    previous            previous
//
// A row holds the SHA-256 of the stored bytes of the row before, and its own
// number, which is its sequence in the stream. So [Verifier] finds a row that
// was changed, removed or moved. Nothing in the chain holds the hash of the last
// row, the head: somebody who can write to the stream can cut the tail, or
// write a new chain. A head that was kept elsewhere finds both.
//
// Any number of buses append to one chain. Each publishes a row with the
// sequence of the row before as the expected one. If another bus was faster, the
// broker refuses the row, and the bus chains it to the new head. If the cluster
// is storing a row of another bus, it decides nothing, and the bus tries again
// soon. If the outcome is unknown, the bus reads what has the number of the row.
// A row that arrives late is refused like any other: it names a sequence that is
// not the last any more. Rows that wait together are one atomic batch. They must
// not be published one by one without waiting: a sequence does not tell whose
// row has it, so that the second could follow a row of another bus.
//
// # What is guaranteed
//
// A change happens before its row is written: a row before each change would
// claim changes that were refused. [Log.Reserve] takes a place for the row before
// the change, and fails while rows cannot be stored; then nothing is changed.
//
//   - [Log.Append] blocks until the row is stored. Its caller reports a success
//     only then.
//   - [Log.AppendLater] returns at once. The row is stored after flushDelay at
//     the latest, if the broker stores it. A bus that is killed loses the rows of
//     this time. While the broker stores no rows, they wait in memory; once
//     maxWaiting rows wait, Reserve fails for all.
//   - [Log.AppendRefused] is for requests that changed nothing. It stores a
//     limited number of rows, and counts the others: see [Row.Omitted].
//
// A bus that stops stores the rows that wait. It logs those that it cannot
// store.
//
// # Old rows
//
// A purge of old rows first appends a row that states the anchor: number and
// hash of the last row that goes. A chain that does not begin with row 1 is
// complete only if one of its rows states that anchor.
package audit
