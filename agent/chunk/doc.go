// Package chunk runs the loop of a chunk step: it reads, processes and writes
// items, and commits after a number of them (8.2.1, 11.6 to 11.9). It does not
// know where a commit is stored.
//
//	open reader, open writer
//	for each chunk:
//	    BeforeChunk
//	    read, process   until the chunk is full or the input has ended
//	    write           unless there is nothing to write
//	    AfterChunk, checkpoints of reader and writer, commit
//	close writer, close reader
//
// # Rollback
//
// A retryable error rolls the chunk back: close writer, close reader, OnError,
// open writer, open reader, both with the checkpoints of the last commit. Then
// the items of that chunk are repeated with an item-count of 1, until the point
// of the failure has passed (8.2.1.4.4). A checkpoint algorithm is not asked
// during that time. An error that fails the step is rolled back in the same way,
// except that nothing is opened again.
//
// # Choices where the specification leaves one
//
// The writer is not called for a chunk whose items were all filtered. The chunk
// is committed all the same. An item counts for item-count when it has been
// read, even if it is filtered or its processing is skipped. A read that is
// skipped does not count.
//
// A rollback takes the counts of items and of skips back to those of the last
// commit, because the same items are read again. So each item and each skip
// counts once, also for skip-limit. The number of retries is kept, so
// retry-limit ends a loop.
//
// Both limits count from 0 in each step execution and in each partition. When
// an error is retryable and skippable and one of the limits is used up, the
// other one decides.
//
// An error of CheckpointInfo counts as a failed write, and so does an error of
// the commit, unless it wraps [ErrFinal]. Errors of Open, Close, listeners and
// checkpoint algorithms fail the step. A panic is an error of the class "panic".
//
// # Stop
//
// When the first context of [Step.Run] ends, the present item is finished, what
// is in the buffer is written and committed, and the step ends as stopped
// (11.13). Only ReadItem gets that context: a reader that waits for input can
// return its error, and then there is no present item.
package chunk
