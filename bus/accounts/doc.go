// Package accounts keeps agents apart from the bus on NATS. The bus has a NATS
// account of its own, and so has each agent. An agent's account imports the few
// subjects that the agent needs, and nothing else:
//
//	account of an agent                     account of the bus
//	results, output, heartbeats     ---->   JetStream, the bus
//	pulls, acknowledgements         ---->   the queues of its applications
//	answers to commands             ---->   the bus
//	requests for secrets            ---->   the bus
//	commands                        <----   the bus
//
// Permissions alone would not keep an agent apart. NATS checks the subject of a
// message against them, but not its reply subject, and JetStream answers to any
// reply subject with the rights of the server. In an account of its own, an
// agent's reply subjects lie in that account.
//
// The accounts are JSON Web Tokens that a NATS operator has signed. [Keys] are
// the secret keys of the operator and of the accounts that are always there.
// [Tokens] makes accounts for agents, and revokes them.
package accounts
