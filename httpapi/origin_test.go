package httpapi

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// jar is the body of an upload as a form in a page sends it.
const jar = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jar\"\r\n\r\nPK\r\n--x--\r\n"

// Without a login a page in a browser can start no job, whatever it leaves out
// of its request. Programs go on as before.
func TestPagesWithoutLogin(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201) // a program that says no Content-Type
	evil := []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"a job without a Content-Type", "POST", "/default/jobs", job1, evil, 403},
		{"a job as JSON", "POST", "/default/jobs", job1, append([]string{"Content-Type", "application/json"}, evil...), 403},
		{"a job as text", "POST", "/default/jobs", job1, append([]string{"Content-Type", "text/plain"}, evil...), 403},
		{"an execution", "POST", "/default/job/JOB-1/executions", "", evil, 403},
		{"an execution for an older browser", "POST", "/default/job/JOB-1/executions", "", evil[:2], 403},
		{"an execution for a browser that tells no origin", "POST", "/default/job/JOB-1/executions", "", evil[2:], 403},
		{"an execution of a sandboxed page", "POST", "/default/job/JOB-1/executions", "", []string{"Origin", "null"}, 403},
		{"an execution of another port", "POST", "/default/job/JOB-1/executions", "", []string{"Origin", "http://localhost:3001", "Sec-Fetch-Site", "same-site"}, 403},
		{"an execution with a token that nobody gave out", "POST", "/default/job/JOB-1/executions", "", append(bearing("x"), evil...), 403},
		{"a jar", "POST", "/default/batch-components", jar, append([]string{"Content-Type", "multipart/form-data; boundary=x"}, evil...), 403},
		{"a user", "POST", "/user", `{"id":"eve","password":"correct horse","role":"admin"}`, evil, 403},
		{"a login", "POST", "/auth", `{"id":"eve","password":"correct horse"}`, evil, 403},
		{"a logout", "DELETE", "/auth", "", evil, 403},
		{"a path that is none", "POST", "/none/of/this", "", evil, 403},
		{"a preview", "POST", "/schedule/preview", `{"cron_notation":"0 0 0 * * ?"}`, evil, 403},
		{"a list, which it cannot read", "GET", "/default/jobs", "", evil, 200},
		{"an execution of the allowed page", "POST", "/default/job/JOB-1/executions", "", []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 201},
		{"an execution of a page of the bus", "POST", "/default/job/JOB-1/executions", "", []string{"Origin", e.http.URL, "Sec-Fetch-Site", "same-origin"}, 201},
		{"an execution of a program", "POST", "/default/job/JOB-1/executions", "", bearing("x"), 201},
		{"a job of a program without a Content-Type", "POST", "/default/jobs", job1, nil, 201},
	} {
		r := e.call(c.method, c.path, c.body, append([]string{"Accept", "application/json"}, c.headers...)...)
		if r.status != c.status {
			t.Errorf("%s: %s = %d %s, want %d", c.name, r.asked, r.status, r.body, c.status)
		}
		if c.status == 403 {
			r.code(403, "cross_origin")
		}
	}
}

// A page whose own name leads to this bus (DNS rebinding) is of the same
// origin, but it says its own name.
func TestHosts(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.HostNames = []string{"Jobs.example.com", "bus", "192.0.2.7", "2001:db8::7"} })
	_, port, _ := net.SplitHostPort(e.http.Listener.Addr().String())
	for host, status := range map[string]int{
		"localhost": 200, "localhost:" + port: 200, "LOCALHOST:1": 200, "localhost.": 200, "jobs.localhost:80": 200,
		"127.0.0.1": 200, "127.8.9.10:1": 200, "[::1]": 200, "[::1]:" + port: 200, "[::ffff:127.0.0.1]": 200,
		"jobs.example.com": 200, "JOBS.example.com.:443": 200, "bus:45102": 200, "192.0.2.7:1": 200, "[2001:db8::7]:1": 200,
		"evil.example": 421, "evil.example:" + port: 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "notlocalhost": 421,
		"0.0.0.0:" + port: 421, "192.0.2.8": 421, "[::]": 421, "x.jobs.example.com": 421, "2130706433": 421,
	} {
		for _, path := range []string{"/default/jobs", "/", "/healthcheck", "/none/of/this"} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", e.http.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = host
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if want := map[bool]int{true: 404, false: status}[status == 200 && path == "/none/of/this"]; res.StatusCode != want {
				t.Errorf("GET %s of the host %s = %d, want %d", path, host, res.StatusCode, want)
			}
		}
	}
	t.Run("the answer says what helps", func(t *testing.T) {
		r, err := http.NewRequest("PUT", e.http.URL+"/app/default", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example:80"
		r.Header.Set("Origin", "http://evil.example:80")
		got := e.send(r).code(421, "wrong_host")
		if want := "--host-name evil.example"; !strings.Contains(string(got.body), want) {
			t.Errorf("%s, want %s in it", got.body, want)
		}
	})
	t.Run("a probe that says no host", func(t *testing.T) { // HTTP/1.0; every browser says one
		conn, err := net.Dial("tcp", e.http.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		head := make([]byte, len("HTTP/1.0 200"))
		if _, err := conn.Write([]byte("GET /healthcheck HTTP/1.0\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(head); err != nil || string(head) != "HTTP/1.0 200" {
			t.Errorf("%s, %v", head, err)
		}
	})
}

// With a login the token or cookie decides, which no page of another name has.
func TestHostsWithLogin(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := e.user("admin", bus.RoleAdmin)
	r, err := http.NewRequest("GET", e.http.URL+"/default/jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "jobs.example.com"
	r.Header.Set("Authorization", "Bearer "+admin.Token)
	e.send(r).want(200)
}

// With a login, what needs none is not for pages of others either.
func TestOtherOriginsOfOpenRoutes(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := e.user("admin", bus.RoleAdmin)
	evil := []string{"Origin", "http://evil.example", "Accept", "application/json"}
	e.call("POST", "/auth", `{"id":"admin","password":"correct horse"}`, evil...).code(403, "cross_origin")
	e.call("DELETE", "/auth", "", append(byCookie(admin), evil...)...).code(403, "cross_origin")
	e.call("DELETE", "/auth", "", append(bearing("x"), evil...)...).code(403, "cross_origin")
	e.call("POST", "/default/jobs", job1, append(bearing("x"), evil...)...).code(403, "cross_origin")
	e.call("GET", "/default/jobs", "", append(byCookie(admin), evil...)...).want(200)
	e.call("DELETE", "/auth", "", append(bearing(admin.Token), evil...)...).want(204)
}

func TestProviderWithoutConsole(t *testing.T) {
	s, _ := fakeServer()
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, httptest.NewRequest("GET", "/oauth/github", nil)); w.Code != 404 {
		t.Errorf("a provider without a console = %d, want 404", w.Code)
	}
}
