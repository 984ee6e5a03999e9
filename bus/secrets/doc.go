// Package secrets keeps the secrets of applications, encrypted, and gives them
// to the agents that run their jobs.
//
//	REST: set --> encrypt --> bucket secrets --> decrypt --> seal for one request --> agent
//	                 ^                              ^              ^
//	              first key of the file      any key of it    public key of the request
//
// A value is encrypted with AES-256-GCM. The additional data name application
// and secret, so a value that was moved to another key of the bucket does not
// decrypt. The keys are in a file, not in JetStream: whoever has the data of the
// broker, or a backup of it, has no secret.
//
// # Keys
//
// All buses on one NATS have the same file. Its first key encrypts, all of them
// decrypt. The bucket names the key that buses encrypt with ([bus.SecretKeyMark]).
// A bus whose file lacks that key stores no secret: the other buses could not
// read it. So two buses that were started with different files do not mix their
// keys. The first of them that stores a secret decides.
//
// A bus encrypts again at its start what is encrypted with another key of its
// file than the first. See docs/security.md for the order in which an operator
// replaces a key.
//
// # Answers to agents
//
// An agent asks on a subject that ends with its name; NATS keeps others from it.
// The bus answers if the newest result of the execution says that this agent
// runs this attempt. It does not rely on the record of the execution, which may
// be behind the results. The answer is sealed for a public key that the agent
// drew for the request, because operators may watch the messages of the bus.
//
// A bus without keys answers, too: which secrets an application does not have,
// or that the agent should ask again, because another bus may have the keys.
package secrets
