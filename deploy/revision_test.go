package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestDeploymentsAtOnce(t *testing.T) {
	w := newWorld(t)
	const each = 5
	other := w.newDeployer()
	var refs [2 * each]ArtifactRef
	for i := range refs {
		refs[i] = w.storeJar(fmt.Sprintf("j%d.jar", i), batchletJar(fmt.Sprintf("j/J%d", i)))
	}
	var group sync.WaitGroup
	for i, d := range []*Deployer{w.Deployer, other} {
		group.Go(func() {
			for k := range each { // each bus adds half of all jars, and deploys one class path of its own
				if _, err := d.Add(t.Context(), "shop", []ArtifactRef{refs[i*each+k]}); err != nil {
					t.Error(err)
				}
				if _, err := d.Deploy(t.Context(), "bank", []ArtifactRef{refs[i*each+k]}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	_, jars := currentRevision(t, w.Deployer, "shop")
	for _, ref := range refs {
		if !strings.Contains(jars, ref.Name) {
			t.Errorf("%s was added and is not there: %s", ref.Name, jars)
		}
	}
	all, err := w.Revisions(t.Context(), "bank")
	if err != nil || len(all) != 2*each || !all[0].Current || all[0].Revision != 2*each {
		t.Errorf("%d revisions of bank, %v: %+v", len(all), err, all)
	}
	w.runDeployer(w.Deployer)
	w.runDeployer(other)
	if a, b := ownClasses(w.Deployer, "bank"), ownClasses(other, "bank"); a != b {
		t.Errorf("one has %s, the other %s", a, b)
	}
}

func TestABusThatDiesBetweenRecordAndPointer(t *testing.T) {
	w := newWorld(t)
	w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
	r := &revision{Revision: bus.Revision{App: "shop", CreateTime: subjects.Now()}}
	base, err := w.readDeployed(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.createRevision(t.Context(), base, &r.Revision); err != nil || r.Number != 2 {
		t.Fatalf("record %d, %v", r.Number, err)
	}
	if n, _ := currentRevision(t, w.Deployer, "shop"); n != 1 {
		t.Errorf("current is %d, want 1", n)
	}
	var state *bus.StateError
	if _, err := w.MakeCurrent(t.Context(), "shop", 2); !errors.As(err, &state) || state.Code != bus.CodeNoSuchRevision {
		t.Errorf("a revision that never was: %v", err)
	}
	if dep := w.mustDeploy("shop", w.writeFile("b.jar", batchletJar("b/B"))); dep.Revision != 3 || !dep.Current {
		t.Errorf("deployed %+v, want revision 3: no number is used twice", dep)
	}
	if all, err := w.Revisions(t.Context(), "shop"); err != nil || len(all) != 2 {
		t.Errorf("%d revisions, %v", len(all), err)
	}
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	deploy := func(i int) {
		t.Helper()
		if dep := w.mustDeploy("shop", w.writeFile("j.jar", batchletJar(fmt.Sprintf("j/J%d", i)))); dep.Revision != i {
			t.Fatalf("revision %d, want %d", dep.Revision, i)
		}
	}
	list := func() string {
		t.Helper()
		all, err := w.Revisions(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, d := range all {
			mark := ""
			if d.Current {
				mark = "*"
			}
			s = append(s, fmt.Sprint(d.Revision, mark))
		}
		return strings.Join(s, " ")
	}
	records := func() int {
		t.Helper()
		all, err := w.b.Revisions.List(t.Context(), "shop.*")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	expect := func(want string) {
		t.Helper()
		if got := list(); got != want {
			t.Errorf("revisions %s, want %s", got, want)
		}
		if n := records(); n != len(strings.Fields(want)) {
			t.Errorf("%d records, want %d", n, len(strings.Fields(want)))
		}
	}
	for i := 1; i <= 12; i++ {
		deploy(i)
	}
	expect("12* 11 10 9 8 7 6 5 4 3")
	if dep, err := w.MakeCurrent(t.Context(), "shop", 3); err != nil || !dep.Current || dep.Revision != 3 {
		t.Fatalf("MakeCurrent = %+v, %v", dep, err)
	}
	if got := ownClasses(w.Deployer, "shop"); got != "j.J3" {
		t.Errorf("components of revision 3: %s", got)
	}
	expect("12 11 10 9 8 7 6 5 4 3*")
	for _, n := range []int{0, 2, 13, -1} {
		var state *bus.StateError
		if _, err := w.MakeCurrent(t.Context(), "shop", n); !errors.As(err, &state) || state.Code != bus.CodeNoSuchRevision {
			t.Errorf("MakeCurrent(%d): %v", n, err)
		}
		if _, err := w.Revision(t.Context(), "shop", n); !errors.As(err, &state) {
			t.Errorf("Revision(%d): %v", n, err)
		}
	}
	deploy(13)
	expect("13* 12 11 10 9 8 7 6 5 4")
	if dep, err := w.Revision(t.Context(), "shop", 4); err != nil || dep.Current || len(dep.Artifacts) != 1 {
		t.Errorf("Revision(4) = %+v, %v", dep, err)
	}
}

func TestWhatIsKept(t *testing.T) {
	for _, tc := range []struct {
		name    string
		was     bus.Deployed
		number  int
		current int
		kept    string
	}{
		{"the first", bus.Deployed{}, 1, 1, "[1]"},
		{"the next", bus.Deployed{Current: 2, Last: 2, Kept: []int{1, 2}}, 3, 3, "[1 2 3]"},
		{"the next after an old one was made current", bus.Deployed{Current: 1, Last: 2, Kept: []int{1, 2}}, 3, 3, "[1 2 3]"},
		{"one that was overtaken", bus.Deployed{Current: 4, Last: 4, Kept: []int{1, 2, 4}}, 3, 4, "[1 2 3 4]"},
		{"one that was overtaken before an old one was made current", bus.Deployed{Current: 1, Last: 4, Kept: []int{1, 2, 4}}, 3, 1, "[1 2 3 4]"},
		{"the eleventh", bus.Deployed{Current: 10, Last: 10, Kept: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}, 11, 11, "[2 3 4 5 6 7 8 9 10 11]"},
		{"an old one is current", bus.Deployed{Current: 1, Last: 12, Kept: []int{1, 4, 5, 6, 7, 8, 9, 10, 12}}, 11, 1, "[1 4 5 6 7 8 9 10 11 12]"},
		{"an old one is current, besides ten", bus.Deployed{Current: 1, Last: 13, Kept: []int{1, 3, 4, 5, 6, 7, 8, 9, 10, 13}}, 12, 1, "[1 3 4 5 6 7 8 9 10 12 13]"},
		{"an old one is current, and ten are newer", bus.Deployed{Current: 1, Last: 13, Kept: []int{1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13}}, 12, 1, "[1 4 5 6 7 8 9 10 11 12 13]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := fmt.Sprint(tc.was.Kept)
			next := withRevision(tc.was, tc.number)
			if next.Current != tc.current || fmt.Sprint(next.Kept) != tc.kept || next.Last != max(tc.was.Last, tc.number) {
				t.Errorf("with(%v) = %+v, want current %d of %s", tc.number, next, tc.current, tc.kept)
			}
			if fmt.Sprint(tc.was.Kept) != before {
				t.Errorf("what was kept became %v", tc.was.Kept)
			}
		})
	}
}

func TestMakeCurrentMeetsADeployment(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
	}
	base, err := w.readDeployed(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	r := &revision{Revision: bus.Revision{App: "shop"}}
	if _, err := w.createRevision(t.Context(), base, &r.Revision); err != nil {
		t.Fatal(err)
	}
	w.mustDeploy("shop", w.writeFile("b.jar", batchletJar("b/B"))) // revision 5 overtakes 4
	head, err := w.promoteRevision(t.Context(), base, r)
	if err != nil || head.Current != 5 || fmt.Sprint(head.Kept) != "[1 2 3 4 5]" {
		t.Errorf("head %+v, %v: what was deployed later stays current", head, err)
	}
}

func TestRemove(t *testing.T) {
	w := newWorld(t)
	w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
	base, err := w.readDeployed(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // Remove is idempotent
		if err := w.Remove(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := w.Revisions(t.Context(), "shop"); err != nil || len(all) != 0 || ownClasses(w.Deployer, "shop") != "" {
		t.Errorf("%d revisions and the components %q are left: %v", len(all), ownClasses(w.Deployer, "shop"), err)
	}
	r := &revision{Revision: bus.Revision{App: "shop"}}
	if _, err := w.saveRevision(t.Context(), base, r); !errors.Is(err, errRemoved) {
		t.Errorf("a deployment that began before: %v, want %v", err, errRemoved)
	}
	if dep := w.mustDeploy("shop", w.dir+"/a.jar"); dep.Revision < 2 || !dep.Current {
		t.Errorf("deployed %+v: no number is used twice", dep)
	}
	if err := w.Remove(t.Context(), "never"); err != nil {
		t.Error(err)
	}
}

func TestARecordStaysWhileItMayBecomeCurrent(t *testing.T) {
	w := newWorld(t)
	w.mustDeploy("shop", w.writeFile("a.jar", batchletJar("a/A")))
	tap, b := bustest.Tapped(t, w.srv)
	d, err := New(Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ref := w.storeJar("b.jar", batchletJar("b/B"))
	tap.Hold(b.Deployed.Subject("shop")+" ", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond) // the client hangs up
	defer cancel()
	if _, err := d.Deploy(ctx, "shop", []ArtifactRef{ref}); !errors.Is(err, bus.ErrUnknown) {
		t.Errorf("a deployment whose outcome is open: %v, want %v", err, bus.ErrUnknown)
	}
	tap.Release(t)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		head, err := w.readDeployed(t.Context(), "shop")
		if err != nil || time.Now().After(end) {
			t.Fatalf("the write never came: %v", err)
		}
		if head.Value.Current == 2 {
			break
		}
	}
	if n, jars := currentRevision(t, w.Deployer, "shop"); n != 2 || jars != "b.jar" {
		t.Errorf("current is %d with %q, want 2 with b.jar", n, jars)
	}
}

func TestAWriteThatWasNeverSentIsNotUnknown(t *testing.T) {
	w := newWorld(t)
	base, err := w.readDeployed(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.writeDeployed(ctx, base, withRevision(base.Value, 1)); !errors.Is(err, context.Canceled) || errors.Is(err, bus.ErrUnknown) {
		t.Errorf("point = %v, want %v", err, context.Canceled)
	}
}
