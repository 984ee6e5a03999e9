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
	{"8.2.5", "a split in a flow can be first", "f{s(g{a} h{b})>c c}", "", []string{"{a|b} c => COMPLETED"}, ""},
	{"8.2.5", "a decision that stands last in the document can be in the middle", "a>d b d?[*->b]", "d=X", []string{"a d(a) b => COMPLETED/X"}, ""},
	{"8.2.5", "next names an element that does not exist", "a>z", "", []string{"a => FAILED"}, `element a: its next element, "z", is not in the same job or flow`},
	{"8.2.5", "a transition names an element that does not exist", "a[*->z]", "", []string{"a => FAILED"}, `"z"`},
	{"8.2.5", "next of a step can name an earlier element that was not reached", "b c>b a", "", []string{"b => COMPLETED"}, ""},
	{"8.2.5", "a chain of all kinds of elements", "a>f f{b}>s s(g{c} h{e})>d d?[*->i] i", "d=X", []string{"a b {c|e} d(c e) i => COMPLETED/X"}, ""},

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
	{"8.6.4", "the place may be an earlier element", "a>b b[*=stop@a]", "", []string{"a b => STOPPED @a", "-a -b => STOPPED @a"}, ""},
	{"8.6.4", "the place may be a flow", "a[*=stop@f] f{b>c c}", "", []string{"a => STOPPED @f", "b c => COMPLETED"}, ""},
	{"8.6.4", "the place may be a split", "a[*=stop@s] s(f{b} g{c})", "", []string{"a => STOPPED @s", "{b|c} => COMPLETED"}, ""},
	{"8.6.4", "the place may be the element with the stop itself", "a>b b[X=stop@b] b2", "b=X", []string{"a b=X => STOPPED @b", "-b=X => STOPPED @b"}, ""},
	{"8.6.4", "a stop in a flow names an element of the job", "f{a[*=stop@b]} b", "", []string{"a => STOPPED @b", "b => COMPLETED"}, ""},
	{"8.6.1", "several next elements", "a[1->b 2->c 3->e] b c e", "a=3", []string{"a=3 e => COMPLETED"}, ""},
	{"8.6.2", "several fail elements", "a[1=fail/ONE 2=fail/TWO]", "a=2", []string{"a=2 => FAILED/TWO"}, "transition"},
	{"8.6.3", "several end elements", "a[1=end/ONE 2=end/TWO]", "a=2", []string{"a=2 => COMPLETED/TWO"}, ""},
	{"8.6.4", "several stop elements", "a[1=stop/ONE@b 2=stop/TWO@c] b c", "a=2", []string{"a=2 => STOPPED/TWO @c", "c => COMPLETED"}, ""},
	{"8.6", "a terminating element of a flow ends the job", "f{a}>b[*=end/E] b", "", []string{"a => COMPLETED/E"}, ""},
	{"8.6", "a terminating element of a decision ends the job", "a>d d?[*=stop/S@b] b", "d=X", []string{"a d(a) => STOPPED/S @b", "b => COMPLETED"}, ""},
	{"8.6", "fail of a flow", "f{a}>b[*=fail/F] b", "", []string{"a => FAILED/F"}, `flow f: its transition on "*" fails the job`},
	{"8.6", "stop of a flow", "f{a}>b[*=stop/S@b] b", "", []string{"a => STOPPED/S @b", "b => COMPLETED"}, ""},
	{"8.6", "fail of a decision", "a>d d?[NO=fail/BAD YES->b] b", "d=NO", []string{"a d(a) => FAILED/BAD"}, `decision d: its transition on "NO" fails the job`},
	{"8.6", "end of a decision", "a>d d?[NO=end/DONE YES->b] b", "d=NO", []string{"a d(a) => COMPLETED/DONE"}, ""},
	{"8.6", "end of a decision in a flow ends the job", "f{a>d d?[*=end/E]}>b b", "d=X", []string{"a d(a) => COMPLETED/E"}, ""},
	{"8.6", "end of a flow in a flow ends the job", "f{g{a}>b[*=end/E] b}>c c", "", []string{"a => COMPLETED/E"}, ""},

	// Patterns of exit statuses.
	{"8.2.5", "* matches any text", "a[*->b] b", "a=anything", []string{"a=anything b => COMPLETED"}, ""},
	{"8.2.5", "* matches no text", "a[X*->b] b", "a=X", []string{"a=X b => COMPLETED"}, ""},
	{"8.2.5", "? matches one character", "a[RC?->b] b", "a=RC4", []string{"a=RC4 b => COMPLETED"}, ""},
	{"8.2.5", "? does not match no character", "a[RC?->b] b", "a=RC", []string{"a=RC => COMPLETED"}, ""},
	{"8.2.5", "a pattern matches the whole exit status", "a[C->b] b", "a=RC", []string{"a=RC => COMPLETED"}, ""},
	{"8.2.5", "the case of letters counts", "a[x->b] b", "a=X", []string{"a=X => COMPLETED"}, ""},
	{"8.2.5", "several wildcards", "a[?*R*->b] b", "a=xRyz", []string{"a=xRyz b => COMPLETED"}, ""},
	{"8.2.5", "? matches one character of several bytes", "a[?->b] b", "a=ü", []string{"a=ü b => COMPLETED"}, ""},
	{"8.2.5", "characters of other patterns have no meaning", "a[R.C=fail R+C=fail *->b] b", "a=RRC", []string{"a=RRC b => COMPLETED"}, ""},
	{"8.8.1.7", "a pattern that substitution left empty matches no exit status", "a[=stop *->b] b", "", []string{"a b => COMPLETED"}, ""},

	// Precedence.
	{"8.9.1", "the order of the document beats the more specific pattern", "a[*->b BAD=fail] b", "a=BAD", []string{"a=BAD b => COMPLETED"}, ""},
	{"8.9.1", "what stands behind the first match is ignored", "a[RC0->b RC4->c RC4=end/DONE *=fail] b c", "a=RC4", []string{"a=RC4 c => COMPLETED"}, ""},
	{"8.9.1", "the last element may match the rest", "a[RC0->b RC4->c *=fail] b c", "a=RC8", []string{"a=RC8 => FAILED"}, "transition on \"*\""},
	{"8.9.1", "the first of two equal patterns", "a[X->b X->c] b c", "a=X", []string{"a=X b => COMPLETED"}, ""},
	{"8.9.1", "all kinds of elements in one step", "a[1->b 2=end/E 3=fail/F 4=stop/S] b", "a=4", []string{"a=4 => STOPPED/S"}, ""},
	{"8.9.1", "a decision looks at its elements in order, too", "a>d d?[*->b X->c] b c", "d=X", []string{"a d(a) b => COMPLETED/X"}, ""},
	{"8.9.2", "elements are compared before next", "a>b[X->c] b c", "a=X", []string{"a=X c => COMPLETED"}, ""},
	{"8.9.2", "rule 2: without a match, next", "a>c[RC0->b] b c", "a=RC4", []string{"a=RC4 c => COMPLETED"}, ""},
	{"8.9.2", "rule 3: without a match and next, the job is COMPLETED", "a[RC0->b] b", "a=RC4", []string{"a=RC4 => COMPLETED"}, ""},
	{"8.9.2", "rule 1: an exception without a match fails the job", "a>b b", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.2", "elements of a failed step are compared", "a>c[FAILED->b] b c", "a=!", []string{"a! b => COMPLETED"}, ""},
	{"8.9.2", "a failed step with an exit status of its own is not FAILED to them", "a>c[FAILED->b] b c", "a=!X", []string{"a!=X => FAILED"}, "step a: no good"},
	{"8.9.2", "a failed step can end the job normally", "a[FAILED=end]", "a=!", []string{"a! => COMPLETED"}, ""},
	{"8.9.2", "a failed step can stop the job", "a[FAILED=stop@b] b", "a=!", []string{"a! => STOPPED @b", "b => COMPLETED"}, ""},
	{"8.9.2", "a failed step whose element fails the job says why it failed", "a[FAILED=fail/BAD]", "a=!", []string{"a! => FAILED/BAD"}, "step a: no good"},
	{"8.9.2", "rule 1: an exception of the last step", "a", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.2", "rule 1 holds when elements exist but do not match", "a>b[X->b] b", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.2", "an exit status that a failed step has set is compared", "a>c[X->b] b c", "a=!X", []string{"a!=X b => COMPLETED"}, ""},
	{"8.9.2", "* matches a failed step", "a[*->b] b", "a=!", []string{"a! b => COMPLETED"}, ""},
	{"8.9.2", "example 1: next unless a certain exit status is seen", "a>b[RC_ABORT=fail/ABORTED] b", "a=RC_ABORT", []string{"a=RC_ABORT => FAILED/ABORTED"}, "transition"},
	{"8.9.2", "example 1, without that exit status", "a>b[RC_ABORT=fail/ABORTED] b", "", []string{"a b => COMPLETED"}, ""},
	{"8.9.2", "example 2: another step after an exception", "a>b[FAILED->r *=fail] b r", "a=!", []string{"a! r => COMPLETED"}, ""},
	{"8.9.2", "an exception counts for its own step only", "a>b[FAILED->b] b>c c", "a=!", []string{"a! b c => COMPLETED"}, ""},
	{"8.9.2", "the last of several failed steps says why", "a[FAILED->b] b", "a=! b=!", []string{"a! b! => FAILED"}, "step b: no good"},
	{"8.2.7", "a runtime that leaves a step unfinished", "a", "a=nothing", []string{"a! => FAILED"}, `the runtime left the step with the batch status "started"`},
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
	{"8.7", "a stopped job has its batch status", "a[*=stop]", "", []string{"a => STOPPED"}, ""},
	{"8.7", "an exit status of the job that was set stays when it stops", "a[*=stop]", "a=job:X", []string{"a => STOPPED/X"}, ""},
	{"8.7", "a terminating element overrides what an artifact has set", "a[*=end/E]", "a=job:X", []string{"a => COMPLETED/E"}, ""},
	{"8.7", "the exit status of a step is not that of the job", "a", "a=X", []string{"a=X => COMPLETED"}, ""},
	{"8.7", "of two decisions the later one counts", "a>d d?[*->b] b>k k?[*=end]", "d=X k=Y", []string{"a d(a) b k(b) => COMPLETED/Y"}, ""},
	{"8.7.1", "a step that failed stays FAILED when its element ends the job normally", "a[FAILED=end/OK]", "a=!", []string{"a! => COMPLETED/OK"}, ""},
	{"8.7", "the exit status of the job begins anew in a restart", "a>b b", "a=job:X b=!,", []string{"a b! => FAILED/X", "-a b => COMPLETED"}, ""},
	{"8.7", "an exit status that looks like another batch status is only text", "a[FAILED=end]", "a=FAILED", []string{"a=FAILED => COMPLETED"}, ""},
	{"8.7", "the job is COMPLETED although its step has the exit status FAILED", "a>b b", "a=FAILED", []string{"a=FAILED b => COMPLETED"}, ""},

	// Flows.
	{"8.3", "the flow goes on as a whole", "f{a>b b}>c c", "", []string{"a b c => COMPLETED"}, ""},
	{"8.3", "a flow in a flow", "f{g{a}>b b}>c c", "", []string{"a b c => COMPLETED"}, ""},
	{"8.3", "flows in flows in flows", "f{g{h{a}>b b}>c c}>e e", "", []string{"a b c e => COMPLETED"}, ""},
	{"8.3", "a flow of one step is the last element of the job", "f{a}", "", []string{"a => COMPLETED"}, ""},
	{"8.3", "a flow with a decision", "f{a>d d?[*->b] b}>c c", "d=X", []string{"a d(a) b c => COMPLETED/X"}, ""},
	{"8.3", "a flow that ends with a flow", "f{a>g g{b}}>c c", "", []string{"a b c => COMPLETED"}, ""},
	{"8.3", "a flow without elements", "a>f f{}>b b", "", []string{"a => FAILED"}, "flow f: want at least one element"},
	{"8.9.4", "rule 3: a match in the flow decides where it goes inside", "f{a[1->b 2->c] b c}>e e", "a=2", []string{"a=2 c e => COMPLETED"}, ""},
	{"8.9.4", "rule 3: without a match the flow ends, not the job", "f{a[1->b] b}>e e", "a=2", []string{"a=2 e => COMPLETED"}, ""},
	{"8.9.4", "rule 2: an exception three flows deep ends the job", "f{g{h{a}>b b}>c c}>e e", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.4", "rule 2: stop three flows deep ends the job", "f{g{h{a[*=stop@e]}}}>e e", "", []string{"a => STOPPED @e", "e => COMPLETED"}, ""},
	{"8.9.4", "rule 1: a transition of a flow goes to an element beside the flow", "f{a}[*->b] b c", "", []string{"a b => COMPLETED"}, ""},
	{"8.9.4", "rule 1: a flow in a flow cannot go to an element of the job", "f{g{a}>b} b", "", []string{"a => FAILED"}, `element g: its next element, "b"`},
	{"8.9.4", "a failed step in a flow can be gone on from", "f{a[FAILED->b] b}>c c", "a=!", []string{"a! b c => COMPLETED"}, ""},
	{"8.9.4", "rule 3: a flow ends where nothing follows", "f{a b}>c c", "", []string{"a c => COMPLETED"}, ""},
	{"8.9.4", "rule 1: a step in a flow cannot go to an element outside", "f{a>c} c", "", []string{"a => FAILED"}, `element a: its next element, "c", is not in the same job or flow`},
	{"8.9.4", "rule 1: nor can a transition", "f{a[*->c]} c", "", []string{"a => FAILED"}, `"c"`},
	{"8.9.4", "rule 1: an element of the job cannot go into a flow", "a>b f{b}", "", []string{"a => FAILED"}, `"b"`},
	{"8.9.4", "rule 2: end in a flow ends the job", "f{a[*=end/E]}>c c", "", []string{"a => COMPLETED/E"}, ""},
	{"8.9.4", "rule 2: fail in a flow ends the job", "f{a[*=fail/E]}>c c", "", []string{"a => FAILED/E"}, "transition"},
	{"8.9.4", "rule 2: stop in a flow ends the job", "f{a[*=stop/E@c]}>c c", "", []string{"a => STOPPED/E @c", "c => COMPLETED"}, ""},
	{"8.9.4", "rule 2: an exception in a flow ends the job", "f{a}>c[FAILED->c] c", "a=!", []string{"a! => FAILED"}, "step a: no good"},
	{"8.9.5", "a flow has the exit status of its last element", "f{a>b b}>e[X->c] c e", "b=X", []string{"a b=X c => COMPLETED"}, ""},
	{"8.9.5", "of its last element that ran, not the last one in the document", "f{a b}>e[X->c] c e", "a=X", []string{"a=X c => COMPLETED"}, ""},
	{"8.9.5", "a flow that ends with a flow has that one's exit status", "f{a>g g{b}}>e[X->c] c e", "b=X", []string{"a b=X c => COMPLETED"}, ""},
	{"8.9.5", "a flow that ends with a split has the exit status COMPLETED", "f{s(g{a} h{b})}>e[COMPLETED->c] c e", "a=X b=Y", []string{"{a=X|b=Y} c => COMPLETED"}, ""},
	{"8.9.5", "elements of a flow go before its next", "f{a}>b[COMPLETED->c] b c", "", []string{"a c => COMPLETED"}, ""},
	{"8.9.5", "without a match a flow goes on with next", "f{a}>b[X->c] b c", "", []string{"a b => COMPLETED"}, ""},

	// Splits.
	{"8.4", "the split ends when all flows have ended", "s(f{a>b b} g{c})>e e", "", []string{"{a b|c} e => COMPLETED"}, ""},
	{"8.4", "a split in a flow in a split", "s(f{a>u u(h{x} k{y})>b b} g{c})>e e", "", []string{"{a {x|y} b|c} e => COMPLETED"}, ""},
	{"8.4.1", "a flow that ends the job keeps the split from going on", "s(f{a[*=end/E]} g{b})>c c", "", []string{"{a|b} => COMPLETED/E"}, ""},
	{"8.4.1", "FAILED wins over STOPPED and COMPLETED", "s(f{a[*=end/E]} g{b[*=stop/S]} h{c})", "c=!", []string{"{a|b|c!} => FAILED"}, "step c: no good"},
	{"8.4.1", "STOPPED wins over COMPLETED", "s(f{a[*=end/E]} g{b[*=stop/S]})", "", []string{"{a|b} => STOPPED/S"}, ""},
	{"8.4", "a flow of a split cannot go anywhere", "s(f{a}>c g{b}) c", "", []string{"{a|b} => FAILED"}, "flow f"},
	{"8.4", "a split of one flow", "s(f{a>b b})>c c", "", []string{"{a b} c => COMPLETED"}, ""},
	{"8.4", "a split is the last element of the job", "a>s s(f{b} g{c})", "", []string{"a {b|c} => COMPLETED"}, ""},
	{"8.4", "flows of a split run at the same time", "s(f{a} g{b})>c c", "a=@b:", []string{"{a|b} c => COMPLETED"}, ""},
	{"8.4", "whichever flow comes first in the document", "s(f{a} g{b})>c c", "b=@a:", []string{"{a|b} c => COMPLETED"}, ""},
	{"8.4", "inner splits run at the same time, too", "s(f{u(h{x} k{y})} g{c})", "x=@y: y=@c:", []string{"{{x|y}|c} => COMPLETED"}, ""},
	{"8.4", "a flow of a split cannot go to its sibling", "s(f{a}>g g{b})", "", []string{"{a|b} => FAILED"}, `flow f: it cannot go to "g"`},
	{"8.4", "nor by an element", "s(f{a}[*->e] g{b}) e", "", []string{"{a|b} => FAILED"}, `flow f: it cannot go to "e"`},
	{"8.4", "a step in a split cannot go outside", "s(f{a>e} g{b}) e", "", []string{"{a|b} => FAILED"}, `"e"`},
	{"8.4", "a flow of a split without elements", "s(f{} g{b})", "", []string{"{|b} => FAILED"}, "flow f: want at least one element"},
	{"8.4", "a flow of a split may end the job", "s(f{a}[X=end/E] g{b})>c c", "a=X", []string{"{a=X|b} => COMPLETED/E"}, ""},
	{"8.4", "or not, by its exit status", "s(f{a}[X=end/E] g{b})>c c", "a=Y", []string{"{a=Y|b} c => COMPLETED"}, ""},
	{"8.4.1", "a failed flow lets its siblings run to their end", "s(f{a} g{b>c c>e e})>h h", "a=! b=@a:", []string{"{a!|b c e} => FAILED"}, "step a: no good"},
	{"8.4.1", "a flow that stops the job lets its siblings run to their end", "s(f{a[*=stop]} g{b>c c})>h h", "b=@a:", []string{"{a|b c} => STOPPED"}, ""},
	{"8.4.1", "FAILED wins wherever it stands in the document", "s(f{a} g{b[*=stop/S]})", "a=!", []string{"{a!|b} => FAILED"}, "step a: no good"},
	{"8.4.1", "the exit status of the flow that wins counts", "s(f{a[*=fail/F]} g{b[*=stop/S]})", "", []string{"{a|b} => FAILED/F"}, "transition"},
	{"8.4.1", "of equal ones the first one in the document, though it is slower", "s(f{a[*=end/ONE]} g{b[*=end/TWO]})", "a=@b:", []string{"{a|b} => COMPLETED/ONE"}, ""},
	{"8.4.1", "two failed flows", "s(f{a} g{b})", "a=! b=!", []string{"{a!|b!} => FAILED"}, "step a: no good (1 more flows of the split failed)"},
	{"8.4.1", "a flow that stops tells where the restart begins", "s(f{a[*=stop@z]} g{b})>y y z", "", []string{"{a|b} => STOPPED @z", "z => COMPLETED"}, ""},
	{"8.4.1", "an inner split ends the job, too", "s(f{u(h{x[*=end/E]})>b b} g{c})>e e", "", []string{"{{x}|c} => COMPLETED/E"}, ""},
	{"8.4.1", "a flow goes on to its own end only", "s(f{a[*=end]} g{b>c c})>e e", "", []string{"{a|b c} => COMPLETED"}, ""},
	{"8.4.1", "the exit statuses that flows give the job count in the order of the document", "s(f{a} g{b})", "a=job:A b=@a:job:B", []string{"{a|b} => COMPLETED/B"}, ""},
	{"8.4.1", "and not in that of time", "s(f{a} g{b})", "a=@b:job:A b=job:B", []string{"{a|b} => COMPLETED/B"}, ""},
	{"8.4.1", "decisions in flows count in the same way", "s(f{a>d d?[*->b] b} g{c>k k?[*->e] e})>h h", "d=D k=K", []string{"{a d(a) b|c k(c) e} h => COMPLETED/K"}, ""},
	{"8.4.1", "a panic in a flow fails the job, not the agent", "s(f{a} g{b})>c c", "a=panic", []string{"{a!|b} => FAILED"}, "panic: oh dear"},

	// Decisions.
	{"8.5", "the answer is compared and becomes the exit status of the job", "a>d d?[X->b] b", "d=X", []string{"a d(a) b => COMPLETED/X"}, ""},
	{"8.5", "without a match the job fails", "a>d d?[X->b] b", "d=Y", []string{"a d(a) => FAILED/Y"}, `decision d: no transition matches the exit status "Y"`},
	{"8.5.2", "an exception fails the job without a look at the elements", "a>d d?[FAILED->b *->b] b", "d=!", []string{"a d(a) => FAILED"}, "decision d: no good"},
	{"8.5.2", "so does a panic", "a>d d?[*->b] b", "d=panic", []string{"a d(a) => FAILED"}, "decision d: panic: oh dear"},
	{"9.6", "a decider that has no answer matches nothing", "a>d d?[*->b] b", "d=-", []string{"a d(a) => FAILED"}, "returned no exit status"},
	{"8.5.2", "an exception in a decision of a flow", "f{a>d d?[*->b] b}>c c", "d=!", []string{"a d(a) => FAILED"}, "decision d: no good"},
	{"8.5.2", "an exception in a decision of a split lets the other flows end", "s(f{a>d d?[*->b] b} g{c})>e e", "d=!", []string{"{a d(a)|c} => FAILED"}, "decision d: no good"},
	{"8.5", "a decision without a match in a flow fails the job", "f{a>d d?[X->b] b}>c c", "d=Y", []string{"a d(a) => FAILED/Y"}, "no transition matches"},
	{"8.5", "patterns of a decision have wildcards", "a>d d?[GO*->b WAIT?=stop] b", "d=WAIT1", []string{"a d(a) => STOPPED/WAIT1"}, ""},
	{"9.6", "a decider behind a flow gets its last step", "f{a>b b}>d d?[*=end]", "b=X d=Y", []string{"a b=X d(b=X) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a step gets that step only", "a>b b>d d?[*=end]", "a=1 b=2 d=Y", []string{"a=1 b=2 d(b=2) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a decision gets what that one got", "a>d d?[*->k] k?[*=end]", "a=1 d=X k=Y", []string{"a=1 d(a=1) k(a=1) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a step that failed", "a[FAILED->d] d?[*=end]", "a=! d=Y", []string{"a! d(a!) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a split gets the last step of each flow, in the order of the document", "s(f{a>b b} g{c} h{e>i i})>d d?[*=end]", "a=@c: d=Y", []string{"{a b|c|e i} d(b c i) => COMPLETED/Y"}, ""},
	{"9.6", "a decider in a flow gets the step before it in the flow", "a>f f{b>d d?[*->c] c}", "b=1 d=Y", []string{"a b=1 d(b=1) c => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind splits in a split", "s(f{u(h{x} k{y})} g{c})>d d?[*=end]", "d=Y", []string{"{{x|y}|c} d(x y c) => COMPLETED/Y"}, ""},
	{"9.6", "a decider behind a flow that ends with a split gets a step of each of its flows", "f{a>s s(g{b} h{c>e e})}>d d?[*=end]", "d=Y", []string{"a {b|c e} d(b e) => COMPLETED/Y"}, ""},

	// Loops.
	{"8.9.3", "no step is reached twice", "a>b b[AGAIN->a]", "b=AGAIN", []string{"a b=AGAIN => FAILED"}, "step a: it is reached twice"},
	{"8.9.3", "no decision is reached twice", "a>d d?[1->b *->c] b>d c", "d=1", []string{"a d(a) b => FAILED/1"}, "decision d: it is reached twice"},
	{"8.9.3", "no step reaches itself", "a[*->a]", "", []string{"a => FAILED"}, "step a: it is reached twice in one execution"},
	{"8.9.3", "no flow is reached twice", "f{a}>b b[*->f]", "", []string{"a b => FAILED"}, "flow f: it is reached twice"},
	{"8.9.3", "no split is reached twice", "s(f{a})>b b[*->s]", "", []string{"{a} b => FAILED"}, "split s: it is reached twice"},
	{"8.9.3", "a loop inside a flow", "f{a>b b[*->a]}>c c", "", []string{"a b => FAILED"}, "step a: it is reached twice"},
	{"8.9.3", "a loop that is not taken is none", "a>b b[AGAIN->a *->c] c", "b=X", []string{"a b=X c => COMPLETED"}, ""},
	{"8.9.3", "a step that was skipped counts as reached", "a>b b[AGAIN->a FAILED=fail]", "b=!,AGAIN", []string{"a b! => FAILED", "-a b=AGAIN => FAILED"}, "step a: it is reached twice"},
	{"8.9.3", "the element of a restart counts as reached", "a[*=stop@b] b>c c[*->b]", "", []string{"a => STOPPED @b", "b c => FAILED"}, "step b: it is reached twice"},
	{"8.9.3", "a restart may reach what an earlier execution has reached", "a!>b b", "b=!,OK", []string{"a b! => FAILED", "a b=OK => COMPLETED"}, ""},

	// Restarts.
	{"10.8.4", "rule 3a: a completed step is skipped, by its old exit status", "a[X->b] b", "a=X b=!,OK", []string{"a=X b! => FAILED", "-a=X b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3a: its terminating element ends the job again", "a[BAD=fail *->b] b", "a=BAD", []string{"a=BAD => FAILED", "-a=BAD => FAILED"}, "completed in an earlier execution"},
	{"10.8.4", "rule 3a: end ends the job again", "a!>b b>c[X=end/E] c[*=fail]", "a=!,OK b=X", []string{"a! => FAILED", "a=OK b=X => COMPLETED/E"}, ""},
	{"10.8.4", "rule 3a: stop ends the job again, at the same place", "a[*=stop@a]", "", []string{"a => STOPPED @a", "-a => STOPPED @a"}, ""},
	{"10.8.4", "rule 3a: a skipped step goes on with next", "a>b b>c c", "a=X c=!,OK", []string{"a=X b c! => FAILED", "-a=X -b c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3a: a skipped step may end the job normally", "a>b[X=fail] b", "a=Y b=!,OK", []string{"a=Y b! => FAILED", "-a=Y b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3a: a restart may skip all that it reaches", "a>b b>c[*=stop] c", "", []string{"a b => STOPPED", "-a -b => STOPPED"}, ""},
	{"10.8.4", "rule 3a: a step that was not reached before runs", "a[1->b 2->c] b c", "a=!,2", []string{"a! => FAILED", "a=2 c => COMPLETED"}, ""},
	{"10.8.4", "rule 3b: it goes on by its new exit status", "a![1->b 2->c] b c", "a=1,2 b=!", []string{"a=1 b! => FAILED", "a=2 c => COMPLETED"}, ""},
	{"10.8.4", "rule 3b: it may fail now", "a!>b b", "a=OK,! b=!", []string{"a=OK b! => FAILED", "a! => FAILED"}, "step a: no good"},
	{"10.8.4", "rule 3b: then it runs again, too", "a!>b b", "a=OK,!,OK b=!,OK", []string{"a=OK b! => FAILED", "a! => FAILED", "a=OK b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3b: a completed step that may start again", "a!>b b", "b=!,OK", []string{"a b! => FAILED", "a b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: a failed step runs again", "a", "a=!,OK", []string{"a! => FAILED", "a=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: so does one that a transition had gone on from", "a>c[FAILED->b] b>c c", "a=!,OK c=!,OK", []string{"a! b c! => FAILED", "a=OK c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: a stopped step runs again", "a>b b", "a=~X,OK", []string{"a~=X => STOPPED", "a=OK b => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: it goes on by its new exit status", "a[1->b FAILED->c] b c", "a=!,1 c=!", []string{"a! c! => FAILED", "a=1 b => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: a failed step that may start again runs again, of course", "a!", "a=!,OK", []string{"a! => FAILED", "a=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3c: a restarted step gets the data of its last execution", "a", "a=data:1,data:2,data:3", []string{`a! => FAILED`, `a!="1" => FAILED`, `a!="2" => FAILED`}, "no good"},
	{"10.8.4", "rule 3d: a decision is always asked, with old and new step executions", "s(f{a} g{b})>d d?[*->c] c", "b=!,OK d=X", []string{"{a|b!} => FAILED", "{-a|b=OK} d(a b=OK) c => COMPLETED/X"}, ""},
	{"10.8.4", "rule 3d: its new answer counts", "a>d d?[1->b 2->c] b c", "d=1,2 b=!", []string{"a d(a) b! => FAILED/1", "-a d(a) c => COMPLETED/2"}, ""},
	{"10.8.4", "rule 3d: it gets the exit status of a step that was skipped", "a>d d?[*->b] b", "a=X d=D b=!,OK", []string{"a=X d(a=X) b! => FAILED/D", "-a=X d(a=X) b=OK => COMPLETED/D"}, ""},
	{"10.8.4", "rule 3d: behind a flow whose last step was skipped", "f{a>c c}>d d?[*->b] b", "c=X d=D b=!,OK", []string{"a c=X d(c=X) b! => FAILED/D", "-a -c=X d(c=X) b=OK => COMPLETED/D"}, ""},
	{"10.8.4", "rule 3d: a restart that begins at a decision gets the step that leads to it", "a[X=stop@d *->d] d?[*=end]", "a=X d=Y", []string{"a=X => STOPPED @d", "d(a=X) => COMPLETED/Y"}, ""},
	{"10.8.4", "rule 3d: of an earlier execution", "a>b b[1=stop@d *->d] d?[*=end]", "b=1 d=Y", []string{"a b=1 => STOPPED @d", "d(b=1) => COMPLETED/Y"}, ""},
	{"10.8.4", "rule 3d: or of each flow of a split", "s(f{a>c c} g{b})>d d?[X=stop@d *=end]", "d=X,Y", []string{"{a c|b} d(c b) => STOPPED/X @d", "d(c b) => COMPLETED/Y"}, ""},
	{"10.8.4", "rule 3d: or of the elements before the decision before", "a>k k?[*->d] d?[X=stop@d *=end]", "a=1 k=K d=X,Y", []string{"a=1 k(a=1) d(a=1) => STOPPED/X @d", "d(a=1) => COMPLETED/Y"}, ""},
	{"10.8.4", "rule 3e: a flow begins with its first element", "f{a>b b}>c c", "b=!,OK", []string{"a b! => FAILED", "-a b=OK c => COMPLETED"}, ""},
	{"10.8.4", "rule 3e: also if the restart begins at the flow", "a[1=stop@f *->f] f{b>c c}", "a=1 c=!,OK", []string{"a=1 => STOPPED @f", "b c! => FAILED", "-a=1 => STOPPED @f", "-b c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3e: a flow whose steps are all skipped goes on", "f{a>b b}>c c", "c=!,OK", []string{"a b c! => FAILED", "-a -b c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3e: its transitions match the old exit status of its last step", "f{a>b b}[X->c] c e", "b=X c=!,OK", []string{"a b=X c! => FAILED", "-a -b=X c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3e: a flow in a flow", "f{g{a>b b}>c c}>e e", "b=!,OK e=!,OK", []string{"a b! => FAILED", "-a b=OK c e! => FAILED", "-a -b=OK -c e=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3f: a split visits each of its flows", "s(f{a>b b} g{c})>e e", "b=!,OK", []string{"{a b!|c} => FAILED", "{-a b=OK|-c} e => COMPLETED"}, ""},
	{"10.8.4", "rule 3f: flows that are complete are skipped", "s(f{a} g{b})>e e", "e=!,OK", []string{"{a|b} e! => FAILED", "{-a|-b} e=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 3f: a flow that ended the job does it again", "s(f{a[*=stop]} g{b})>e e", "", []string{"{a|b} => STOPPED", "{-a|-b} => STOPPED"}, ""},
	{"10.8.4", "rule 3f: a split in a flow in a split", "s(f{a>u u(h{x} k{y})>b b} g{c})>e e", "y=!,OK", []string{"{a {x|y!}|c} => FAILED", "{-a {-x|y=OK} b|-c} e => COMPLETED"}, ""},
	{"10.8.4", "rule 2: the place belongs to the execution that ended there", "a!>b b[*=stop@c] c", "c=!,OK",
		[]string{"a b => STOPPED @c", "c! => FAILED", "a -b => STOPPED @c", "c=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 2: after a failure the restart begins at the first element", "a!>b b", "b=!,OK", []string{"a b! => FAILED", "a b=OK => COMPLETED"}, ""},
	{"10.8.4", "rule 2: a step that may start again before the place does not run", "a!>b b[*=stop@c] c", "", []string{"a b => STOPPED @c", "c => COMPLETED"}, ""},
	{"10.8.4", "rule 2: the place may stand behind a decision in the document", "a>d d?[*->b] b[*=stop@z] z", "d=X", []string{"a d(a) b => STOPPED/X @z", "z => COMPLETED"}, ""},
	{"10.8.4", "rule 2: a completed step at the place is skipped", "a>b b[1=stop@a *->c] c", "b=1", []string{"a b=1 => STOPPED @a", "-a -b=1 => STOPPED @a"}, ""},
	{"10.8.4", "rule 2: a stop on request restarts at the first element", "a>b b", "b=~,OK", []string{"a b~ => STOPPED", "-a b=OK => COMPLETED"}, ""},
	{"10.8.4", "an agent that was lost behind a step: the step is skipped, and its transition taken", "a[X->b] b", "a=X b=lost", []string{"a=X => FAILED"}, "step b: the attempt is over"},
	{"8.2", "start-limit counts the executions of the job instance", "a#2", "a=!", []string{"a! => FAILED", "a! => FAILED", "=> FAILED"}, "step a: it was started 2 times, its start limit is 2"},
	{"8.2", "start-limit 0 is no limit", "a#0", "a=!,!,!,OK", []string{"a! => FAILED", "a! => FAILED", "a! => FAILED", "a=OK => COMPLETED"}, ""},
	{"8.2", "a step whose limit is reached has no transition", "a#1[FAILED->b *->b] b!", "a=! b=!", []string{"a! b! => FAILED", "=> FAILED"}, "its start limit is 1"},
	{"8.2", "a completed step that is skipped needs no start", "a#1>b b", "b=!,OK", []string{"a b! => FAILED", "-a b=OK => COMPLETED"}, ""},
	{"8.2", "a completed step that may start again does", "a!#1>b b", "b=!,OK", []string{"a b! => FAILED", "=> FAILED"}, "step a: it was started 1 times"},
	{"8.2", "a limit in a flow", "f{a#1}>b b", "a=!", []string{"a! => FAILED", "=> FAILED"}, "step a"},
	{"8.2", "a limit in a split lets the other flows end", "s(f{a#1} g{b!})>c c", "a=!", []string{"{a!|b} => FAILED", "{|b} => FAILED"}, "step a"},
	{"8.2", "only the step itself counts", "a!>b b#2", "b=!,!", []string{"a b! => FAILED", "a b! => FAILED", "a => FAILED"}, "step b: it was started 2 times"},
	{"8.2", "stopped executions count", "a#2", "a=~", []string{"a~ => STOPPED", "a~ => STOPPED", "=> FAILED"}, "step a"},

	// Stop.
	{"11.13", "a stopped step stops the job", "a>b b", "a=~,OK", []string{"a~ => STOPPED", "a=OK b => COMPLETED"}, ""},
	{"11.13", "a stop between two steps", "a>b b", "a=^", []string{"a => STOPPED", "-a b => COMPLETED"}, ""},
	{"11.13", "a stop during a decision", "a>d d?[*->b] b", "d=~,X", []string{"a d(a) => STOPPED", "-a d(a) b => COMPLETED/X"}, ""},
	{"11.13", "a stop in the flows of a split", "s(f{a>b b} g{c})>e e", "a=@c:^ c=wait,OK", []string{"{a|c~} => STOPPED", "{-a b|c=OK} e => COMPLETED"}, ""},
	{"11.13", "a stopped step looks at no transition", "a[STOPPED->b *->b] b", "a=~", []string{"a~ => STOPPED"}, ""},
	{"11.13", "a step that fails after a stop fails the job", "a>b b", "a=^!", []string{"a! => FAILED"}, "step a: no good"},
	{"11.13", "a failed step that would be gone on from is not, after a stop", "a[FAILED->b] b", "a=^!", []string{"a! => STOPPED"}, ""},
	{"11.13", "a stop while the last step ends comes too late", "a>b b", "b=^", []string{"a b => COMPLETED"}, ""},
	{"11.13", "a terminating element after a stop still ends the job", "a>b[X=end/E] b", "a=^X", []string{"a=X => COMPLETED/E"}, ""},
	{"11.13", "a stop between two elements of a flow", "f{a>b b}>c c", "a=^", []string{"a => STOPPED", "-a b c => COMPLETED"}, ""},
	{"11.13", "a stop between a flow and the next element", "f{a}>b b", "a=^", []string{"a => STOPPED", "-a b => COMPLETED"}, ""},
	{"11.13", "a stop between a split and the next element", "s(f{a})>b b", "a=^", []string{"{a} => STOPPED", "{-a} b => COMPLETED"}, ""},
	{"11.13", "a stop before a decision: it is not asked", "a>d d?[*->b] b", "a=^ d=X", []string{"a => STOPPED", "-a d(a) b => COMPLETED/X"}, ""},
	{"11.13", "a stop while a decider answers", "a>d d?[*->b] b", "d=^X", []string{"a d(a) => STOPPED/X"}, ""},
	{"11.13", "a stop while a decider fails", "a>d d?[*->b] b", "d=^!", []string{"a d(a) => FAILED"}, "decision d: no good"},
	{"11.13", "a stop while a decider ends the job", "a>d d?[*=end]", "d=^X", []string{"a d(a) => COMPLETED/X"}, ""},
	{"11.13", "a stop reaches every flow of a split", "s(f{a} g{b} h{c})>e e", "a=@b:@c:~ b=wait c=wait", []string{"{a~|b~|c~} => STOPPED"}, ""},
	{"11.13", "a stop of a split with one flow between two steps is no failure", "s(f{a>b b})>c c", "a=^", []string{"{a} => STOPPED", "{-a b} c => COMPLETED"}, ""},
	{"11.13", "a flow that fails during a stop fails the job", "s(f{a} g{b})", "a=@b:^! b=wait", []string{"{a!|b~} => FAILED"}, "step a: no good"},
	{"11.13", "a stop on request wins over an element stop, so that a restart leaves nothing out", "s(f{a[*=stop/S@z]} g{b}) z", "a=@b:^ b=wait,OK", []string{"{a|b~} => STOPPED/S", "{-a|b=OK} => STOPPED/S @z", "z => COMPLETED"}, ""},
	{"11.13", "a stopped step keeps the exit status that it has set", "a>b b", "a=~HALF", []string{"a~=HALF => STOPPED"}, ""},
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.name] {
			t.Errorf("two rules are called %q", r.name)
		}
		seen[r.name] = true
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
