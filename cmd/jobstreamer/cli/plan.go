package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// applied is what becomes of a job. What follows it is the control bus's answer.
type applied struct {
	File     string          `json:"file"` // empty for a job that no file defines
	Job      string          `json:"job,omitempty"`
	Result   string          `json:"result"`
	Errors   []wrong         `json:"errors"`
	Warnings []string        `json:"warnings"`
	Was      json.RawMessage `json:"was,omitempty"` // the job's file as the control bus has it
	Is       json.RawMessage `json:"is,omitempty"`

	from *definition
	etag string // of the job that is there
}

// plan is what is to be done, for all files, before any of it is done.
type plan struct {
	*session
	how     *applying
	found   *gathered
	all     []*applied
	answers [][]byte
}

// plan judges all files. The error is not about what is in them.
func (s *session) plan(found *gathered, how *applying) (*plan, error) {
	p := &plan{session: s, how: how, found: found}
	if err := p.oneFileEach(); err != nil {
		return nil, err
	}
	for i := range found.all {
		a := &applied{File: found.all[i].file, Errors: []wrong{}, from: &found.all[i]}
		if err := p.judge(a); err != nil {
			return nil, err
		}
		p.all = append(p.all, a)
	}
	if !how.prune {
		return p, nil
	}
	jobs, err := s.allJobs()
	if err != nil {
		return nil, err
	}
	defined := map[string]bool{}
	for _, a := range p.all {
		defined[a.Job] = true
	}
	for _, j := range jobs {
		if !defined[j.Name] {
			p.all = append(p.all, &applied{Job: j.Name, Result: pruned, Errors: []wrong{}})
		}
	}
	return p, nil
}

// oneFileEach refuses files that define the same job.
func (p *plan) oneFileEach() error {
	var all []string
	for i, first := range p.found.twice() {
		if first != nil {
			d := &p.found.all[i]
			all = append(all, fmt.Sprintf("the job %s is defined in %s and in %s", d.job(), first.file, d.file))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(lines(append(all, "Nothing was written.")...))
}

// twice returns, for each definition, the one before it that defines the same job, or nil.
func (g *gathered) twice() []*definition {
	first, before := map[string]*definition{}, make([]*definition, len(g.all))
	for i := range g.all {
		d := &g.all[i]
		id := d.job()
		if id == "" {
			continue // what is wrong with it is said elsewhere
		}
		if before[i] = first[id]; before[i] == nil {
			first[id] = d
		}
	}
	return before
}

// job is the id of the job that a text defines, empty if it cannot be read.
func (d *definition) job() string {
	if file, _ := httpapi.ParseFile(d.form, d.text); file != nil && file.Job != nil {
		return file.Job.ID
	}
	return ""
}

// judge asks what would become of a file.
func (p *plan) judge(a *applied) error {
	j, etag, err := p.client.JudgeJob(p.ctx, p.app, "application/"+string(a.from.form), a.from.text)
	if err != nil {
		a.Job, a.Result = a.from.job(), refused
		a.Errors, err = refusal(err)
		return err
	}
	a.Job, a.Result, a.Warnings, a.Was, a.Is, a.etag = j.Name, j.Result, j.Warnings, j.Was, j.Is, etag
	return nil
}

func (p *plan) only(result string) (some []*applied) {
	for _, a := range p.all {
		if a.Result == result {
			some = append(some, a)
		}
	}
	return some
}

func (p *plan) count(result string) int { return len(p.only(result)) }

// differs reports whether something is to be done.
func (p *plan) differs() bool { return p.count(created)+p.count(changed)+p.count(pruned) > 0 }

// skip says what is wrong; nothing is done.
func (p *plan) skip() {
	for _, a := range p.all {
		if a.Result == created || a.Result == changed || a.Result == pruned {
			a.Result = skipped
		}
		if p.tables() {
			p.faults(a.File, a.Errors, a.Warnings)
		}
	}
}

// foresee says what would be done.
func (p *plan) foresee() error {
	for _, a := range p.all {
		if err := p.show(a); err != nil {
			return err
		}
	}
	return nil
}

// show says what became of a job. What is unchanged in a folder is counted only.
func (p *plan) show(a *applied) error {
	if !p.tables() {
		answer, err := p.answer(a)
		p.answers = append(p.answers, answer)
		return err
	}
	if a.Result != unchanged || a.from.named {
		p.draw(p.out(), a)
	}
	if a.from != nil {
		p.faults(a.File, a.Errors, a.Warnings)
	}
	return nil
}

func (p *plan) draw(out *page, a *applied) {
	color := map[string]string{created: green, changed: yellow, pruned: red}[a.Result]
	what := a.Result
	if p.how.dry && what != unchanged {
		what = "would be " + what
	}
	place := "no file defines it"
	if a.from != nil {
		place = a.File
	}
	fmt.Fprintf(out, "%s %s (%s)\n", a.Job, out.in(color, what), place)
	if p.how.diff && (a.Result == created || a.Result == changed) {
		drawDiff(out, a.Job+" ("+p.app+")", a.File, fileText(a.Was), fileText(a.Is))
	}
}

// fileText is a job's file as it is compared.
func fileText(file json.RawMessage) string {
	if len(file) == 0 {
		return ""
	}
	text, _ := jsl.ToYAML(file)
	return string(text)
}

// end writes the answers, or a line that says how much was done. err is why not all was.
func (p *plan) end(err error) error {
	if !p.tables() {
		for _, a := range p.all[len(p.answers):] {
			answer, wrong := p.answer(a)
			if wrong != nil {
				return wrong
			}
			p.answers = append(p.answers, answer)
		}
		return p.writeAnswers(p.answers)
	}
	if p.found.folders || p.how.prune || len(p.all) > 1 {
		out := p.out()
		if err != nil || p.count(refused) > 0 {
			out = p.pageTo(p.Err, p.Err)
		}
		fmt.Fprintln(out, p.sum())
	}
	switch {
	case p.count(refused) > 0:
		fmt.Fprintln(p.Err, "Nothing was written.")
	case p.how.dry:
		fmt.Fprintln(p.Err, "Nothing was changed: --dry-run.")
	}
	return nil
}

// sum says how many files and jobs there were, and what became of them.
func (p *plan) sum() string {
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
		add(p.count(r), "%d %s%s", p.count(r), would, r)
	}
	for _, r := range []string{unchanged, refused, skipped} {
		add(p.count(r), "%d %s", p.count(r), r)
	}
	text := count(len(p.all), "job", "jobs") + ": " + strings.Join(words, ", ") + "."
	if n := p.found.passed; n > 0 {
		text += fmt.Sprintf(" Passed over: %s, hidden or of another kind.", count(n, "file", "files"))
	}
	return text
}
