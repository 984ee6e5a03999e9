// Package objects keeps immutable content in a JetStream object store. The name
// of an object is the SHA-256 of its content.
//
//	chunks, few in flight --> all acknowledged --> meta, only if there is none --> the object exists
//
// Every NATS client can read the store, and so can `nats object`. This package
// does not use the client library's own Put, which sends the metadata along
// with the chunks, and replaces what another writer has stored meanwhile; the
// chunks of that writer then stay for ever. Here, a writer that dies leaves
// unreferenced chunks for [Store.Clean], and the second of two writers of the
// same content finds that it exists.
package objects
