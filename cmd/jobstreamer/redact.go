package main

import (
	"net/url"
	"strings"
)

// shown is a list of URLs without what may be secret in them.
func shown(urls string) string {
	list := strings.Split(urls, ",")
	for i, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil {
			list[i] = "(not a URL)"
			continue
		}
		list[i] = u.Redacted()
		if u.User != nil {
			if _, ok := u.User.Password(); !ok { // a token stands where the name would be
				u.User = url.User("xxxxx")
				list[i] = u.String()
			}
		}
	}
	return strings.Join(list, ",")
}
