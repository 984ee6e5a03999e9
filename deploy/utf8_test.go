package deploy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNamesThatAreNoUTF8(t *testing.T) {
	const bad = "ausk\xfcnfte"
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.dir, "try-"+bad), nil, 0o600); err != nil {
		t.Skip(err) // the file system refuses such a name
	}
	legibly := func(t *testing.T, v any) {
		t.Helper()
		if s := fmt.Sprintf("%+v", v); !utf8.ValidString(s) {
			t.Errorf("no UTF-8 is in %q", s)
		}
	}
	outer := jarOf(jarEntry{"lib/" + bad + ".jar", batchletJar("a/A")}, jarEntry{bad + ".class", nil})
	dir := filepath.Dir(w.writeFile("classes-"+bad+"/b/B.class", classEntry("b/B", "javax/batch/api/Batchlet").data))
	dep := w.mustDeploy("shop", w.writeFile(bad+".war", outer), filepath.Dir(dir))
	legibly(t, dep)
	legibly(t, w.Components("shop"))
	legibly(t, w.Classpath("shop"))
	if got := ownClasses(w.Deployer, "shop"); got != "a.A b.B" {
		t.Errorf("components %q", got)
	}
	kept, err := w.Revision(t.Context(), "shop", 1)
	if err != nil || fmt.Sprintf("%+v", kept) != fmt.Sprintf("%+v", dep) {
		t.Errorf("stored is %+v, %v; answered was %+v", kept, err, dep)
	}
	t.Run("coordinates", func(t *testing.T) {
		jar := mavenJar("org.example", "shop", "1.0-"+bad)
		a, _, err := w.Store(t.Context(), ArtifactRef{Name: "shop.jar"}, bytes.NewReader(jar))
		if err != nil || a.Version == "" {
			t.Fatalf("Store = %+v, %v", a, err)
		}
		legibly(t, a)
	})
	t.Run("an upload's name", func(t *testing.T) {
		_, _, err := w.Store(t.Context(), ArtifactRef{Name: bad + ".jar"}, bytes.NewReader(outer))
		if err == nil || !strings.Contains(err.Error(), "/name: want a name in UTF-8") {
			t.Fatalf("error %v", err)
		}
		legibly(t, err)
	})
	t.Run("a file that is not a jar", func(t *testing.T) {
		_, err := w.DeployPath(t.Context(), "shop", []string{"file://" + filepath.Dir(w.dir) + "/ausk%FCnfte.jar"})
		if err == nil {
			t.Fatal("it was deployed")
		}
		legibly(t, err)
	})
}
