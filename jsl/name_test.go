package jsl

import (
	"strings"
	"testing"
)

// A job's id is an XML NCName, or an id that was valid before NCNames were.
func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "a.b": true, "_": true, "chunk-job.v1.2": true, "夜間バッチ": true, "日次・集計": true, "ジョブー1": true, "é\u0301": true, "𠮷": true, "a·b": true,
		"1job": true, "-x": true, "007": true, // not NCNames, but valid ids before
		"": false, "1.5": false, ".a": false, "-.": false, "a b": false, "a:b": false, "a/b": false, "a\n": false, "a=b": false, "a*": false, ">": false,
		"\u0301a": false, "×": false, "a\ufffe": false, "\xff": false, "a\u2028": false, "a\u00a0": false,
		strings.Repeat("夜", 128): true, strings.Repeat("夜", 129): false, strings.Repeat("a", 129): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("ValidID(%q) = %v, want %v", id, got, want)
		}
	}
	_, err := ParseJSON([]byte(`{"id":"a b","steps":[{"id":"s"}]}`))
	if want := `/id: want ` + WantID + `, got "a b" (line 1, column 7)`; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// A command is the short form of the shell batchlet, which is what is written.
func TestCommand(t *testing.T) {
	const long = `{"id":"J","steps":[{"id":"s","batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":"echo hi"}}}]}`
	for _, c := range []struct {
		f    Format
		text string
	}{
		{JSON, `{"id":"J","steps":[{"id":"s","command":"echo hi"}]}`},
		{YAML, "id: J\nsteps:\n- id: s\n  command: echo hi\n"},
		{EDN, `{:id "J" :steps [{:id "s" :command "echo hi"}]}`},
		{EDN, `{:job/name "J" :job/components [{:step/name "s" :step/command "echo hi"}]}`},
	} {
		j, err := Parse(c.f, []byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, _ := j.MarshalJSON(); string(got) != long {
			t.Errorf("%s is\n%s, want\n%s", c.text, got, long)
		}
	}
	for text, want := range map[string]string{
		`"command":"a","batchlet":{"ref":"b"}`:                              `/steps/0/batchlet: want a command or a batchlet, not both, got an object (line 1, column 56)`,
		`"batchlet":{"ref":"b"},"command":"a"`:                              `/steps/0/command: want a command or a batchlet, not both, got "a" (line 1, column 64)`,
		`"command":"a","chunk":{"reader":{"ref":"r"},"writer":{"ref":"w"}}`: `/steps/0/chunk: want a batchlet or a chunk, not both, got both (line 1, column 53)`,
		`"command":""`:       `/steps/0/command: want a shell command, got "" (line 1, column 41)`,
		`"command":["a"]`:    `/steps/0/command: want a shell command, got an array (line 1, column 41)`,
		`"command":"\u0007"`: `/steps/0/command: want a shell command, got "\a" (line 1, column 41)`,
	} {
		_, err := ParseJSON([]byte(`{"id":"J","steps":[{"id":"s", ` + text + `}]}`))
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", text, err, want)
		}
	}
	if j, err := Parse(YAML, []byte("id: J\nsteps: [{id: s, command: true}]\n")); err != nil || j.Elements[0].(*Step).Batchlet.Properties[0].Value != "true" {
		t.Errorf("the command true: %v", err)
	}
	if _, err := Parse(XML, []byte(`<job id="J"><step id="s" command="a"/></job>`)); err == nil {
		t.Error("the XML of JSR-352 has no command")
	}
}
