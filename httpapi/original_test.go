package httpapi

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The calls that the README of the original control bus shows, from its top to
// its bottom, in its own words. Only the places of the class path are the
// test's.
func TestOriginalReadme(t *testing.T) {
	e := newEnv(t)
	home, repository := t.TempDir(), t.TempDir()
	classes := filepath.Join(home, "app", "target", "classes")
	writeFile(t, filepath.Join(classes, "example", "Batchlet.class"), class("example/Batchlet", "javax/batch/api/Batchlet"))
	jar := filepath.Join(repository, "xxx", "xxx.jar")
	writeFile(t, jar, jarOf(t, map[string][]byte{"xxx/Reader.class": class("xxx/Reader", "javax/batch/api/chunk/ItemReader")}))

	for _, x := range []exchange{
		{name: "an application", method: "POST", path: "/apps", status: 201, want: `\{:application/name "batch-example" :application/description "Batch example" :application/classpaths \["file:///.*"\].*\}`,
			body: `{:name "batch-example" :description "Batch example" :classpath ["file://` + classes + `" "file://` + jar + `"]}`},
		{name: "applications", method: "GET", path: "/apps", status: 200, want: `\[\{:application/name "batch-example" .*\} \{:application/name "default" .*\}\]`},
		{name: "components", method: "GET", path: "/batch-example/batch-components", status: 200,
			want: `\{:batch-component/batchlet \["org\.jobstreamer\.batch\.ShellBatchlet" "example\.Batchlet"\] :batch-component/item-reader \["xxx\.Reader"\] :batch-component/item-processor \[\] :batch-component/item-writer \[\] :batch-component/listener \[\] .*\}`},
		{name: "a job", method: "POST", path: "/default/jobs", body: `{:id "JOB-1" :steps [{:id "STEP-1" :batchlet {:ref "example.Batchlet"}}]}`, status: 201, want: any_},
		{name: "another", method: "POST", path: "/default/jobs", body: `{:id "MyShell" :steps [{:id "S" :batchlet {:ref "org.jobstreamer.batch.ShellBatchlet"}}]}`, status: 201, want: any_},
		{name: "jobs", method: "GET", path: "/default/jobs", status: 200, want: `\{:results \[\{.*:job/name "JOB-1".*\} \{.*:job/name "MyShell".*\}\] :hits 2.*\}`},
		{name: "a schedule", method: "POST", path: "/default/job/MyShell/schedule", body: `{:job/name "MyShell" :schedule/cron-notation "0 0 * * * ?"}`, status: 201, want: any_},
		{name: "an execution", method: "POST", path: "/default/job/MyShell/executions", body: `{}`, status: 201, want: any_},
		{name: "a job with what became of it", method: "GET", path: "/default/job/MyShell", status: 200,
			want: `\{:db/id \d+ :job/name "MyShell" :job/restartable\? true .*:job/stats \{:total 1 :success 0 :failure 0 :average 0\} :job/schedule \{:schedule/cron-notation "0 0 \* \* \* \?" .*:schedule/active\? true.*\} ` +
				`:job/next-execution \{:job-execution/start-time ` + inst + `\} :job/latest-execution \{:db/id 1 .*:job-execution/batch-status \{:db/ident :batch-status/undispatched\}.*\}.*\}`},
		{name: "executions", method: "GET", path: "/default/job/MyShell/executions", status: 200, want: `\{:results \[\{:db/id 1 .*\}\] :hits 1 .*\}`},
		{name: "one of them", method: "GET", path: "/default/job/MyShell/execution/1", status: 200, want: `\{:db/id 1 .*:job-execution/step-executions \[\]\}`},
		{name: "it is stopped", method: "PUT", path: "/default/job/MyShell/execution/1/stop", status: 201, want: any_},
		{name: "the schedule pauses", method: "PUT", path: "/default/job/MyShell/schedule/pause", status: 201, want: any_},
		{name: "and goes on", method: "PUT", path: "/default/job/MyShell/schedule/resume", status: 201, want: any_},
		{name: "the schedule goes", method: "DELETE", path: "/default/job/MyShell/schedule", status: 204, want: ``},
		{name: "agents", method: "GET", path: "/agents", status: 200, want: `\[\]`},
		{name: "an agent", method: "GET", path: "/agent/d7dd0172-9b7b-4b1c-9e6d-0b8f2c7c8f4b", status: 404, want: any_},
		{name: "a job is updated", method: "PUT", path: "/default/job/JOB-1", body: `{:id "JOB-1" :steps [{:id "STEP-2" :batchlet {:ref "example.Batchlet"}}]}`, status: 201, want: any_},
		{name: "statistics", method: "GET", path: "/default/stats", status: 200, want: `\{:agents 0 :jobs 2\}`},
		{name: "a job is deleted", method: "DELETE", path: "/default/job/JOB-1", status: 204, want: ``},
		{name: "statistics without it", method: "GET", path: "/default/stats", status: 200, want: `\{:agents 0 :jobs 1\}`},
	} {
		x.run(t, e)
	}
}

// What else deploys, and what it answers.
func TestDeployments(t *testing.T) {
	e := newEnv(t)
	jar := jarOf(t, map[string][]byte{"a/B.class": class("a/B", "jakarta/batch/api/Batchlet")})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a.jar"), jar)
	json := []string{"Content-Type", "application/json", "Accept", "application/json"}
	form, boundary := formOf(t, "b.jar", jarOf(t, map[string][]byte{"b/C.class": class("b/C", "jakarta/batch/api/Decider")}))
	multi := []string{"Content-Type", "multipart/form-data; boundary=" + boundary, "Accept", "application/json"}
	none, _ := formOf(t, "b.txt", jar)
	const sum = "0000000000000000000000000000000000000000000000000000000000000000"
	for _, x := range []exchange{
		{name: "all that is wrong with a class path", method: "PUT", path: "/app/shop", headers: json, status: 422, type_: "application/problem+json",
			body: `{"classpath":["file://` + dir + `/a.jar","file://` + dir + `/none.jar","http://x/a.jar"]}`, want: any_ + `"pointer":"/classpath/1".*"pointer":"/classpath/2"` + any_},
		{name: "then there is no application either", method: "GET", path: "/app/shop", headers: json, status: 404, type_: "application/problem+json", want: any_},
		{name: "a class path", method: "PUT", path: "/app/shop", headers: json, body: `{"classpath":["file://` + dir + `/a.jar"]}`, status: 201, type_: "application/json", want: any_},
		{name: "what was found", method: "GET", path: "/shop/batch-components", headers: json, status: 200, type_: "application/json",
			want: `\{"results":\[\{"class":"org\.jobstreamer\.batch\.ShellBatchlet",.*"origin":"built-in"\},\{"class":"a\.B","ref":"a\.B",.*"kinds":\["batchlet"\],"listens":\[\],"origin":"a\.jar","constructor":"none"\}\]\}`},
		{name: "another application does not have it", method: "GET", path: "/default/batch-components", headers: json, status: 200, type_: "application/json", want: `\{"results":\[\{"class":"org[^}]*\}\]\}`},
		{name: "a job that names it", method: "POST", path: "/shop/jobs", headers: json, body: `{"id":"J","steps":[{"id":"S","batchlet":{"ref":"a.B"}}]}`, status: 201, type_: "application/json", want: `[^w]*|.*`},
		{name: "a job that names something else", method: "POST", path: "/shop/jobs", headers: json, body: `{"id":"K","steps":[{"id":"S","batchlet":{"ref":"a.C"}}]}`, status: 201, type_: "application/json", want: any_ + `"warnings":\["/steps/0/batchlet/ref: .*a\.C.*"\]` + any_},
		{name: "a form with a jar", method: "POST", path: "/shop/batch-components", headers: multi, body: form, status: 201, type_: "application/json", want: `\{"revision":2,"current":true,.*\}`},
		{name: "a form with something else", method: "POST", path: "/shop/batch-components", headers: multi, body: none, status: 400, type_: "application/problem+json", want: any_ + "ends in .jar" + any_},
		{name: "a form without a file", method: "POST", path: "/shop/batch-components", headers: multi, body: "--" + boundary + "--\r\n", status: 400, type_: "application/problem+json", want: any_},
		{name: "half a form", method: "POST", path: "/shop/batch-components", headers: multi, body: form[:len(form)/2], status: 400, type_: "application/problem+json", want: any_ + "malformed_body" + any_},
		{name: "a form with a broken header", method: "POST", path: "/shop/batch-components", headers: multi, body: "--" + boundary + "\r\nContent-Disposition: form-data; name=\"\x14\"\r\n\r\nx\r\n--" + boundary + "--\r\n", status: 400, type_: "application/problem+json", want: any_ + "malformed_body" + any_},
		{name: "no form", method: "POST", path: "/shop/batch-components", headers: json, body: "{}", status: 415, type_: "application/problem+json", want: any_},
		{name: "jars that are not stored", method: "POST", path: "/shop/deployments", headers: json, body: `{"artifacts":[{"name":"x.jar","sha256":"` + sum + `"}]}`, status: 409, type_: "application/problem+json", want: any_ + `"code":"artifacts_missing".*"got":"` + sum + `"` + any_},
		{name: "content that is not what its name says", method: "PUT", path: "/artifact/" + sum, headers: []string{"Content-Type", jarType}, body: string(jar), status: 422, type_: "application/problem+json", want: any_},
		{name: "content that is no jar", method: "PUT", path: "/artifact/" + sha(`x`), headers: []string{"Content-Type", jarType}, body: "x", status: 422, type_: "application/problem+json", want: any_},
		{name: "what is stored already", method: "PUT", path: "/artifact/" + sha(string(jar)), headers: []string{"Content-Type", jarType}, body: string(jar), status: 200, type_: "application/json", want: any_},
		{name: "a jar", method: "GET", path: "/artifact/" + sha(string(jar)), status: 200, type_: jarType, want: "PK" + any_},
		{name: "no such jar", method: "GET", path: "/artifact/" + sum, headers: json, status: 404, type_: "application/problem+json", want: any_ + "no_such_artifact" + any_},
		{name: "revisions, newest first", method: "GET", path: "/shop/deployments", headers: json, status: 200, type_: "application/json", want: `\{"results":\[\{"revision":2,.*\{"revision":1,.*"hits":2.*\}`},
		{name: "an old one is made current", method: "PUT", path: "/shop/deployment/1/current", headers: json, status: 200, type_: "application/json", want: `\{"revision":1,"current":true.*\}`},
		{name: "no such revision", method: "PUT", path: "/shop/deployment/9/current", headers: json, status: 404, type_: "application/problem+json", want: any_ + "no_such_revision" + any_},
		{name: "no number", method: "GET", path: "/shop/deployment/x", headers: json, status: 404, type_: "application/problem+json", want: any_ + "no_such_revision" + any_},
		{name: "the plugin's application is the default one", method: "POST", path: "/apps", headers: []string{"Content-Type", "application/edn", "Authorization", "Token x"}, status: 201,
			body: `{:application/name"My Project" :application/description"d" :application/classpaths["file:` + dir + `/a.jar"]}`, want: `\{:application/name "default" .*\}`},
		{name: "it has the component now", method: "GET", path: "/default/batch-components", status: 200, want: any_ + `"a\.B"` + any_},
	} {
		x.run(t, e)
	}
}

func sha(data string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(data))) }

func writeFile(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// class is a class file that implements an interface and has nothing else.
func class(name, implements string) []byte {
	b := []byte{0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 52, 0, 7}
	for i, s := range []string{name, "java/lang/Object", implements} {
		b = append(binary.BigEndian.AppendUint16(append(b, 1), uint16(len(s))), s...)
		b = binary.BigEndian.AppendUint16(append(b, 7), uint16(2*i+1))
	}
	return append(b, 0, 0x21, 0, 2, 0, 4, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0)
}

func jarOf(t *testing.T, entries map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range entries {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func formOf(t *testing.T, name string, data []byte) (form, boundary string) {
	t.Helper()
	var b strings.Builder
	m := multipart.NewWriter(&b)
	if err := m.SetBoundary("boundary"); err != nil {
		t.Fatal(err)
	}
	w, err := m.CreateFormFile("file", name)
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil || m.Close() != nil {
		t.Fatal(err)
	}
	return b.String(), m.Boundary()
}
