package v1

import (
	"encoding/json"
	"strings"
)

// SessionCookie is the cookie of a login.
const SessionCookie = "ring-session"

// ReadsOnlyEDN reports whether a request, whose Accept names no format, is one
// of a v1 client. The console and the Maven plugin send EDN, or nothing but the
// token or the cookie that they got at login. The diagram editor of the console
// sends neither if no login is needed.
func ReadsOnlyEDN(header func(string) string, path string) bool {
	media, _, _ := strings.Cut(header("Content-Type"), ";")
	origin := header("Origin")
	return strings.EqualFold(strings.TrimSpace(media), "application/edn") ||
		SendsToken(header("Authorization")) ||
		origin != "" && (strings.HasSuffix(path, "/batch-components") || strings.Contains(header("Cookie"), SessionCookie+"=")) ||
		strings.HasSuffix(path, "/download")
}

// SendsToken reports whether a header Authorization is that of a v1 client. The
// Maven plugin is one: it names an application after its project, whatever that
// is called, and deploys into the default one.
func SendsToken(authorization string) bool { return strings.HasPrefix(authorization, "Token ") }

// IsLogin reports whether the body of a login, which begins with head, has
// keywords for keys: a client that writes those reads EDN.
func IsLogin(head []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(head, &members) != nil {
		return false
	}
	for name := range members {
		if strings.Contains(name, "/") {
			return true
		}
	}
	return false
}
