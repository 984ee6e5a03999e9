package deploy

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestMissing(t *testing.T) {
	w := newWorld(t)
	w.runDeployer(w.Deployer)
	w.mustDeploy("shop", w.writeFile("shop.jar", jarOf(
		classEntry("shop/Orders", "javax/batch/api/Batchlet"),
		classEntry("shop/Reader", "javax/batch/api/chunk/ItemReader"),
		classEntry("shop/Writer", "javax/batch/api/chunk/ItemWriter"),
		classEntry("shop/JobEnd", "javax/batch/api/listener/JobListener"),
		classEntry("shop/StepEnd", "javax/batch/api/listener/StepListener"),
		classEntry("shop/Both", "javax/batch/api/Batchlet", "javax/batch/api/Decider"),
	)))
	step := func(inner string) string { return `{"id":"J","steps":[{"id":"S",` + inner + `}]}` }
	batchlet := func(ref string) string { return step(`"batchlet":{"ref":"` + ref + `"}`) }
	for _, tc := range []struct {
		name, app, job, want string
	}{
		{"a batchlet of the application", "shop", batchlet("shop.Orders"), ""},
		{"a built-in batchlet", "shop", batchlet("shell"), ""},
		{"a built-in batchlet without a class path", "bank", batchlet("shell"), ""},
		{"a batchlet that is none", "shop", batchlet("shop.None"), "/steps/0/batchlet/ref: shop has no batchlet named shop.None"},
		{"another case", "shop", batchlet("shop.orders"), "/steps/0/batchlet/ref: shop has no batchlet named shop.orders; there is shop.Orders"},
		{"another package", "shop", batchlet("Orders"), "/steps/0/batchlet/ref: shop has no batchlet named Orders; there is shop.Orders"},
		{"another kind", "shop", batchlet("shop.Reader"), "/steps/0/batchlet/ref: shop.Reader is an item reader, not a batchlet"},
		{"one of two kinds", "shop", batchlet("shop.Both"), ""},
		{"none of two kinds", "shop", step(`"chunk":{"reader":{"ref":"shop.Both"},"writer":{"ref":"shop.Writer"}}`), "/steps/0/chunk/reader/ref: shop.Both is a batchlet and a decider, not an item reader"},
		{"no class path", "bank", batchlet("shop.Orders"), "/steps/0/batchlet/ref: no class path is deployed to bank, and no built-in batchlet is named shop.Orders; built in: cli, shell"},
		{"no class path and nothing built in", "bank", step(`"chunk":{"reader":{"ref":"r"},"writer":{"ref":"w"}}`),
			"/steps/0/chunk/reader/ref: no class path is deployed to bank, and no built-in item reader is named r\n/steps/0/chunk/writer/ref: no class path is deployed to bank, and no built-in item writer is named w"},
		{"a parameter is not judged", "shop", batchlet("#{jobParameters['b']}"), ""},
		{"a part that is a parameter is not judged", "shop", batchlet("shop.#{jobParameters['b']}"), ""},
		{"a job listener", "shop", `{"id":"J","listeners":[{"ref":"shop.JobEnd"}],"steps":[{"id":"S","batchlet":{"ref":"shell"}}]}`, ""},
		{"a step listener of a job", "shop", `{"id":"J","listeners":[{"ref":"shop.StepEnd"}],"steps":[{"id":"S","batchlet":{"ref":"shell"}}]}`,
			"/listeners/0/ref: shop.StepEnd is a listener to step, not a job listener"},
		{"a job listener of a step", "shop", step(`"listeners":[{"ref":"shop.JobEnd"}],"batchlet":{"ref":"shell"}`),
			"/steps/0/listeners/0/ref: shop.JobEnd is a listener to job, not a step listener"},
		{"a step listener of a step", "shop", step(`"listeners":[{"ref":"shop.StepEnd"}],"batchlet":{"ref":"shell"}`), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j, err := jsl.ParseJSON([]byte(tc.job))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(w.Missing(tc.app, j), "\n"); got != tc.want {
				t.Errorf("Missing = %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("nothing is judged before it is known", func(t *testing.T) {
		j, err := jsl.ParseJSON([]byte(batchlet("shop.Orders")))
		if err != nil {
			t.Fatal(err)
		}
		if got := w.newDeployer().Missing("shop", j); got != nil {
			t.Errorf("Missing = %q", got)
		}
	})
}

func TestComponents(t *testing.T) {
	w := newWorld(t)
	w.mustDeploy("shop", w.writeFile("shop.jar", batchletJar("shop/Orders", "a/A")))
	var all []string
	for _, c := range w.Components("shop") {
		all = append(all, c.Class+" of "+c.Origin)
	}
	want := "cli of built-in, shell of built-in, a.A of shop.jar, shop.Orders of shop.jar"
	if got := strings.Join(all, ", "); got != want {
		t.Errorf("components %s, want %s", got, want)
	}
	if got := w.Components("bank"); len(got) != 2 {
		t.Errorf("components of an application that nothing is deployed to: %+v", got)
	}
}

func TestWhatIsKnownIsTheNewest(t *testing.T) {
	var k componentCache
	k.initCache(nil)
	k.putRevision("shop", 7, 2, &manifest{Components: []Component{{Class: "new"}}})
	k.putRevision("shop", 6, 1, &manifest{Components: []Component{{Class: "old"}}}) // a late watch update
	if all, _ := k.componentsOf("shop"); len(all) != 1 || all[0].Class != "new" {
		t.Errorf("known is %+v, want what was written last", all)
	}
}
