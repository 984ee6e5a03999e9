package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestAClassPathIsDeployed(t *testing.T) {
	w := newWorld(t)
	jar := w.writeFile("a/orders 1.jar", batchletJar("shop/Orders"))
	w.writeFile("target/classes/shop/Bills.class", classEntry("shop/Bills", "jakarta/batch/api/chunk/ItemReader").data)
	folder := w.dir + "/target/classes"
	for _, tc := range []struct {
		name string
		urls []string
	}{
		{"file URLs of three slashes", []string{fileURL(strings.ReplaceAll(jar, " ", "%20")), fileURL(folder)}},
		{"file URLs of one slash", []string{"file:" + strings.ReplaceAll(jar, " ", "%20"), "file:" + folder}},
		{"a slash after the folder", []string{fileURL(jar), fileURL(folder + "/")}},
		{"a host that is this one", []string{"file://localhost" + strings.ReplaceAll(jar, " ", "%20"), fileURL(folder)}},
		{"other characters encoded", []string{fileURL(strings.ReplaceAll(strings.ReplaceAll(jar, "o", "%6F"), " ", "%20")), fileURL(folder)}},
		{"paths", []string{jar, folder}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dep, err := w.DeployPath(t.Context(), "shop", tc.urls)
			if err != nil {
				t.Fatal(err)
			}
			if !dep.Current || artifactNames(dep.Artifacts) != "orders 1.jar classes.jar" || dep.Components != 2 || dep.Classes != 2 {
				t.Errorf("deployed %+v", dep)
			}
			if dep.Artifacts[1].Origin != tc.urls[1] {
				t.Errorf("origin %q, want %q", dep.Artifacts[1].Origin, tc.urls[1])
			}
			if got := ownClasses(w.Deployer, "shop"); got != "shop.Bills shop.Orders" {
				t.Errorf("components %q", got)
			}
		})
	}
	t.Run("what does not change is stored once", func(t *testing.T) {
		if all, err := w.objects.List(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%d objects are stored: %v", len(all), err)
		}
	})
	t.Run("nothing can be deployed", func(t *testing.T) {
		if dep, err := w.DeployPath(t.Context(), "shop", nil); err != nil || !dep.Current || ownClasses(w.Deployer, "shop") != "" {
			t.Errorf("deployed %+v, %v", dep, err)
		}
	})
}

func TestWhatCannotBeDeployed(t *testing.T) {
	w := newWorld(t)
	good := w.writeFile("good.jar", batchletJar("shop/Good"))
	text := w.writeFile("notes.jar", []byte("this is text"))
	cut := w.writeFile("cut.jar", batchletJar("shop/Good")[:60])
	first := w.mustDeploy("shop", good)
	if err := os.Symlink(w.dir+"/nowhere", w.dir+"/dangling.jar"); err != nil {
		t.Fatal(err)
	}
	w.writeFile("broken/a.txt", nil)
	if err := os.Symlink("nowhere", w.dir+"/broken/Gone.class"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, url, want string
	}{
		{"a missing file", fileURL(w.dir + "/none.jar"), "no such file"},
		{"a link to nothing", w.dir + "/dangling.jar", "no such file"},
		{"a folder with a link to nothing", w.dir + "/broken", "Gone.class: no such file"},
		{"text", text, "not a jar"},
		{"half a jar", cut, "not a jar"},
		{"an empty file", w.writeFile("empty.jar", nil), "not a jar"},
		{"a device", "/dev/zero", "not a regular file"},
		{"a relative path", "lib/good.jar", "want the file URL"},
		{"a relative URL", "file:lib/good.jar", "want the file URL"},
		{"another scheme", "https://example.org/good.jar", "want the file URL"},
		{"another host", "file://example.org/good.jar", "want the file URL"},
		{"a broken encoding", "file:///good%zz.jar", "want the file URL"},
		{"a fragment", fileURL(good) + "#x", "want the file URL"},
		{"nothing", "", "want the file URL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.DeployPath(t.Context(), "shop", []string{good, tc.url, good, tc.url})
			var wrong Errors
			if !errors.As(err, &wrong) || len(wrong) != 2 {
				t.Fatalf("error %v, want two of them", err)
			}
			if wrong[0].Path+wrong[1].Path != "/classpath/1/classpath/3" && wrong[1].Path+wrong[0].Path != "/classpath/1/classpath/3" {
				t.Errorf("places %s and %s", wrong[0].Path, wrong[1].Path)
			}
			if text := wrong[0].Error(); !strings.Contains(text, tc.want) || !strings.Contains(text, tc.url) {
				t.Errorf("error %q, want %q and the entry", text, tc.want)
			}
			var field *bus.FieldError
			if !errors.As(err, &field) {
				t.Error("the error is no FieldError")
			}
			if n, jars := currentRevision(t, w.Deployer, "shop"); n != first.Revision || jars != "good.jar" {
				t.Errorf("current is %d with %s: the old revision did not stay", n, jars)
			}
		})
	}
	t.Run("a class path of too many entries", func(t *testing.T) {
		if _, err := w.DeployPath(t.Context(), "shop", make([]string, maxArtifacts+1)); err == nil || !strings.Contains(err.Error(), "at most 2000") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a name that is none", func(t *testing.T) {
		if _, err := w.DeployPath(t.Context(), "a.b", []string{good}); err == nil || !strings.Contains(err.Error(), "/name") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a caller that is gone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.DeployPath(ctx, "shop", []string{w.writeFile("new.jar", batchletJar("shop/New"))}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// hookedContext is a context that calls a function whenever its Err is called,
// which happens before each read.
type hookedContext struct {
	context.Context
	asked func()
}

func (r hookedContext) Err() error {
	r.asked()
	return r.Context.Err()
}

func TestAJarThatChangesWhileItIsRead(t *testing.T) {
	w := newWorld(t)
	path := w.writeFile("a.jar", batchletJar("a/A"))
	n := 0
	ctx := hookedContext{t.Context(), func() {
		n++
		w.writeFile("a.jar", batchletJar(fmt.Sprint("a/A", n%10)))
	}}
	_, err := w.DeployPath(ctx, "shop", []string{path})
	if err == nil || !strings.Contains(err.Error(), "/classpath/0: want a jar that does not change") {
		t.Errorf("error %v", err)
	}
	if all, err := w.objects.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d objects are stored: %v", len(all), err)
	}
	n = 0
	ctx.asked = func() {
		if n++; n == 2 {
			w.writeFile("a.jar", batchletJar("a/Later"))
		}
	}
	if _, err = w.DeployPath(ctx, "shop", []string{path}); err != nil || ownClasses(w.Deployer, "shop") != "a.Later" {
		t.Errorf("a jar that changed once: %v, components %q", err, ownClasses(w.Deployer, "shop"))
	}
}

func TestTheNewestVersionOfAClassPathStays(t *testing.T) {
	w := newWorld(t)
	v := func(version string) string {
		return w.writeFile(version+"/shop-"+version+".jar", mavenJar("g", "shop", version))
	}
	other := w.writeFile("other.jar", batchletJar("o/O"))
	copied := w.writeFile("copy.jar", batchletJar("o/O"))
	dep := w.mustDeploy("shop", v("1.9"), other, v("1.10-rc1"), v("1.10"), v("1.2"), copied)
	if got := artifactNames(dep.Artifacts); got != "shop-1.10.jar other.jar" {
		t.Errorf("class path %s", got)
	}
	if a := dep.Artifacts[0]; a.Group != "g" || a.ID != "shop" || a.Version != "1.10" {
		t.Errorf("artifact %+v", a)
	}
	want := `shop-1.9.jar is skipped: shop-1.10-rc1.jar is g:shop 1.10-rc1, newer than 1.9
shop-1.10-rc1.jar is skipped: shop-1.10.jar is g:shop 1.10, newer than 1.10-rc1
shop-1.2.jar is skipped: shop-1.10.jar is g:shop 1.10, newer than 1.2
copy.jar is skipped: it has the same content as other.jar`
	if got := strings.Join(dep.Warnings, "\n"); got != want {
		t.Errorf("warnings:\n%s\nwant:\n%s", got, want)
	}
	if got := ownClasses(w.Deployer, "shop"); got != "o.O shop.v1_10" {
		t.Errorf("components %s", got)
	}
}
