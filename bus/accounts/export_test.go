package accounts

import (
	"slices"

	"github.com/nats-io/jwt/v2"
)

// For tests of buses that stop or start in the middle of a revocation.
var (
	PublishEntry = (*Tokens).publishEntry
	RevokedToken = (*Tokens).revokedToken
	WaitForNewer = waitForNewer
)

// ClaimsWithout returns the claims of an account without the import of a
// subject.
func ClaimsWithout(k *Keys, claims, subject string) (string, error) {
	c, err := jwt.DecodeAccountClaims(claims)
	if err != nil {
		return "", err
	}
	c.Imports = slices.DeleteFunc(c.Imports, func(i *jwt.Import) bool { return string(i.Subject) == subject })
	return c.Encode(k.operator)
}
