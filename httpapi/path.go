package httpapi

import (
	"net/url"
	"strings"
)

// canonicalPath returns u with the one spelling of its path that the router
// compares. RFC 3986 section 6.2.2.2: %6f01 is o01. A slash that is a part of a
// name stays encoded, and then all of the path is routed in its encoded form.
func canonicalPath(u *url.URL) *url.URL {
	segments := strings.Split(u.EscapedPath(), "/")
	slash := false
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil { // net/url has parsed it before
			return u
		}
		slash = slash || strings.Contains(name, "/")
		segments[i] = url.PathEscape(name)
	}
	same := *u
	same.RawPath = ""
	if slash {
		same.RawPath = strings.Join(segments, "/")
	}
	return &same
}
