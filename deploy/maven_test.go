package deploy

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestMavenOrder(t *testing.T) {
	// By Maven's ComparableVersion each version is older than its right
	// neighbor.
	for _, row := range []string{
		"1.9 1.10", "1.0-alpha-1 1.0-beta-1", "1.0-beta-1 1.0-milestone-1", "1.0-M1 1.0-rc1", "1.0-cr1 1.0-SNAPSHOT", "1.0-SNAPSHOT 1.0",
		"1.0 1.0-sp", "1.0-sp 1.0.1", "1 1.1", "2.0 10.0", "1.0-rc2 1.0-rc10", "1.0.Beta2 1.0.Final", "20240101 20240102", "31.1-android 31.1-jre",
	} {
		older, newer, _ := strings.Cut(row, " ")
		if compareVersions(older, newer) >= 0 || compareVersions(newer, older) <= 0 {
			t.Errorf("%s is not older than %s", older, newer)
		}
	}
	for _, row := range []string{"1 1.0", "1.0.0 1", "1.0-ga 1.0", "1.0.RELEASE 1.0", "1.0.Final 1", "1.0-rc1 1.0-cr1", "1.0-SNAPSHOT 1-snapshot"} {
		a, b, _ := strings.Cut(row, " ")
		if compareVersions(a, b) != 0 {
			t.Errorf("%s and %s are not the same", a, b)
		}
	}
}

func TestWhichArtifactAJarIs(t *testing.T) {
	big := jarEntry{"META-INF/maven/g/big/pom.properties", []byte("groupId=g\nartifactId=big\nversion=" + strings.Repeat("1", 300))}
	for _, tc := range []struct {
		name, file string
		entries    []jarEntry
		want       string // identity and version
	}{
		{"a jar without a pom is none", "a.jar", nil, " "},
		{"one pom", "a.jar", []jarEntry{pomEntry("g", "shop", "1.0")}, "g:shop: 1.0"},
		{"the name of the version", "shop-1.0.jar", []jarEntry{pomEntry("g", "shop", "1.0")}, "g:shop: 1.0"},
		{"a classifier", "shop-1.0-tests.jar", []jarEntry{pomEntry("g", "shop", "1.0")}, "g:shop:-tests 1.0"},
		{"a number that we gave", "shop-1.0~2.jar", []jarEntry{pomEntry("g", "shop", "1.0")}, "g:shop: 1.0"},
		{"a snapshot with a time", "shop-1.0-20260101.120000-1.jar", []jarEntry{pomEntry("g", "shop", "1.0-SNAPSHOT")}, "g:shop: 1.0-SNAPSHOT"},
		{"a bundle is what its file is named after", "shop-1.0.jar", []jarEntry{pomEntry("g", "lib", "3"), pomEntry("g", "shop", "1.0"), pomEntry("g", "shop-api", "1.0")}, "g:shop: 1.0"},
		{"a bundle of the longest name", "shop-api-1.0.jar", []jarEntry{pomEntry("g", "shop", "api"), pomEntry("g", "shop-api", "1.0")}, "g:shop-api: 1.0"},
		{"a bundle of another name is none", "all.jar", []jarEntry{pomEntry("g", "lib", "3"), pomEntry("g", "shop", "1.0")}, " "},
		{"a pom elsewhere is none", "a.jar", []jarEntry{{"WEB-INF/META-INF/maven/g/shop/pom.properties", pomEntry("g", "shop", "1").data}}, " "},
		{"a pom without a version is none", "a.jar", []jarEntry{{"META-INF/maven/g/shop/pom.properties", []byte("groupId=g\nartifactId=shop\n")}}, " "},
		{"a version that is too long is none", "a.jar", []jarEntry{big}, " "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := jarOf(tc.entries...)
			z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			c := ownCoordinates(tc.file, splitPoms(joinPoms(readPoms(z))))
			a := Artifact{ArtifactRef: ArtifactRef{Name: tc.file}, Group: c.group, ID: c.id, Version: c.version}
			if got := a.mavenIdentity() + " " + a.Version; got != tc.want {
				t.Errorf("artifact %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("a bundle of very many is none", func(t *testing.T) {
		var all []jarEntry
		for i := range 50 {
			all = append(all, pomEntry("g", fmt.Sprint("a", i), "1"))
		}
		data := jarOf(all...)
		if got, err := inspectJar(bytes.NewReader(data), int64(len(data))); err != nil || len(got) != 0 {
			t.Errorf("%d artifacts, %v", len(got), err)
		}
	})
}

func TestTheDirectoryOfAJarIsBounded(t *testing.T) {
	data := batchletJar("a/A")
	limited := &limitedReaderAt{bytes.NewReader(data), 50}
	if _, err := zip.NewReader(limited, int64(len(data))); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}
