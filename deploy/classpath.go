package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

const (
	maxArtifacts = 2000 // of one class path
	maxAttempts  = 3    // to read a file that changes
)

// DeployPath deploys a class path of jars and class folders on the machine of
// the bus. If some entries cannot be deployed, it deploys nothing and returns
// [Errors], one for each of them, with pointers /classpath/<index>.
func (d *Deployer) DeployPath(ctx context.Context, app string, urls []string) (*Deployment, error) {
	defer collectEarly()()
	if err := checkApp(app); err != nil {
		return nil, err
	}
	base, err := d.readDeployed(ctx, app)
	if err != nil {
		return nil, err
	}
	var wrong Errors
	if len(urls) > maxArtifacts {
		wrong.addFault("/classpath", "at most "+strconv.Itoa(maxArtifacts)+" entries", strconv.Itoa(len(urls)))
		return nil, wrong
	}
	var jars []Artifact
	var warnings []string
	for i, u := range urls {
		l, ok := d.locateEntry(i, u)
		if !ok {
			wrong.addFault(l.pointer, wantURL, u)
			continue
		}
		a, more, err := d.storeLocation(ctx, &l)
		if want, known := l.explainFault(err); known {
			wrong.addFault(l.pointer, want, l.withReason(err))
			continue
		}
		if err != nil {
			return nil, wrapError(err, "deploy %s: %s", app, l.url)
		}
		a.Origin = l.url
		jars, warnings = append(jars, a), append(warnings, more...)
		if kept, _ := keepNewest(slices.Clone(jars)); len(wrong) == 0 { // before more is stored
			if err := d.checkAppQuota(app, kept); err != nil {
				return nil, wrapError(err, "deploy %s", app)
			}
		}
	}
	if err := wrong.orNil(); err != nil {
		return nil, err
	}
	return d.deployJars(ctx, app, base, jars, warnings)
}

// explainFault says what an entry must hold, given the error from storing it.
// For failures of the broker, of the bus's disk or of the caller, known is
// false.
func (l *location) explainFault(err error) (want string, known bool) {
	var own *spoolError
	var p *fs.PathError
	var closed *closedError
	switch {
	case errors.As(err, &closed):
		return "a jar or a class folder outside " + closed.folder, true
	case errors.Is(err, errSpecial):
		return "a jar or a class folder", true
	case errors.Is(err, errNoJar):
		return "a jar", true
	case errors.Is(err, errLarge):
		return "at most " + strconv.Itoa(maxFiles) + " files and " + strconv.Itoa(maxJar) + " bytes", true
	case errors.Is(err, objects.ErrContent):
		return "a jar that does not change while it is read", true
	case errors.As(err, &own), errors.Is(err, bus.ErrAway):
		return "", false
	case errors.As(err, &p):
		return wantAtPath(err), true
	}
	return "", false
}

// storeLocation stores the jar or folder of a class path entry. It retries a
// jar that changes while it is read.
func (d *Deployer) storeLocation(ctx context.Context, l *location) (a Artifact, warnings []string, err error) {
	from, name, done, err := l.open()
	if err != nil {
		return a, nil, err
	}
	defer func() { _ = done() }() // it was only read
	st, err := from.Stat(name)
	if err != nil {
		return a, nil, err
	}
	if l.dir = st.IsDir(); l.dir {
		return d.storeFolder(ctx, l, from, name)
	}
	for range maxAttempts {
		if a, err = d.storeJarFile(ctx, l, from, name); !errors.Is(err, objects.ErrContent) {
			break
		}
	}
	return a, nil, err
}

// storeFolder stores a folder as a jar. It follows no link out of the folder.
func (d *Deployer) storeFolder(ctx context.Context, l *location, from source, name string) (a Artifact, warnings []string, err error) {
	root, err := from.OpenRoot(name)
	if err != nil {
		return a, nil, err
	}
	defer func() { _ = root.Close() }() // it was only read
	s, err := d.spoolFile(func(w io.Writer) error {
		warnings, err = newFolderJar(ctx, w, root, d.closed).writeFolder(".")
		return err
	})
	if err != nil {
		return a, nil, err
	}
	defer s.closeAndRemove()
	for i := range warnings {
		warnings[i] = l.jarName() + "!/" + warnings[i]
	}
	a, _, err = d.createJar(ctx, l.jarName(), s.sum, s.File, s.size)
	return a, warnings, err
}

// storeJarFile reads a jar twice: first to hash it, then to store it. Both
// reads must give the same hash.
func (d *Deployer) storeJarFile(ctx context.Context, l *location, from source, name string) (a Artifact, err error) {
	f, st, err := openFile(from, name, d.closed)
	if err != nil {
		return a, err
	}
	defer f.Close()
	switch {
	case st.IsDir():
		return a, errSpecial
	case st.Size() > maxJar:
		return a, errLarge
	}
	h := sha256.New()
	n, err := io.Copy(h, ctxReader{ctx, io.NewSectionReader(f, 0, st.Size())})
	if err == nil {
		a, _, err = d.createJar(ctx, l.jarName(), hex.EncodeToString(h.Sum(nil)), f, st.Size())
	}
	now, serr := f.Stat()
	if n < st.Size() || err != nil && serr == nil && (now.Size() != st.Size() || now.ModTime() != st.ModTime()) {
		return a, wrapError(objects.ErrContent, "the file changed during the read")
	}
	return a, err
}
