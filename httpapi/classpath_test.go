package httpapi

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// An admin of all applications deploys each folder of the bus's machine but the
// data folder, whoever else may deploy those below a root, and a watcher none.
// A refusal does not tell whether the file exists.
func TestClassPathPermission(t *testing.T) {
	e := newEnv(t, withLogin)
	dir := t.TempDir()
	shop, data, secret := filepath.Join(dir, "classes", "shop"), filepath.Join(dir, "data"), filepath.Join(dir, "secret")
	for _, folder := range []string{shop, data, secret} {
		writeFile(t, filepath.Join(folder, "a", "B.class"), class("a/B", "javax/batch/api/Batchlet"))
	}
	withRoots := func(roots ...string) {
		d, err := deploy.New(deploy.Config{Bus: e.bus, Objects: bustest.Artifacts(t, e.bus), TempDir: t.TempDir(), Roots: roots, Closed: []string{data}})
		if err != nil {
			t.Fatal(err)
		}
		e.server.cfg.Deployments = d
	}
	withRoots()
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	operator, watcher := bearing(e.user("operator", bus.RoleOperator).Token), bearing(e.user("watcher", bus.RoleWatcher).Token)
	e.call("PUT", "/app/billing", `{}`, admin...).want(201)
	e.call("POST", "/user", `{"id":"ann","password":"`+password+`","role":"operator","roles":{"billing":"admin"}}`, admin...).want(201)
	secrets, err := e.logins.Login(t.Context(), login.Attempt{ID: "ann", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	ann := bearing(secrets.Token)
	deployed := func(sender []string, path string) *reply {
		return e.call("PUT", "/app/billing", `{"classpath":["file:`+path+`"]}`, sender...)
	}

	deployed(admin, secret).want(200)
	deployed(admin, data).code(422, "invalid_body")
	deployed(admin, dir+"/secret/../data").code(422, "invalid_body")
	for _, sender := range [][]string{operator, watcher, ann} {
		for _, path := range []string{shop, secret, data, "/etc/passwd", "/no/such/file", "/proc/self/environ"} {
			deployed(sender, path).code(403, "forbidden")
		}
	}
	withRoots(filepath.Join(dir, "classes"))
	for _, sender := range [][]string{operator, ann, admin} {
		deployed(sender, shop).want(200)
	}
	deployed(watcher, shop).code(403, "forbidden")
	deployed(admin, secret).want(200)
	for _, path := range []string{secret, dir + "/classes/../secret", data, "/etc/passwd", "/no/such/file"} {
		got := deployed(ann, path).code(403, "forbidden")
		if !strings.Contains(string(got.body), "classes: only an admin of all applications may deploy it") {
			t.Errorf("%s: %s, want the roots in it", path, got.body)
		}
	}
	// As the original's Maven plugin posts it, with a token.
	body := `{:application/name"My Project" :application/description"d" :application/classpaths["file:` + secret + `"]}`
	plugin := []string{"Content-Type", "application/edn", "Authorization"}
	e.call("POST", "/apps", body, append(plugin, strings.Replace(admin[1], "Bearer", "Token", 1))...).want(201)
	e.call("POST", "/apps", body, append(plugin, strings.Replace(operator[1], "Bearer", "Token", 1))...).want(403)
}

// Without a login the class path is any folder but the data folder.
func TestClassPathWithoutALogin(t *testing.T) {
	e := newEnv(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "shop", "a", "B.class"), class("a/B", "javax/batch/api/Batchlet"))
	writeFile(t, filepath.Join(dir, "data", "nats", "users.blk"), []byte("password hashes"))
	d, err := deploy.New(deploy.Config{Bus: e.bus, Objects: bustest.Artifacts(t, e.bus), TempDir: t.TempDir(), Closed: []string{filepath.Join(dir, "data")}})
	if err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Deployments = d
	e.call("PUT", "/app/shop", `{"classpath":["file:`+dir+`/shop"]}`).want(201)
	e.call("PUT", "/app/shop", `{"classpath":["file:`+dir+`/data/nats"]}`).code(422, "invalid_body")
	e.call("POST", "/apps", `{:application/name"My Project" :application/description"d" :application/classpaths["file:`+dir+`/shop"]}`,
		"Content-Type", "application/edn", "Authorization", "Token x").want(201)
}
