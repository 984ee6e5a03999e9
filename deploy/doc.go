// Package deploy stores the class paths of batch applications on the bus, and
// the components that their jobs can name.
//
//	file URLs --> jars, folders as jars --+
//	                                      +--> object store --> scan --> revision --> current
//	uploads ----> spool, check -----------+    by SHA-256               (created)   (moved)
//
// A deployment creates a revision: a list of jars and the result of scanning
// them. A revision never changes. A deployment that fails before the pointer
// moves has no visible effect: the old revision stays current. A bus that dies
// between writing the record and moving the pointer leaves a record that is not
// current. Revision numbers are never reused, even if an application is removed
// and created again.
//
// A folder is opened as an [os.Root], so no link leads out of it. Type and
// place of each file are checked after it was opened: see openFile.
//
// Each jar is stored once, no matter how many applications use it. A jar is
// never held in memory as a whole: the bus hashes it from its file, stores it
// in chunks, and fetches it back into a file for the scan. So the scan reads
// exactly the bytes that are stored.
//
// A sweep removes unreferenced jars by age. A deployment or an upload touches
// each jar before it refers to it. The sweep removes, by compare-and-set, only
// jars that were not touched for an hour, so an upload and its deployment have
// an hour to finish.
package deploy
