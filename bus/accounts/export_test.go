package accounts

// For tests of buses that stop or start in the middle of a revocation.
var (
	PublishEntry = (*Tokens).publishEntry
	RevokedToken = (*Tokens).revokedToken
	WaitForNewer = waitForNewer
)
