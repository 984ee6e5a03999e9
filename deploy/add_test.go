package deploy

import (
	"strings"
	"testing"
)

func TestJarsAreAdded(t *testing.T) {
	v := func(version string) []byte { return versioned("org.example", "shop", version) }
	for _, tc := range []struct {
		name     string
		add      ArtifactRef
		jar      []byte
		want     string // the class path
		revision int
		warning  string
	}{
		{"a newer version takes the old one's place", ArtifactRef{Name: "shop-1.10.jar"}, v("1.10"), "shop-1.10.jar lib.jar classes.jar", 2, ""},
		{"an older version is left out", ArtifactRef{Name: "shop-1.8.jar"}, v("1.8"), "shop-1.9.jar lib.jar classes.jar", 1, "shop-1.8.jar is left out: shop-1.9.jar is org.example:shop 1.9, newer than 1.8"},
		{"a snapshot is older", ArtifactRef{Name: "shop-1.9-SNAPSHOT.jar"}, v("1.9-SNAPSHOT"), "shop-1.9.jar lib.jar classes.jar", 1, "newer than 1.9-SNAPSHOT"},
		{"the same version anew takes its place", ArtifactRef{Name: "shop-1.9.jar"}, versioned("org.example", "shop", "1.9", class("shop/More", "javax/batch/api/Batchlet")), "shop-1.9.jar lib.jar classes.jar", 2, ""},
		{"the same jar changes nothing", ArtifactRef{Name: "shop-1.9.jar"}, v("1.9"), "shop-1.9.jar lib.jar classes.jar", 1, ""},
		{"another artifact goes to the end", ArtifactRef{Name: "bills-1.0.jar"}, versioned("org.example", "bills", "1.0"), "shop-1.9.jar lib.jar classes.jar bills-1.0.jar", 2, ""},
		{"another group is another artifact", ArtifactRef{Name: "shop-2.jar"}, versioned("com.example", "shop", "2"), "shop-1.9.jar lib.jar classes.jar shop-2.jar", 2, ""},
		{"another classifier is another artifact", ArtifactRef{Name: "shop-2-tests.jar"}, v("2"), "shop-1.9.jar lib.jar classes.jar shop-2-tests.jar", 2, ""},
		{"a jar of the same name takes its place", ArtifactRef{Name: "lib.jar"}, batchlets("lib/New"), "shop-1.9.jar lib.jar classes.jar", 2, ""},
		{"a name that is taken gets a number", ArtifactRef{Name: "shop-1.9.jar"}, versioned("com.example", "shop", "1.9"), "shop-1.9.jar lib.jar classes.jar shop-1.9~2.jar", 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.file("classes/a/A.class", class("a/A", "javax/batch/api/Batchlet").data)
			w.mustPath("shop", w.file("shop-1.9.jar", v("1.9")), w.file("lib.jar", batchlets("lib/Lib")), w.dir+"/classes")
			dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.store(tc.add.Name, tc.jar)})
			if err != nil {
				t.Fatal(err)
			}
			if got := names(dep.Artifacts); got != tc.want || dep.Revision != tc.revision || !dep.Current {
				t.Errorf("revision %d with %s, want %d with %s", dep.Revision, got, tc.revision, tc.want)
			}
			if told := strings.Join(dep.Warnings, "; "); !strings.Contains(told, tc.warning) || tc.warning == "" && told != "" {
				t.Errorf("warnings %q, want %q", told, tc.warning)
			}
			if n, jars := current(t, w.Deployer, "shop"); n != tc.revision || jars != tc.want {
				t.Errorf("current is %d with %s", n, jars)
			}
		})
	}
	t.Run("the first jar of an application", func(t *testing.T) {
		w := newWorld(t)
		if dep, err := w.Add(t.Context(), "shop", []ArtifactRef{w.store("a.jar", batchlets("a/A"))}); err != nil || dep.Revision != 1 || classes(w.Deployer, "shop") != "a.A" {
			t.Errorf("deployed %+v, %v", dep, err)
		}
	})
}
