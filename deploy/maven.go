package deploy

import (
	"archive/zip"
	"bufio"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	version "github.com/masahiro331/go-mvn-version"
)

// coordinates say which Maven artifact a jar is.
type coordinates struct{ group, id, version string }

func (c coordinates) String() string { return c.group + ":" + c.id + ":" + c.version }

const (
	maxPom   = 16 << 10 // bytes of a pom.properties
	maxPoms  = 32       // in one jar: beyond, it is a bundle of others and no artifact itself
	maxPomID = 256      // bytes of a coordinate
	mavenKey = "maven"  // in the metadata of an object: all coordinates, with spaces between
)

// readPoms reads META-INF/maven/<group>/<artifact>/pom.properties. A jar that
// has others packed in it has theirs too.
func readPoms(z *zip.Reader) (all []coordinates) {
	for _, f := range z.File {
		if ok, err := path.Match("META-INF/maven/*/*/pom.properties", f.Name); !ok || err != nil {
			continue
		}
		if c, ok := readPom(f); ok {
			all = append(all, c)
		}
		if len(all) > maxPoms {
			return nil
		}
	}
	return all
}

func readPom(f *zip.File) (c coordinates, ok bool) {
	r, err := f.Open()
	if err != nil {
		return c, false
	}
	defer r.Close()
	lines := bufio.NewScanner(io.LimitReader(r, maxPom))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		switch value = legible(strings.TrimSpace(value)); strings.TrimSpace(key) {
		case "groupId":
			c.group = value
		case "artifactId":
			c.id = value
		case "version":
			c.version = value
		}
	}
	for _, s := range []string{c.group, c.id, c.version} {
		if s == "" || len(s) > maxPomID || strings.ContainsAny(s, ": \t") {
			return c, false
		}
	}
	return c, lines.Err() == nil
}

// joinPoms and splitPoms are how coordinates are kept in an object's metadata.
func joinPoms(all []coordinates) string {
	var s []string
	for _, c := range all {
		s = append(s, c.String())
	}
	return strings.Join(s, " ")
}

func splitPoms(s string) (all []coordinates) {
	for _, one := range strings.Fields(s) {
		if t := strings.Split(one, ":"); len(t) == 3 {
			all = append(all, coordinates{t[0], t[1], t[2]})
		}
	}
	return all
}

// own chooses the coordinates of the jar itself: the only ones, or those that
// its file is named after.
func own(name string, all []coordinates) coordinates {
	if len(all) == 1 {
		return all[0]
	}
	best := coordinates{}
	for _, c := range all {
		if base := strings.TrimSuffix(name, ".jar"); (base == c.id || strings.HasPrefix(base, c.id+"-"+c.version)) && len(c.id) > len(best.id) {
			best = c
		}
	}
	return best
}

// key is the same for the versions of one artifact; empty if it is not known
// which one the jar is. The classifier, which only the file's name tells, makes
// another artifact: shop-1.0-tests.jar is no version of shop-1.0.jar.
func (a *Artifact) key() string {
	if a.ID == "" {
		return ""
	}
	classifier, _ := strings.CutPrefix(strings.TrimSuffix(a.Name, ".jar"), a.ID+"-"+a.Version)
	if !strings.HasPrefix(classifier, "-") {
		classifier = ""
	}
	return a.Group + ":" + a.ID + ":" + classifier
}

// compareVersions is Maven's order.
func compareVersions(a, b string) int {
	x, err := version.NewVersion(a)
	y, err2 := version.NewVersion(b)
	if cmp.Or(err, err2) != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// newest leaves of each Maven artifact the newest version, in the place of the
// first one, and of each content one jar. Of the same version twice the first
// stays, as on a class path.
func newest(all []Artifact) (kept []Artifact, warnings []string) {
	for _, a := range all {
		i := slices.IndexFunc(kept, func(k Artifact) bool { return k.SHA256 == a.SHA256 || a.key() != "" && k.key() == a.key() })
		switch {
		case i < 0:
			kept = append(kept, a)
		case kept[i].SHA256 == a.SHA256:
			warnings = append(warnings, fmt.Sprintf("%s is left out: it is the same as %s", a.Name, kept[i].Name))
		case compareVersions(a.Version, kept[i].Version) > 0:
			warnings = append(warnings, leftOut(&kept[i], &a))
			kept[i] = a
		default:
			warnings = append(warnings, leftOut(&a, &kept[i]))
		}
	}
	return kept, warnings
}

func leftOut(a, by *Artifact) string {
	than := "newer than " + a.Version
	if compareVersions(by.Version, a.Version) == 0 {
		than = "the same version"
	}
	return fmt.Sprintf("%s is left out: %s is %s:%s %s, %s", a.Name, by.Name, by.Group, by.ID, by.Version, than)
}

// merge adds jars to a class path. A jar takes the place of an older or equal
// version of its artifact, or, if one of the two is no Maven artifact, of a jar
// of the same name.
func merge(current, added []Artifact) (all []Artifact, warnings []string, changed bool) {
	added, warnings = newest(added)
	all = slices.Clone(current)
	for _, a := range added {
		i := place(all, &a)
		switch {
		case i < 0:
			all, changed = append(all, a), true
		case all[i].SHA256 == a.SHA256: // it is there
		case a.key() != "" && a.key() == all[i].key() && compareVersions(a.Version, all[i].Version) < 0:
			warnings = append(warnings, leftOut(&a, &all[i]))
		default:
			all[i], changed = a, true
		}
	}
	return all, warnings, changed
}

// place is what a jar that is added replaces, or -1.
func place(all []Artifact, a *Artifact) int {
	for _, same := range []func(Artifact) bool{
		func(k Artifact) bool { return k.SHA256 == a.SHA256 },
		func(k Artifact) bool { return a.key() != "" && k.key() == a.key() },
		func(k Artifact) bool { return k.Name == a.Name && (a.key() == "" || k.key() == "") },
	} {
		if i := slices.IndexFunc(all, same); i >= 0 {
			return i
		}
	}
	return -1
}

// distinct gives each jar a name of its own: origins and warnings name jars,
// and an agent may make files of them. After a hyphen the number would be a
// classifier.
func distinct(all []Artifact) {
	taken := map[string]bool{}
	for i := range all {
		name, ext := all[i].Name, path.Ext(all[i].Name)
		for n := 2; taken[all[i].Name]; n++ {
			all[i].Name = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(name, ext), n, ext)
		}
		taken[all[i].Name] = true
	}
}
