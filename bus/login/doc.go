// Package login keeps the users of the control bus with their roles, checks
// their passwords, and issues what proves a login in later requests.
//
//	id, password --> argon2id --> token    30 minutes    Authorization: Token, Bearer
//	                          \-> session  until unused  Cookie
//	API key of a user, until revoked or expired          Authorization: Bearer
//
//	KV users, sessions --watch--> maps by id and by SHA-256 of a secret --> lookups
//
// Secrets are random. The buckets have only their SHA-256, and the argon2id
// hash of each password, so the content of the buckets lets nobody log in.
//
// All buses share the sessions, and a session outlives the bus that created it.
// A bus writes the last use of a session at most once a minute. A bus that did
// not see the last use may therefore end the session a minute early; the bus
// that saw it uses its own clock. The age limit of the bucket removes ended
// sessions. No decision depends on when it does that, because the values have
// the times.
//
// An API key may have limits: applications, a highest role, a time. Every request
// is checked against both the key and the roles that the user has then, so a key
// never allows more than its user.
//
// A user of a login provider is known by issuer and subject. Their id begins with
// the provider's and a dot, which no id of a user who was created here has, so
// neither can become the other. Each login replaces their roles.
//
// A session and a token have the time at which their user was created. They
// are not valid for a user who was created later under the same name. The last
// admin cannot be removed: removing a user expects the revision of the whole
// bucket, so two buses cannot remove one admin each.
package login
