package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// appliedJob is the result of one job. The fields from Job on are the control
// bus's answer.
type appliedJob struct {
	File     string            `json:"file"` // empty for a job that no file defines
	Job      string            `json:"job,omitempty"`
	Result   string            `json:"result"`
	Errors   []definitionFault `json:"errors"`
	Warnings []string          `json:"warnings"`
	Was      json.RawMessage   `json:"was,omitempty"` // the job's file as the control bus has it
	Is       json.RawMessage   `json:"is,omitempty"`

	from *definition
	etag string // of the stored job
}

// applyPlan has the changes of all files. It is complete before the first
// change is made.
type applyPlan struct {
	*invocation
	how     *applyOptions
	found   *definitionSet
	all     []*appliedJob
	answers [][]byte
}

// planFiles checks all files with the control bus. Faults in a file are part of
// the plan and not of the error.
func (inv *invocation) planFiles(found *definitionSet, how *applyOptions) (*applyPlan, error) {
	p := &applyPlan{invocation: inv, how: how, found: found}
	if err := p.oneFileEach(); err != nil {
		return nil, err
	}
	for i := range found.all {
		a := &appliedJob{File: found.all[i].file, Errors: []definitionFault{}, from: &found.all[i]}
		if err := p.checkFile(a); err != nil {
			return nil, err
		}
		p.all = append(p.all, a)
	}
	if !how.prune {
		return p, nil
	}
	jobs, err := inv.allJobs()
	if err != nil {
		return nil, err
	}
	defined := map[string]bool{}
	for _, a := range p.all {
		defined[a.Job] = true
	}
	for _, j := range jobs {
		if !defined[j.Name] {
			p.all = append(p.all, &appliedJob{Job: j.Name, Result: pruned, Errors: []definitionFault{}})
		}
	}
	return p, nil
}

// oneFileEach refuses files that define the same job.
func (p *applyPlan) oneFileEach() error {
	var all []string
	for i, first := range p.found.duplicateOf() {
		if first != nil {
			d := &p.found.all[i]
			all = append(all, fmt.Sprintf("the job %s is defined in %s and in %s", d.jobID(), first.file, d.file))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(joinLines(append(all, "Nothing was written.")...))
}

// duplicateOf returns, for each definition, the one before it that defines the
// same job, or nil.
func (g *definitionSet) duplicateOf() []*definition {
	first, before := map[string]*definition{}, make([]*definition, len(g.all))
	for i := range g.all {
		d := &g.all[i]
		id := d.jobID()
		if id == "" {
			continue // its fault is reported elsewhere
		}
		if before[i] = first[id]; before[i] == nil {
			first[id] = d
		}
	}
	return before
}

// jobID returns the id of the job that a text defines, or "" if the text cannot
// be parsed.
func (d *definition) jobID() string {
	if file, _ := httpapi.ParseFile(d.form, d.text); file != nil && file.Job != nil {
		return file.Job.ID
	}
	return ""
}

// checkFile asks the control bus for the change that a file would cause.
func (p *applyPlan) checkFile(a *appliedJob) error {
	j, etag, err := p.client.PreviewJob(p.ctx, p.app, "application/"+string(a.from.form), a.from.text)
	if err != nil {
		a.Job, a.Result = a.from.jobID(), refused
		a.Errors, err = problemFaults(err)
		return err
	}
	a.Job, a.Result, a.Warnings, a.Was, a.Is, a.etag = j.Name, j.Result, j.Warnings, j.Was, j.Is, etag
	return nil
}

func (p *applyPlan) withResult(result string) (some []*appliedJob) {
	for _, a := range p.all {
		if a.Result == result {
			some = append(some, a)
		}
	}
	return some
}

func (p *applyPlan) countResult(result string) int { return len(p.withResult(result)) }

// wouldChange reports whether the plan has any changes.
func (p *applyPlan) wouldChange() bool {
	return p.countResult(created)+p.countResult(changed)+p.countResult(pruned) > 0
}

// skipAll prints the faults and marks all changes as skipped.
func (p *applyPlan) skipAll() {
	for _, a := range p.all {
		if a.Result == created || a.Result == changed || a.Result == pruned {
			a.Result = skipped
		}
		if p.printsTables() {
			p.printFaults(a.File, a.Errors, a.Warnings)
		}
	}
}

// showAll prints the planned changes.
func (p *applyPlan) showAll() error {
	for _, a := range p.all {
		if err := p.showJob(a); err != nil {
			return err
		}
	}
	return nil
}

// showJob prints the result of one job. Unchanged jobs of a folder are only
// counted.
func (p *applyPlan) showJob(a *appliedJob) error {
	if !p.printsTables() {
		answer, err := p.jobAnswer(a)
		p.answers = append(p.answers, answer)
		return err
	}
	if a.Result != unchanged || a.from.named {
		p.drawJobLine(p.outPage(), a)
	}
	if a.from != nil {
		p.printFaults(a.File, a.Errors, a.Warnings)
	}
	return nil
}

func (p *applyPlan) drawJobLine(out *page, a *appliedJob) {
	color := map[string]string{created: green, changed: yellow, pruned: red}[a.Result]
	what := a.Result
	if p.how.dry && what != unchanged {
		what = "would be " + what
	}
	place := "no file defines it"
	if a.from != nil {
		place = a.File
	}
	fmt.Fprintf(out, "%s %s (%s)\n", a.Job, out.inColor(color, what), place)
	if p.how.diff && (a.Result == created || a.Result == changed) {
		drawDiff(out, a.Job+" ("+p.app+")", a.File, fileText(a.Was), fileText(a.Is))
	}
}

// fileText returns a job's file as text for a diff.
func fileText(file json.RawMessage) string {
	if len(file) == 0 {
		return ""
	}
	text, _ := jsl.ToYAML(file)
	return string(text)
}

// printSummary writes the answers, or a line with the counts. err is the reason
// why the plan was not completed, or nil.
func (p *applyPlan) printSummary(err error) error {
	if !p.printsTables() {
		for _, a := range p.all[len(p.answers):] {
			answer, wrong := p.jobAnswer(a)
			if wrong != nil {
				return wrong
			}
			p.answers = append(p.answers, answer)
		}
		return p.writeAnswers(p.answers)
	}
	if p.found.folders || p.how.prune || len(p.all) > 1 {
		out := p.outPage()
		if err != nil || p.countResult(refused) > 0 {
			out = p.pageTo(p.Err, p.Err)
		}
		fmt.Fprintln(out, p.summaryText())
	}
	switch {
	case p.countResult(refused) > 0:
		fmt.Fprintln(p.Err, "Nothing was written.")
	case p.how.dry:
		fmt.Fprintln(p.Err, nothingChanged)
	}
	return nil
}

// summaryText returns the number of files and jobs with each result.
func (p *applyPlan) summaryText() string {
	var words []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	would := ""
	if p.how.dry {
		would = "would be "
	}
	for _, r := range []string{created, changed, pruned} {
		add(p.countResult(r), "%d %s%s", p.countResult(r), would, r)
	}
	for _, r := range []string{unchanged, refused, skipped} {
		add(p.countResult(r), "%d %s", p.countResult(r), r)
	}
	text := countText(len(p.all), "job", "jobs") + ": " + strings.Join(words, ", ") + "."
	if n := p.found.passed; n > 0 {
		text += fmt.Sprintf(" Ignored: %s (hidden or not a definition).", countText(n, "file", "files"))
	}
	return text
}
