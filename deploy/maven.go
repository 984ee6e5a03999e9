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

// coordinates identify the Maven artifact of a jar.
type coordinates struct{ group, id, version string }

func (c coordinates) String() string { return c.group + ":" + c.id + ":" + c.version }

const (
	maxPom   = 16 << 10 // bytes of a pom.properties
	maxPoms  = 32       // in one jar; a jar with more bundles others and has no identity itself
	maxPomID = 256      // bytes of a coordinate
	mavenKey = "maven"  // object metadata: all coordinates, separated by spaces
)

// readPoms reads all META-INF/maven/<group>/<artifact>/pom.properties. A jar
// that bundles other jars has theirs too.
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
		switch value = toValidUTF8(strings.TrimSpace(value)); strings.TrimSpace(key) {
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

// joinPoms encodes coordinates for an object's metadata; splitPoms decodes
// them.
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

// ownCoordinates chooses the coordinates of the jar itself: the only ones, or
// those that match its file name.
func ownCoordinates(name string, all []coordinates) coordinates {
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

// mavenIdentity returns group, id and classifier, which all versions of an
// artifact share. It returns "" if the jar's artifact is unknown. Only the file
// name has the classifier: shop-1.0-tests.jar is not a version of shop-1.0.jar.
func (a *Artifact) mavenIdentity() string {
	if a.ID == "" {
		return ""
	}
	classifier, _ := strings.CutPrefix(strings.TrimSuffix(a.Name, ".jar"), a.ID+"-"+a.Version)
	if !strings.HasPrefix(classifier, "-") {
		classifier = ""
	}
	return a.Group + ":" + a.ID + ":" + classifier
}

// compareVersions compares two versions in Maven's order.
func compareVersions(a, b string) int {
	x, err := version.NewVersion(a)
	y, err2 := version.NewVersion(b)
	if cmp.Or(err, err2) != nil {
		return strings.Compare(a, b)
	}
	return x.Compare(y)
}

// keepNewest keeps the newest version of each Maven artifact, at the position
// of the first one, and one jar of each content. If a version occurs twice, it
// keeps the first, as a JVM does.
func keepNewest(all []Artifact) (kept []Artifact, warnings []string) {
	for _, a := range all {
		i := slices.IndexFunc(kept, func(k Artifact) bool {
			return k.SHA256 == a.SHA256 || a.mavenIdentity() != "" && k.mavenIdentity() == a.mavenIdentity()
		})
		switch {
		case i < 0:
			kept = append(kept, a)
		case kept[i].SHA256 == a.SHA256:
			warnings = append(warnings, fmt.Sprintf("%s is skipped: it has the same content as %s", a.Name, kept[i].Name))
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
	return fmt.Sprintf("%s is skipped: %s is %s:%s %s, %s", a.Name, by.Name, by.Group, by.ID, by.Version, than)
}

// mergeJars adds jars to a class path. A jar replaces an older or equal version
// of its artifact. If one of the two is no Maven artifact, it replaces a jar of
// the same name.
func mergeJars(current, added []Artifact) (all []Artifact, warnings []string, changed bool) {
	added, warnings = keepNewest(added)
	all = slices.Clone(current)
	for _, a := range added {
		i := findReplaced(all, &a)
		switch {
		case i < 0:
			all, changed = append(all, a), true
		case all[i].SHA256 == a.SHA256: // already on the class path
		case a.mavenIdentity() != "" && a.mavenIdentity() == all[i].mavenIdentity() && compareVersions(a.Version, all[i].Version) < 0:
			warnings = append(warnings, leftOut(&a, &all[i]))
		default:
			all[i], changed = a, true
		}
	}
	return all, warnings, changed
}

// findReplaced returns the index of the jar that a replaces, or -1.
func findReplaced(all []Artifact, a *Artifact) int {
	for _, same := range []func(Artifact) bool{
		func(k Artifact) bool { return k.SHA256 == a.SHA256 },
		func(k Artifact) bool { return a.mavenIdentity() != "" && k.mavenIdentity() == a.mavenIdentity() },
		func(k Artifact) bool { return k.Name == a.Name && (a.mavenIdentity() == "" || k.mavenIdentity() == "") },
	} {
		if i := slices.IndexFunc(all, same); i >= 0 {
			return i
		}
	}
	return -1
}

// makeNamesUnique appends ~2, ~3, ... to repeated names: origins and warnings
// name jars, and an agent may store them as files. A hyphen instead of ~ would
// make the number look like a classifier.
func makeNamesUnique(all []Artifact) {
	taken := map[string]bool{}
	for i := range all {
		name, ext := all[i].Name, path.Ext(all[i].Name)
		for n := 2; taken[all[i].Name]; n++ {
			all[i].Name = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(name, ext), n, ext)
		}
		taken[all[i].Name] = true
	}
}
