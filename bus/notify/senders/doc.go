// Package senders sends messages by webhook, by mail and to chats. It knows no
// NATS: package notify decides what is sent, and when again.
//
//	type "ops"              --> the sender ops of the file
//	type "mail:a@b.example" --> the sender mail, with a recipient of its own
//
// # Who names targets
//
// An operator names all targets in a file that the control bus reads at its
// start. Users of the REST API, admins among them, name senders only. So nobody
// can use the control bus to reach addresses of its network: no request can
// make it connect to a host that the file does not name. A webhook follows no
// redirects, which would let the target choose another host. The only part of a
// target that a user can choose is the recipient of a mail, within the patterns
// of allow-to.
//
// # Secrets
//
// Secrets stand in files of their own, which are read again for each message, so
// that a changed secret needs no restart. They never reach a log, an error or an
// answer: errors of the HTTP client, which contain the URL, are stripped of it,
// and the URL of a chat's webhook counts as a secret. The parameters of an
// execution, which may be secrets, are in no message of this package.
package senders
