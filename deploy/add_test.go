package deploy

import (
	"strings"
	"testing"
)

func TestJarsAreAdded(t *testing.T) {
	v := func(version string) []byte { return mavenJar("org.example", "shop", version) }
	for _, tc := range []struct {
		name     string
		add      ArtifactRef
		jar      []byte
		want     string // the class path
		revision int
		warning  string
	}{
		{"a newer version takes the old one's place", ArtifactRef{Name: "shop-1.10.jar"}, v("1.10"), "shop-1.10.jar lib.jar classes.jar", 2, ""},
		{"an older version is left out", ArtifactRef{Name: "shop-1.8.jar"}, v("1.8"), "shop-1.9.jar lib.jar classes.jar", 1, "shop-1.8.jar is skipped: shop-1.9.jar is org.example:shop 1.9, newer than 1.8"},
		{"a snapshot is older", ArtifactRef{Name: "shop-1.9-SNAPSHOT.jar"}, v("1.9-SNAPSHOT"), "shop-1.9.jar lib.jar classes.jar", 1, "newer than 1.9-SNAPSHOT"},
		{"the same version anew takes its place", ArtifactRef{Name: "shop-1.9.jar"}, mavenJar("org.example", "shop", "1.9", classEntry("shop/More", "javax/batch/api/Batchlet")), "shop-1.9.jar lib.jar classes.jar", 2, ""},
		{"the same jar changes nothing", ArtifactRef{Name: "shop-1.9.jar"}, v("1.9"), "shop-1.9.jar lib.jar classes.jar", 1, ""},
		{"another artifact goes to the end", ArtifactRef{Name: "bills-1.0.jar"}, mavenJar("org.example", "bills", "1.0"), "shop-1.9.jar lib.jar classes.jar bills-1.0.jar", 2, ""},
		{"another group is another artifact", ArtifactRef{Name: "shop-2.jar"}, mavenJar("com.example", "shop", "2"), "shop-1.9.jar lib.jar classes.jar shop-2.jar", 2, ""},
		{"another classifier is another artifact", ArtifactRef{Name: "shop-2-tests.jar"}, v("2"), "shop-1.9.jar lib.jar classes.jar shop-2-tests.jar", 2, ""},
		{"a jar of the same name takes its place", ArtifactRef{Name: "lib.jar"}, batchletJar("lib/New"), "shop-1.9.jar lib.jar classes.jar", 2, ""},
		{"a name that is taken gets a number", ArtifactRef{Name: "shop-1.9.jar"}, mavenJar("com.example", "shop", "1.9"), "shop-1.9.jar lib.jar classes.jar shop-1.9~2.jar", 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.writeFile("classes/a/A.class", classEntry("a/A", "javax/batch/api/Batchlet").data)
			w.mustDeploy("shop", w.writeFile("shop-1.9.jar", v("1.9")), w.writeFile("lib.jar", batchletJar("lib/Lib")), w.dir+"/classes")
			dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.storeJar(tc.add.Name, tc.jar)})
			if err != nil {
				t.Fatal(err)
			}
			if got := artifactNames(dep.Artifacts); got != tc.want || dep.Revision != tc.revision || !dep.Current {
				t.Errorf("revision %d with %s, want %d with %s", dep.Revision, got, tc.revision, tc.want)
			}
			if warnings := strings.Join(dep.Warnings, "; "); !strings.Contains(warnings, tc.warning) || tc.warning == "" && warnings != "" {
				t.Errorf("warnings %q, want %q", warnings, tc.warning)
			}
			if n, jars := currentRevision(t, w.Deployer, "shop"); n != tc.revision || jars != tc.want {
				t.Errorf("current is %d with %s", n, jars)
			}
		})
	}
	t.Run("the first jar of an application", func(t *testing.T) {
		w := newWorld(t)
		if dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.storeJar("a.jar", batchletJar("a/A"))}); err != nil || dep.Revision != 1 || ownClasses(w.Deployer, "shop") != "a.A" {
			t.Errorf("deployed %+v, %v", dep, err)
		}
	})
}
