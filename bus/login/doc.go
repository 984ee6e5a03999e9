// Package login knows who may use the control bus: users with their roles, and
// what they prove themselves with.
//
//	id, password --> argon2id --> token    30 minutes    Authorization: Token, Bearer
//	                          \-> session  until unused  Cookie
//	API key of a user, valid until it is revoked         Authorization: Bearer
//
//	KV users, sessions --watch--> maps by id and by SHA-256 of the secret --> one look a request
//
// Secrets are random and are kept as their SHA-256, passwords as argon2id:
// whoever reads the buckets gets in with nothing of it. Sessions are shared by
// all buses and outlive them. That one was used is written at most once a
// minute, so a bus that did not see the last use may end it a minute early; the
// bus that did see it goes by its own clock. NATS takes away what has ended
// (the bucket's age limit); nothing hangs on when it does, since the times are
// in the values.
//
// A user who was removed takes everything along: sessions and tokens name the
// time at which their user was made, and one who is made later under the same
// name is another. The last admin stays: the removal of a user expects the
// revision of the whole bucket, so two buses cannot remove one each.
package login
