package jobflow_test

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
)

// rule is a rule of the specification: a job in the notation of readJob, how
// its steps and deciders end (readScript), and what each execution does. Every
// execution after the first one is a restart of the one before it.
type rule struct {
	section string // of Jakarta Batch 2.1
	name    string
	job     string
	script  string
	want    []string // of script.run
	why     string   // part of the exception of the last execution
}

var rules = []rule{
	// The sequence of elements.
	{"8.2.5", "the first element in the document starts", "a b", "", []string{"a => COMPLETED"}, ""},
	{"8.2.5", "a flow can be first", "f{a} b", "", []string{"a => COMPLETED"}, ""},
	{"8.2.5", "a split can be first", "s(f{a} g{b}) c", "", []string{"{a|b} => COMPLETED"}, ""},
	{"8.2.5", "a decision cannot be first", "d?[*=end] a", "", []string{"=> FAILED"}, "decision d: no step ran before it"},
	{"8.2.5", "a decision cannot be first in a flow", "f{d?[*=end] a}", "", []string{"=> FAILED"}, "decision d: no step ran before it"},
	{"8.2.5", "next decides, not the order of the document", "a>c b c>b", "", []string{"a c b => COMPLETED"}, ""},
	{"8.2.5", "the step behind in the document does not follow by itself", "a b c", "", []string{"a => COMPLETED"}, ""},
	{"8.2.5", "next of a step can name a flow", "a>f f{b}", "", []string{"a b => COMPLETED"}, ""},
	{"8.2.5", "next of a step can name a split", "a>s s(f{b} g{c})", "", []string{"a {b|c} => COMPLETED"}, ""},
	{"8.2.5", "next of a step can name a decision", "a>d d?[*=end]", "d=X", []string{"a d(a) => COMPLETED/X"}, ""},
	{"8.2.5", "next of a flow can name a decision", "f{a}>d d?[*=end]", "d=X", []string{"a d(a) => COMPLETED/X"}, ""},
	{"8.2.5", "next of a split can name a decision", "s(f{a} g{b})>d d?[*=end]", "d=X", []string{"{a|b} d(a b) => COMPLETED/X"}, ""},
	{"8.2.5", "next of a split can name a split", "s(f{a})>u u(g{b})", "", []string{"{a} {b} => COMPLETED"}, ""},
	{"8.2.5", "next of a flow can name a flow", "f{a}>g g{b}", "", []string{"a b => COMPLETED"}, ""},
	{"8.2.5", "a transition of a decision can name any element", "a>d d?[1->f 2->s] f{b} s(g{c})", "d=2", []string{"a d(a) {c} => COMPLETED/2"}, ""},

	// Transition elements.
	{"8.6.1", "next on an exit status", "a[X->b] b", "a=X", []string{"a=X b => COMPLETED"}, ""},
	{"8.6.2", "fail sets the batch status of the job", "a[X=fail]", "a=X", []string{"a=X => FAILED"}, `step a: its transition on "X" fails the job`},
	{"8.6.2", "fail with an exit status", "a[X=fail/BAD]", "a=X", []string{"a=X => FAILED/BAD"}, "transition"},
	{"8.6.3", "end sets the batch status of the job", "a>b[X=end] b", "a=X", []string{"a=X => COMPLETED"}, ""},
	{"8.6.3", "end with an exit status changes the job, not the step", "a>b[RC4=end/EARLY] b", "a=RC4", []string{"a=RC4 => COMPLETED/EARLY"}, ""},
	{"8.6.4", "stop sets the batch status of the job", "a[X=stop]", "a=X", []string{"a=X => STOPPED"}, ""},
	{"8.6.4", "stop with an exit status", "a[X=stop/LATER]", "a=X", []string{"a=X => STOPPED/LATER"}, ""},
	{"8.6.4", "stop with a place for the restart", "a[X=stop@b] b", "a=X", []string{"a=X => STOPPED @b", "b => COMPLETED"}, ""},
	{"8.6.4", "stop without such a place restarts at the first element", "a[X=stop Y->b] b", "a=X", []string{"a=X => STOPPED", "-a=X => STOPPED"}, ""},
	{"8.6", "a terminating element of a flow ends the job", "f{a}>b[*=end/E] b", "", []string{"a => COMPLETED/E"}, ""},
	{"8.6", "a terminating element of a decision ends the job", "a>d d?[*=stop/S@b] b", "d=X", []string{"a d(a) => STOPPED/S @b", "b => COMPLETED"}, ""},

	// Patterns of exit statuses.
	{"8.2.5", "* matches any text", "a[*->b] b", "a=anything", []string{"a=anything b => COMPLETED"}, ""},
	{"8.2.5", "* matches no text", "a[X*->b] b", "a=X", []string{"a=X b => COMPLETED"}, ""},
	{"8.2.5", "? matches one character", "a[RC?->b] b", "a=RC4", []string{"a=RC4 b => COMPLETED"}, ""},
	{"8.2.5", "? does not match no character", "a[RC?->b] b", "a=RC", []string{"a=RC => COMPLETED"}, ""},
	{"8.2.5", "a pattern matches the whole exit status", "a[C->b] b", "a=RC", []string{"a=RC => COMPLETED"}, ""},
	{"8.2.5", "the case of letters counts", "a[x->b] b", "a=X", []string{"a=X => COMPLETED"}, ""},
	{"8.8.1.7", "a pattern that substitution left empty matches no exit status", "a[=stop *->b] b", "", []string{"a b => COMPLETED"}, ""},

	// Precedence.
	{"8.9.1", "the order of the document beats the more specific pattern", "a[*->b BAD=fail] b", "a=BAD", []string{"a=BAD b => COMPLETED"}, ""},
	{"8.9.1", "what stands behind the first match is ignored", "a[RC0->b RC4->c RC4=end/DONE *=fail] b c", "a=RC4", []string{"a=RC4 c => COMPLETED"}, ""},
	{"8.9.1", "the last element may match the rest", "a[RC0->b RC4->c *=fail] b c", "a=RC8", []string{"a=RC8 => FAILED"}, "transition on \"*\""},
	{"8.9.2", "elements are compared before next", "a>b[X->c] b c", "a=X", []string{"a=X c => COMPLETED"}, ""},
	{"8.9.2", "rule 2: without a match, next", "a>c[RC0->b] b c", "a=RC4", []string{"a=RC4 c => COMPLETED"}, ""},
	{"8.9.2", "rule 3: without a match and next, the job is COMPLETED", "a[RC0->b] b", "a=RC4", []string{"a=RC4 => COMPLETED"}, ""},
	{"8.9.2", "rule 1: an exception without a match fails the job", "a>b b", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.2", "elements of a failed step are compared", "a>c[FAILED->b] b c", "a=!", []string{"a! b => COMPLETED"}, ""},
	{"8.9.2", "a failed step with an exit status of its own is not FAILED to them", "a>c[FAILED->b] b c", "a=!X", []string{"a!=X => FAILED"}, "step a: no good"},
	{"8.9.2", "a failed step can end the job normally", "a[FAILED=end]", "a=!", []string{"a! => COMPLETED"}, ""},
	{"8.9.2", "a failed step can stop the job", "a[FAILED=stop@b] b", "a=!", []string{"a! => STOPPED @b", "b => COMPLETED"}, ""},
	{"8.9.2", "a failed step whose element fails the job says why it failed", "a[FAILED=fail/BAD]", "a=!", []string{"a! => FAILED/BAD"}, "step a: no good"},
	{"8.2.7", "a panic is an exception", "a>b b", "a=panic", []string{"a! => FAILED"}, "step a: panic: oh dear"},
	{"8.2.7", "a panic can be gone on from", "a[FAILED->b] b", "a=panic", []string{"a! b => COMPLETED"}, ""},

	// Statuses.
	{"8.7", "the exit status of a step is its batch status if none is set", "a[COMPLETED->b] b", "", []string{"a b => COMPLETED"}, ""},
	{"8.7", "the exit status that an artifact gives the job", "a>b b", "a=job:X", []string{"a b => COMPLETED/X"}, ""},
	{"8.7", "it stays when the job fails", "a>b b", "a=job:X b=!", []string{"a b! => FAILED/X"}, "step b"},
	{"8.7", "a later artifact overrides it", "a>b b", "a=job:X b=job:Y", []string{"a b => COMPLETED/Y"}, ""},
	{"8.7", "a decision overrides it", "a>d d?[*=end]", "a=job:X d=Y", []string{"a d(a) => COMPLETED/Y"}, ""},
	{"8.7", "an artifact overrides a decision", "a>d d?[*->b] b", "d=Y b=job:X", []string{"a d(a) b => COMPLETED/X"}, ""},
	{"8.7", "a terminating element overrides a decision", "a>d d?[*=end/E]", "d=Y", []string{"a d(a) => COMPLETED/E"}, ""},
	{"8.7", "a terminating element without an exit status leaves it", "a[*=fail]", "a=job:X", []string{"a => FAILED/X"}, "transition"},
	{"8.7.1", "the batch status of a step stays COMPLETED when its element fails the job", "a[RC4=fail/BAD RC8=fail]", "a=RC4", []string{"a=RC4 => FAILED/BAD"}, "transition"},
	{"8.7.1", "and the job has the exit status FAILED if none is given", "a[RC4=fail/BAD RC8=fail]", "a=RC8", []string{"a=RC8 => FAILED"}, "transition"},

	// Flows.
	{"8.3", "the flow goes on as a whole", "f{a>b b}>c c", "", []string{"a b c => COMPLETED"}, ""},
	{"8.3", "a flow in a flow", "f{g{a}>b b}>c c", "", []string{"a b c => COMPLETED"}, ""},
	{"8.9.4", "rule 3: a flow ends where nothing follows", "f{a b}>c c", "", []string{"a c => COMPLETED"}, ""},
	{"8.9.4", "rule 1: a step in a flow cannot go to an element outside", "f{a>c} c", "", []string{"a => FAILED"}, `element a: its next element, "c", is not in the same job or flow`},
	{"8.9.4", "rule 1: nor can a transition", "f{a[*->c]} c", "", []string{"a => FAILED"}, `"c"`},
	{"8.9.4", "rule 1: an element of the job cannot go into a flow", "a>b f{b}", "", []string{"a => FAILED"}, `"b"`},
	{"8.9.4", "rule 2: end in a flow ends the job", "f{a[*=end/E]}>c c", "", []string{"a => COMPLETED/E"}, ""},
	{"8.9.4", "rule 2: fail in a flow ends the job", "f{a[*=fail/E]}>c c", "", []string{"a => FAILED/E"}, "transition"},
	{"8.9.4", "rule 2: stop in a flow ends the job", "f{a[*=stop/E@c]}>c c", "", []string{"a => STOPPED/E @c", "c => COMPLETED"}, ""},
	{"8.9.4", "rule 2: an exception in a flow ends the job", "f{a}>c[FAILED->c] c", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.5", "a flow has the exit status of its last element", "f{a>b b}>e[X->c] c e", "b=X", []string{"a b=X c => COMPLETED"}, ""},

	// Splits.
	{"8.4", "the split ends when all flows have ended", "s(f{a>b b} g{c})>e e", "", []string{"{a b|c} e => COMPLETED"}, ""},
	{"8.4", "a split in a flow in a split", "s(f{a>u u(h{x} k{y})>b b} g{c})>e e", "", []string{"{a {x|y} b|c} e => COMPLETED"}, ""},
	{"8.4.1", "a flow that ends the job keeps the split from going on", "s(f{a[*=end/E]} g{b})>c c", "", []string{"{a|b} => COMPLETED/E"}, ""},
	{"8.4.1", "FAILED wins over STOPPED and COMPLETED", "s(f{a[*=end/E]} g{b[*=stop/S]} h{c})", "c=!", []string{"{a|b|c!} => FAILED"}, "step c: no good"},
	{"8.4.1", "STOPPED wins over COMPLETED", "s(f{a[*=end/E]} g{b[*=stop/S]})", "", []string{"{a|b} => STOPPED/S"}, ""},
	{"8.4", "a flow of a split cannot go anywhere", "s(f{a}>c g{b}) c", "", []string{"{a|b} => FAILED"}, "flow f"},

	// Decisions.
	{"8.5", "the answer is compared and becomes the exit status of the job", "a>d d?[X->b] b", "d=X", []string{"a d(a) b => COMPLETED/X"}, ""},
	{"8.5", "without a match the job fails", "a>d d?[X->b] b", "d=Y", []string{"a d(a) => FAILED/Y"}, `decision d: no transition matches the exit status "Y"`},
	{"8.5.2", "an exception fails the job without a look at the elements", "a>d d?[FAILED->b *->b] b", "d=!", []string{"a d(a) => FAILED"}, "decision d: no good"},
	{"8.5.2", "so does a panic", "a>d d?[*->b] b", "d=panic", []string{"a d(a) => FAILED"}, "decision d: panic: oh dear"},
	{"9.6", "a decider that has no answer matches nothing", "a>d d?[*->b] b", "d=-", []string{"a d(a) => FAILED"}, "returned no exit status"},
	{"9.6", "a decider behind a flow gets its last step", "f{a>b b}>d d?[*=end]", "b=X d=Y", []string{"a b=X d(b=X) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a flow that ends with a split gets a step of each of its flows", "f{a>s s(g{b} h{c>e e})}>d d?[*=end]", "d=Y", []string{"a {b|c e} d(b e) => COMPLETED/Y"}, ""},

	// Loops.
	{"8.9.3", "no step is reached twice", "a>b b[AGAIN->a]", "b=AGAIN", []string{"a b=AGAIN => FAILED"}, "step a: it is reached twice"},
	{"8.9.3", "no decision is reached twice", "a>d d?[1->b *->c] b>d c", "d=1", []string{"a d(a) b => FAILED/1"}, "decision d: it is reached twice"},

	// Restarts.
	{"10.8.4", "rule 3a: a completed step is skipped, by its old exit status", "a[X->b] b", "a=X b=!,OK", []string{"a=X b! => FAILED", "-a=X b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3a: its terminating element ends the job again", "a[BAD=fail *->b] b", "a=BAD", []string{"a=BAD => FAILED", "-a=BAD => FAILED"}, "completed in an earlier execution"},
	{"10.8.4", "rule 3b: a completed step that may start again", "a!>b b", "b=!,OK", []string{"a b! => FAILED", "a b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: a failed step runs again", "a", "a=!,OK", []string{"a! => FAILED", "a=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: so does one that a transition had gone on from", "a>c[FAILED->b] b>c c", "a=!,OK c=!,OK", []string{"a! b c! => FAILED", "a=OK c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3d: a decision is always asked, with old and new step executions", "s(f{a} g{b})>d d?[*->c] c", "b=!,OK d=X", []string{"{a|b!} => FAILED", "{-a|b=OK} d(a b=OK) c => COMPLETED/X"}, ""},
	{"10.8.4", "rule 3e: a flow begins with its first element", "f{a>b b}>c c", "b=!,OK", []string{"a b! => FAILED", "-a b=OK c => COMPLETED"}, ""},
	{"10.8.4", "rule 2: the place belongs to the execution that ended there", "a!>b b[*=stop@c] c", "c=!,OK",
		[]string{"a b => STOPPED @c", "c! => FAILED", "a -b => STOPPED @c", "c=OK => COMPLETED"}, ""},
	{"8.2", "start-limit counts the executions of the job instance", "a#2", "a=!", []string{"a! => FAILED", "a! => FAILED", "=> FAILED"}, "step a: it was started 2 times, its start limit is 2"},

	// Stop.
	{"11.13", "a stopped step stops the job", "a>b b", "a=~,OK", []string{"a~ => STOPPED", "a=OK b => COMPLETED"}, ""},
	{"11.13", "a stop between two steps", "a>b b", "a=^", []string{"a => STOPPED", "-a b => COMPLETED"}, ""},
	{"11.13", "a stop during a decision", "a>d d?[*->b] b", "d=~,X", []string{"a d(a) => STOPPED", "-a d(a) b => COMPLETED/X"}, ""},
	{"11.13", "a stop in the flows of a split", "s(f{a>b b} g{c})>e e", "a=@c:^ c=wait,OK", []string{"{a|c~} => STOPPED", "{-a b|c=OK} e => COMPLETED"}, ""},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.section+" "+r.name, func(t *testing.T) {
			job, script := readJob(t, r.job), readScript(t, r.script)
			position := ""
			var last jobflow.Outcome
			for i, want := range r.want {
				got, o := script.run(t, job, position)
				if got != want {
					t.Errorf("execution %d: %s, want %s (%s)", i+1, got, want, o.Exception)
				}
				position, last = o.RestartPosition, o
			}
			if !strings.Contains(last.Exception, r.why) || (r.why == "") != (last.Exception == "") {
				t.Errorf("the exception is %q, want %q in it", last.Exception, r.why)
			}
		})
	}
}
