// Package deploy puts batch applications on the bus: their class paths, and
// what their jobs can name.
//
//	file URLs --> jars, folders as jars --+
//	                                      +--> object store --> scan --> revision --> current
//	uploads ----> spool, check -----------+    by SHA-256               (created)   (moved)
//
// A deployment is a revision: a list of jars and what a scan of them found. It
// never changes, and nothing that fails before the pointer moves is seen by
// anybody: the old revision stays. A bus that dies between record and pointer
// leaves a revision that is not current. Numbers are not used twice, not even
// when an application is removed and made again.
//
// Jars are stored once, whatever application names them and however often. No
// jar is ever in memory: one is hashed from its file, stored in chunks, and
// fetched back to a file for the scan, so that what was scanned is what is
// stored.
//
// What nobody names any more goes by age: whoever is about to name a jar
// touches it, and only what nobody touched for an hour is removed, by
// compare-and-set. An upload and a deployment have that hour.
package deploy
