package cli

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// exportedFile is a job that is written to a file.
type exportedFile struct {
	job, file string
	form      jsl.Format
	text      []byte
	result    string // written, unchanged or refused
	loses     bool   // the format cannot contain everything
}

const written = "written"

// exportFiles writes each job to a file of a folder. It checks all files before
// it writes the first.
func (inv *invocation) exportFiles(args []string, how *exportOptions) error {
	whole := len(args) == 0
	if whole {
		args = []string{"*"}
	}
	there, err := inv.filesThere(how.folder)
	if err != nil {
		return err
	}
	t, err := inv.expandJobs(args)
	if err != nil {
		return err
	}
	names := fileNames(t.all)
	var all []*exportedFile
	for _, one := range t.all {
		e := &exportedFile{job: one.name, form: jsl.Format(cmp.Or(how.form, string(jsl.YAML)))}
		e.file = filepath.Join(how.folder, names[one.name]+"."+string(e.form))
		if err := inv.prepareExport(e, there[one.name], how); err != nil {
			if t.single || isAway(err) || inv.ctx.Err() != nil {
				return err
			}
			e.result = refused
			why := inv.shortReason(err)
			fmt.Fprintf(inv.Err, "%s: %s\n", e.job, why)
		}
		all = append(all, e)
	}
	if slices.ContainsFunc(all, func(e *exportedFile) bool { return e.result == refused }) {
		fmt.Fprintln(inv.Err, "Nothing was written.")
		return ErrPrinted
	}
	for _, e := range all {
		if err := inv.writeExported(e, how); err != nil {
			return err
		}
	}
	inv.drawExported(all, how)
	if whole {
		inv.drawOrphans(all, there)
	}
	return nil
}

// filesThere returns the definitions in a folder by their jobs.
func (inv *invocation) filesThere(folder string) (map[string][]definition, error) {
	if info, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err == nil && !info.IsDir() {
		return nil, usageErrorf("-o %s: want a folder, or one of %s", folder, strings.Join(forms, ", "))
	}
	files, err := (&definitionSet{}).findFiles(folder)
	if err != nil {
		return nil, pathError(err)
	}
	there := map[string][]definition{}
	for _, file := range files {
		d, err := inv.definition(file)
		if err != nil {
			return nil, err
		}
		for _, one := range d.splitDocuments() {
			if id := one.jobID(); id != "" {
				there[id] = append(there[id], one)
			}
		}
	}
	return there, nil
}

// prepareExport decides whether to write a job and to which file. there are the
// existing definitions of the job.
func (inv *invocation) prepareExport(e *exportedFile, there []definition, how *exportOptions) (err error) {
	switch {
	case len(there) > 1:
		return fmt.Errorf("both %s and %s define it: delete one of them", there[0].file, there[1].file)
	case len(there) == 1 && there[0].part:
		return fmt.Errorf("%s also defines other jobs, so it is not rewritten", there[0].file)
	case len(there) == 1:
		if how.form != "" && jsl.Format(how.form) != there[0].form {
			return fmt.Errorf("%s defines it as %s: delete that file, or omit --format", there[0].file, there[0].form)
		}
		e.file, e.form = there[0].file, there[0].form
	default:
		if _, err := os.Lstat(e.file); err == nil && !how.force {
			return fmt.Errorf("%s exists and does not define it: use --force to overwrite it", e.file)
		}
	}
	if e.text, err = inv.fileOf(e.job, e.form, how); err != nil {
		return err
	}
	e.result = written
	if len(there) == 1 && bytes.Equal(there[0].text, e.text) {
		e.result = unchanged
	}
	if (len(there) == 0 || e.result == unchanged) && e.form != jsl.XML || how.definition {
		return nil
	}
	text := e.text
	if len(there) == 1 {
		text = there[0].text
	}
	j, _, err := inv.client.PreviewJob(inv.ctx, inv.app, "application/"+string(e.form), text)
	if err != nil {
		if _, err = problemFaults(err); err == nil { // the file has become invalid, and is replaced
			return nil
		}
		return err
	}
	if j.Result == unchanged && containsAll(e.form, text, j.Was) && len(there) == 1 {
		e.result = unchanged
	}
	e.loses = e.form == jsl.XML && !containsAll(jsl.JSON, []byte(`{"id":"a","steps":[{"id":"a"}]}`), j.Was)
	return nil
}

func (inv *invocation) writeExported(e *exportedFile, how *exportOptions) error {
	if e.result != written || how.dry {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(e.file), 0o777); err != nil {
		return pathError(err)
	}
	return pathError(writeWhole(e.file, e.text))
}

// writeWhole replaces a file atomically and keeps its permissions.
func writeWhole(name string, data []byte) error {
	if to, err := filepath.EvalSymlinks(name); err == nil {
		name = to // the link is kept
	}
	mode := fs.FileMode(0o666) // reduced by the umask
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)[:min(len(filepath.Base(name)), 200)]+".new")
	_ = os.Remove(temp) // left by a command that was killed
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	return renameInto(f, data, name)
}

func (inv *invocation) drawExported(all []*exportedFile, how *exportOptions) {
	p, counts := inv.outPage(), map[string]int{}
	would := map[bool]string{true: "would be "}[how.dry]
	for _, e := range all {
		if counts[e.result]++; e.result == written {
			fmt.Fprintf(p, "%s %s (%s)\n", e.job, p.inColor(green, would+written), e.file)
		}
		if e.loses {
			inv.printFault(e.file, 0, 0, faultWarning, "XML cannot contain the schedules, triggers and settings of the job; they are left out")
		}
	}
	var words []string
	if n := counts[written]; n > 0 {
		words = append(words, fmt.Sprintf("%d %s%s", n, would, written))
	}
	if n := counts[unchanged]; n > 0 {
		words = append(words, fmt.Sprintf("%d %s", n, unchanged))
	}
	fmt.Fprintf(p, "%s: %s.\n", countText(len(all), "job", "jobs"), cmp.Or(strings.Join(words, ", "), "nothing to write"))
	if how.dry {
		fmt.Fprintln(inv.Err, nothingChanged)
	}
}

// drawOrphans lists the files that define jobs which the application does not
// have.
func (inv *invocation) drawOrphans(all []*exportedFile, there map[string][]definition) {
	var files []string
	for job, of := range there {
		if !slices.ContainsFunc(all, func(e *exportedFile) bool { return e.job == job }) {
			files = append(files, of[0].file)
		}
	}
	if len(files) > 0 {
		slices.Sort(files)
		fmt.Fprintf(inv.Err, "The application %s does not have the jobs that these files define: %s.\n", inv.app, strings.Join(files, ", "))
	}
}

// maxFileName is the maximum number of bytes of a job's name in its file name:
// file systems allow 255.
const maxFileName = 180

// fileNames returns a file name for each job, without its extension. It does
// not depend on other jobs, except on those whose names differ only in case: on
// some systems they would be the same file.
func fileNames(jobs []target) map[string]string {
	folded := map[string]int{}
	for _, j := range jobs {
		folded[strings.ToLower(fileName(j.name))]++
	}
	names := map[string]string{}
	for _, j := range jobs {
		name := fileName(j.name)
		if folded[strings.ToLower(name)] > 1 {
			name += "~" + nameDigest(j.name)
		}
		names[j.name] = name
	}
	return names
}

// devices are names that Windows reserves, with any extension.
var devices = []string{"con", "prn", "aux", "nul"}

// fileName returns a file name for a job that is valid on every system.
func fileName(job string) string {
	var b strings.Builder
	for i := range len(job) {
		c := job[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	numbered := len(stem) == 4 && (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && stem[3] >= '0' && stem[3] <= '9'
	if slices.Contains(devices, stem) || numbered {
		name = fmt.Sprintf("%%%02X", name[0]) + name[1:]
	}
	if len(name) > maxFileName {
		name = name[:maxFileName] + "~" + nameDigest(job)
	}
	return name
}

func nameDigest(job string) string { return fmt.Sprintf("%.4x", sha256.Sum256([]byte(job))) }
