package accounts

import (
	"fmt"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// share is a subject that the bus's account shares with another account.
type share struct {
	subject  string
	stream   bool // from the bus; otherwise a service: requests to the bus
	response jwt.ResponseType
}

// exported are the subjects that the bus's account may share. Each import needs
// a token that the bus's account has signed and that names its own subject,
// which is narrower.
var exported = []share{
	{subject: subjects.AllResults},
	{subject: subjects.AllLogs},
	{subject: subjects.AllHeartbeats},
	{subject: subjects.AllAnswers},
	{subject: subjects.AllSecretRequests},
	{subject: "jobstreamer.>", stream: true},
	{subject: jetio.PullSubject("*", "*"), response: jwt.ResponseTypeStream},
	{subject: jetio.AckSubject("*") + ".>", response: jwt.ResponseTypeStream},
	{subject: jetio.DirectGetSubject("*") + ".>"},
	{subject: jetio.APISubject("INFO")},
	{subject: jetio.APISubject("STREAM.*")},
	{subject: jetio.APISubject("STREAM.INFO.*")},
	{subject: jetio.APISubject("CONSUMER.*.*")},
	{subject: jetio.APISubject("CONSUMER.INFO.*.*")},
}

// Grant is what an agent may do.
type Grant struct {
	Agent string
	Apps  []string
	Pools []string // empty: all
}

// shares returns the subjects that an agent needs.
func (g *Grant) shares() []share {
	all := []share{
		{subject: subjects.HeartbeatSubject(g.Agent)},
		{subject: subjects.AnswerSubject(g.Agent, ">")},
		{subject: subjects.CommandSubject(g.Agent, "*"), stream: true},
	}
	for _, app := range g.Apps {
		stream := subjects.RequestStream(app)
		all = append(all,
			share{subject: subjects.ResultsBy(app, g.Agent)},
			share{subject: subjects.LogsBy(app, g.Agent)},
			share{subject: subjects.SecretSubject(app, g.Agent)},
			share{subject: jetio.AckSubject(stream) + ".>", response: jwt.ResponseTypeStream},
			share{subject: jetio.DirectGetSubject(subjects.ResultsStream) + "." + subjects.ResultsOfApp(app)},
		)
		for _, consumer := range g.consumers() {
			all = append(all, share{subject: jetio.PullSubject(stream, consumer), response: jwt.ResponseTypeStream})
		}
	}
	return all
}

// Size returns the number of subjects that an agent with a grant needs. With the
// longest names, each takes about 2 KB of its account's claims.
func (g *Grant) Size() int { return len(g.shares()) }

// MaxSize is the greatest size of a grant. A nats-server accepts claims of up to
// 1 MiB.
const MaxSize = 400

// consumers returns the consumers from which an agent may pull.
func (g *Grant) consumers() []string {
	if len(g.Pools) == 0 {
		return []string{"*"}
	}
	var all []string
	for _, pool := range g.Pools {
		for _, priority := range subjects.Priorities() {
			all = append(all, subjects.RequestConsumer(pool, priority))
		}
	}
	return all
}

// looked are the subjects of people who look at the bus: its own messages, and
// the state of its streams and consumers. They are not what is stored, since
// that includes passwords and the sessions of users.
var looked = []share{
	{subject: "jobstreamer.>", stream: true},
	{subject: jetio.APISubject("INFO")},
	{subject: jetio.APISubject("STREAM.LIST")},
	{subject: jetio.APISubject("STREAM.NAMES")},
	{subject: jetio.APISubject("STREAM.INFO.*")},
	{subject: jetio.APISubject("CONSUMER.LIST.*")},
	{subject: jetio.APISubject("CONSUMER.NAMES.*")},
	{subject: jetio.APISubject("CONSUMER.INFO.*.*")},
	{subject: jetio.DirectGetSubject(subjects.ResultsStream) + ".>"},
	{subject: jetio.DirectGetSubject(subjects.LogsStream) + ".>"},
}

// Operator returns the signed token of the operator.
func (k *Keys) Operator() (string, error) {
	c := jwt.NewOperatorClaims(publicOf(k.operator))
	c.Name, c.SystemAccount = "jobstreamer", k.SystemAccount()
	return c.Encode(k.operator)
}

// Accounts returns the signed tokens of the accounts that are always there, by
// account.
func (k *Keys) Accounts() (map[string]string, error) {
	system := jwt.NewAccountClaims(k.SystemAccount())
	system.Name = "SYS"
	bus := jwt.NewAccountClaims(k.BusAccount())
	bus.Name = "BUS"
	bus.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit,
		MaxAckPending: jwt.NoLimit, MemoryMaxStreamBytes: jwt.NoLimit, DiskMaxStreamBytes: jwt.NoLimit,
	}
	for _, s := range exported {
		e := &jwt.Export{Name: s.subject, Subject: jwt.Subject(s.subject), Type: s.kind(), TokenReq: true, ResponseType: s.response}
		bus.Exports.Add(e)
	}
	look := jwt.NewAccountClaims(publicOf(k.look))
	look.Name = "LOOK"
	if err := k.importShares(look, looked); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, c := range []*jwt.AccountClaims{system, bus, look} {
		token, err := c.Encode(k.operator)
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", c.Name, err)
		}
		all[c.Subject] = token
	}
	return all, nil
}

func (s *share) kind() jwt.ExportType {
	if s.stream {
		return jwt.Stream
	}
	return jwt.Service
}

// importShares adds imports to an account, each with the token that permits it.
func (k *Keys) importShares(c *jwt.AccountClaims, all []share) error {
	for _, s := range all {
		permit := jwt.NewActivationClaims(c.Subject)
		permit.ImportSubject, permit.ImportType = jwt.Subject(s.subject), s.kind()
		token, err := permit.Encode(k.bus)
		if err != nil {
			return fmt.Errorf("permit %s: %w", s.subject, err)
		}
		c.Imports.Add(&jwt.Import{Name: s.subject, Subject: jwt.Subject(s.subject), Account: k.BusAccount(), Token: token, Type: s.kind()})
	}
	return nil
}

// agentConnections is how many connections an agent may have. Those that are
// lost count until the server notices.
const agentConnections = 16

// agentAccount returns the signed token of an agent's account. Besides the key
// of the account, the signers may sign users of it.
func (k *Keys) agentAccount(account string, g *Grant, signers ...string) (string, error) {
	c := jwt.NewAccountClaims(account)
	c.Name = g.Agent
	c.Limits.Conn, c.Limits.LeafNodeConn, c.Limits.DisallowBearer = agentConnections, 0, true
	c.SigningKeys.Add(signers...)
	if err := k.importShares(c, g.shares()); err != nil {
		return "", err
	}
	return c.Encode(k.operator)
}

// revokedAccount returns the signed token of an account that nobody may use any
// more.
func (k *Keys) revokedAccount(account string) (string, error) {
	c := jwt.NewAccountClaims(account)
	c.Limits.Conn = 0
	c.RevokeAt(jwt.All, time.Now())
	return c.Encode(k.operator)
}

// newUser makes a user of an account. It is good until expires, or without end
// if expires is zero.
func newUser(account nkeys.KeyPair, name string, expires time.Time) (token string, key nkeys.KeyPair, err error) {
	if key, err = nkeys.CreateUser(); err != nil {
		return "", nil, err
	}
	token, err = userClaims(publicOf(key), name, expires).Encode(account)
	return token, key, err
}

// userClaims returns the claims of a user with a public key.
func userClaims(key, name string, expires time.Time) *jwt.UserClaims {
	c := jwt.NewUserClaims(key)
	c.Name = name
	if !expires.IsZero() {
		c.Expires = expires.Unix()
	}
	return c
}

// connectAs returns the option of a connection as a new user of an account.
func connectAs(account nkeys.KeyPair, name string) (nats.Option, error) {
	token, key, err := newUser(account, name, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("make the user %s: %w", name, err)
	}
	return nats.UserJWT(
		func() (string, error) { return token, nil },
		func(nonce []byte) ([]byte, error) { return key.Sign(nonce) },
	), nil
}

// ConnectBus returns the option of a connection of the bus.
func (k *Keys) ConnectBus() (nats.Option, error) { return connectAs(k.bus, "bus") }

// ConnectSystem returns the option of a connection to the system account.
func (k *Keys) ConnectSystem() (nats.Option, error) { return connectAs(k.system, "bus") }

// LookCredentials returns a file of credentials for people who look at the bus.
// With full they may do everything that the bus may do.
func (k *Keys) LookCredentials(full bool) ([]byte, error) {
	account, name := k.look, "look"
	if full {
		account, name = k.bus, "full"
	}
	token, key, err := newUser(account, name, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("make the user %s: %w", name, err)
	}
	return jwt.FormatUserConfig(token, []byte(seedOf(key)))
}
