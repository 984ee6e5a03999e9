package agent

import (
	"net/url"
	"strings"
)

// Redacted replaces the secrets in a list of NATS URLs: passwords, and tokens,
// which stand in place of the user name.
func Redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			list[i] = "(not a URL)"
			continue
		}
		if u.User != nil {
			if _, ok := u.User.Password(); !ok {
				u.User = url.User("xxxxx")
			}
		}
		list[i] = u.Redacted()
	}
	return strings.Join(list, ",")
}
