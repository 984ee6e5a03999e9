package cli

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestWhatAnApplicationLacks(t *testing.T) {
	c := &components{app: "shop", asked: true, known: []rest.Component{
		{Ref: "mail", Class: "a.Mail", Kinds: []string{"listener"}, Listens: []string{"job"}},
		{Ref: "watch", Class: "a.Watch", Kinds: []string{"listener"}, Listens: []string{"step", "chunk"}},
		{Ref: "load", Class: "a.Load", Aliases: []string{"a.b.Load"}, Kinds: []string{"batchlet"}},
		{Ref: "two", Class: "a.Two", Kinds: []string{"item-reader"}}, {Ref: "two", Class: "b.Two", Kinds: []string{"batchlet"}},
	}}
	for _, row := range []struct{ name, kind, ref, want string }{
		{"by its ref", jsl.KindBatchlet, "load", ""},
		{"by its class", jsl.KindBatchlet, "a.Load", ""},
		{"by another name", jsl.KindBatchlet, "a.b.Load", ""},
		{"a name of two", jsl.KindBatchlet, "two", ""},
		{"of another kind", jsl.KindReader, "load", "load is no item reader, but batchlet"},
		{"not at all", jsl.KindBatchlet, "none", "shop has no batchlet named none"},
		{"a listener to jobs", jsl.KindJobListener, "mail", ""},
		{"a listener to jobs at a step", jsl.KindStepListener, "mail", "mail is no step listener, but listener"},
		{"a listener to chunks", jsl.KindStepListener, "watch", ""},
	} {
		if got := c.judge(&jsl.Component{Kind: row.kind, Ref: row.ref}); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
	job, err := jsl.Parse(jsl.YAML, []byte("id: a\nsteps:\n  - {id: s, batchlet: {ref: none}}\n  - {id: t, batchlet: {ref: \"#{jobParameters['x']}\"}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.lacking(job), "|"); got != "/steps/0/batchlet/ref: shop has no batchlet named none" {
		t.Errorf("%q", got)
	}
	if got := (&components{}).lacking(job); got != nil {
		t.Errorf("%q of nobody who was asked", got)
	}
}
