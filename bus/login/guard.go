package login

// Guard delays those who guess a secret that many programs share, as
// [Service.Login] delays those who guess passwords.
type Guard struct {
	secret   string // its name, one for all attempts
	throttle *throttle
}

// NewGuard returns a guard of one secret, which has a name. It does not limit
// how many new addresses may try at once, as the logins of a user do: the secret
// is random, and many clients share it.
func NewGuard(name string) *Guard { return &Guard{name, newThrottle(0)} }

// Check returns nil if isRight does. Else the error is [ErrWrong], or a
// [PausedError] without a call of isRight.
func (g *Guard) Check(address string, isRight func() bool) error {
	a := &Attempt{ID: g.secret, Address: address}
	if wait := g.throttle.admit(a); wait > 0 {
		return &PausedError{wait}
	}
	if !isRight() {
		g.throttle.fail(a)
		return ErrWrong
	}
	g.throttle.succeed(a)
	return nil
}
