// Package jetio writes to and reads from JetStream: acknowledged messages with
// an expected sequence, batches of them, and single stored messages read from a
// stream's leader. It knows nothing of jobs.
//
//	Publish -> in flight -> stored              done(seq, nil)
//	                     -> refused             ErrChanged: decide again
//	                     -> cannot be decided   sent again, until AckTimeout
//	                     -> no answer           ErrUnknown: send the same again
//	                     -> no room, no broker  ErrFull, ErrAway: nothing was stored
//
// The broker's prefixes of subjects and streams appear only here (names.go); a
// test holds that.
package jetio
