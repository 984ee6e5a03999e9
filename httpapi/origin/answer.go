package origin

import "net/http"

// ProtectAnswer sets the headers that tell browsers and caches what they must
// not do with an answer. A handler may replace Cache-Control.
func ProtectAnswer(h http.Header) {
	// Jobs write output and users upload jars: none of it is a page.
	h.Set("X-Content-Type-Options", "nosniff")
	// No answer needs scripts, pictures or frames, and none is one in a page of
	// others. The pages of net/http/pprof have styles.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer") // paths name applications and jobs
	h.Set("Cache-Control", "no-store")      // answers depend on the login, and on the moment
}
