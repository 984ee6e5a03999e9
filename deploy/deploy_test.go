package deploy

import (
	"testing"
	"time"
)

func TestApplicationsAreIsolated(t *testing.T) {
	w := newWorld(t)
	w.mustPath("shop", w.file("shop.jar", batchlets("shop/A", "both/B")))
	w.mustPath("bank", w.file("bank.jar", batchlets("bank/A", "both/B")))
	w.mustPath("shop-2", w.file("shop2.jar", batchlets("shop2/A")))
	for app, want := range map[string]string{"shop": "both.B shop.A", "bank": "bank.A both.B", "shop-2": "shop2.A", "other": ""} {
		if got := classes(w.Deployer, app); got != want {
			t.Errorf("components of %s: %q, want %q", app, got, want)
		}
	}
	if err := w.Remove(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if n, jars := current(t, w.Deployer, "shop-2"); n != 1 || jars != "shop2.jar" {
		t.Errorf("current of shop-2 is %d with %s after shop was removed", n, jars)
	}
}

func TestDeployersKnowOfEachOther(t *testing.T) {
	w := newWorld(t)
	w.mustPath("shop", w.file("a.jar", batchlets("a/A")))
	other := w.another()
	w.run(other)
	if got := classes(other, "shop"); got != "a.A" {
		t.Errorf("components at the start: %q", got)
	}
	eventually := func(what, want string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); classes(other, "shop") != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("components after %s: %q, want %q", what, classes(other, "shop"), want)
			}
		}
	}
	w.mustPath("shop", w.file("b.jar", batchlets("b/B")))
	eventually("a deployment", "b.B")
	if _, err := w.MakeCurrent(t.Context(), "shop", 1); err != nil {
		t.Fatal(err)
	}
	eventually("the first was made current", "a.A")
	if err := w.Remove(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	eventually("the removal", "")
}
