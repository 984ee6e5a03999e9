package classfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

const (
	batchlet = "javax/batch/api/Batchlet"
	reader   = "jakarta/batch/api/chunk/ItemReader"
	named    = "javax/inject/Named"
)

func jarOfClasses(sources ...classSource) []byte {
	var files []jarFile
	for _, s := range sources {
		files = append(files, s.fileAt(""))
	}
	return jarOf(files...)
}

func named1(text string) []annotationSource {
	return []annotationSource{{kind: "java/lang/Deprecated"}, {kind: named, text: text}}
}

var kinds = []struct {
	name string
	jars map[string][]byte
	want []string
	said []string
}{
	{"a class that implements Batchlet is one", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}}),
	}, []string{"a.B batchlet javax public"}, nil},
	{"an abstract class of the API stands for its interface", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", super: "jakarta/batch/api/chunk/AbstractItemWriter"}),
	}, []string{"a.B item-writer jakarta public"}, nil},
	{"the base class may lie in another jar", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", super: "base/Base"}),
		"b.jar": jarOfClasses(classSource{name: "base/Base", access: accPublic | accAbstract, implements: []string{batchlet}}),
	}, []string{"a.B batchlet javax public"}, nil},
	{"an interface may be extended in another jar", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{"base/Reads"}}),
		"b.jar": jarOfClasses(classSource{name: "base/Reads", access: accInterface | accAbstract, implements: []string{reader}}),
	}, []string{"a.B item-reader jakarta public"}, nil},
	{"several kinds are all listed in a fixed order", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/All", implements: []string{
			"javax/batch/api/partition/PartitionMapper", "javax/batch/api/Decider", "javax/batch/api/listener/StepListener",
			"javax/batch/api/listener/JobListener", "javax/batch/api/chunk/ItemProcessor", batchlet,
		}}),
	}, []string{"a.All batchlet item-processor listener decider partition-mapper on:job on:step javax public"}, nil},
	{"every listener says to what it listens", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/L", super: "javax/batch/api/chunk/listener/AbstractChunkListener", implements: []string{
			"javax/batch/api/chunk/listener/RetryWriteListener", "javax/batch/api/chunk/listener/RetryProcessListener",
			"javax/batch/api/chunk/listener/RetryReadListener", "javax/batch/api/chunk/listener/SkipWriteListener",
			"javax/batch/api/chunk/listener/SkipProcessListener", "javax/batch/api/chunk/listener/SkipReadListener",
			"javax/batch/api/chunk/listener/ItemWriteListener", "javax/batch/api/chunk/listener/ItemProcessListener",
			"javax/batch/api/chunk/listener/ItemReadListener",
		}}),
	}, []string{"a.L listener on:chunk on:item-read on:item-process on:item-write on:skip-read on:skip-process on:skip-write " +
		"on:retry-read on:retry-process on:retry-write javax public"}, nil},
	{"partitions and checkpoints have kinds of their own", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/P", super: "jakarta/batch/api/partition/AbstractPartitionReducer", implements: []string{
			"jakarta/batch/api/partition/PartitionAnalyzer", "jakarta/batch/api/partition/PartitionCollector",
			"jakarta/batch/api/chunk/CheckpointAlgorithm",
		}}),
	}, []string{"a.P checkpoint-algorithm partition-reducer partition-collector partition-analyzer jakarta public"}, nil},
	{"abstract classes and interfaces are no components", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", access: accPublic | accAbstract, implements: []string{batchlet}},
			classSource{name: "a/I", access: accInterface | accAbstract, implements: []string{batchlet}}),
	}, nil, nil},
	{"an exception is a throwable without a namespace", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/E", super: "a/Base"}, classSource{name: "a/Base", super: "java/io/IOException"},
			classSource{name: "a/W", super: "java/sql/SQLWarning"}, classSource{name: "a/B", super: "jakarta/batch/operations/BatchRuntimeException"}),
	}, []string{"a.B throwable", "a.Base throwable", "a.E throwable", "a.W throwable"}, nil},
	{"what only sounds like an exception is none", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/MyException"}),
	}, nil, nil},
	{"the classes of the API itself are no components", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "javax/batch/x/B", implements: []string{batchlet}}, classSource{name: "sun/X", super: "java/lang/Error"}),
	}, nil, nil},
	{"a component whose base is missing is a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", super: "lib/Gone", implements: []string{batchlet}}),
	}, nil, []string{"a.jar!/a/B.class: cannot be loaded: lib.Gone is not on the class path"}},
	{"classes that extend each other are a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/A", super: "a/B", implements: []string{batchlet}}, classSource{name: "a/B", super: "a/A"}),
	}, nil, []string{"a.jar!/a/A.class: cannot be loaded: it extends itself"}},
	{"the first class of a name wins", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}}),
		"b.jar": jarOfClasses(classSource{name: "a/B", implements: []string{reader}}),
	}, []string{"a.B batchlet javax public"}, nil},
	{"an application of both namespaces is a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}}),
		"b.jar": jarOfClasses(classSource{name: "b/R", implements: []string{reader}}),
	}, []string{"a.B batchlet javax public", "b.R item-reader jakarta public"}, []string{
		"b.jar!/b/R.class: uses jakarta.batch, but a.B in a.jar uses javax.batch: an application cannot use both",
	}},
	{"a class of both namespaces is a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet, reader}}),
	}, []string{"a.B batchlet item-reader javax public"}, []string{
		"a.jar!/a/B.class: uses javax.batch and jakarta.batch: no runtime supports both",
	}},
	{"who can make one is said", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/A", implements: []string{batchlet}, ctor: "@Inject"},
			classSource{name: "a/B", implements: []string{batchlet}, ctor: "args"},
			classSource{name: "a/C", implements: []string{batchlet}, ctor: "private"},
			classSource{name: "a/D", implements: []string{batchlet}, access: 0x20}),
	}, []string{"a.A batchlet javax inject", "a.B batchlet javax none", "a.C batchlet javax none", "a.D batchlet javax none"}, nil},
}

func TestKinds(t *testing.T) {
	for _, row := range kinds {
		t.Run(row.name, func(t *testing.T) {
			r := scanFiles(t, row.jars)
			diffLines(t, "components", r.componentLines(), row.want)
			diffLines(t, "warnings", r.warningLines(), row.said)
		})
	}
}

func batchXML(refs string) jarFile {
	return jarFile{name: "META-INF/batch.xml", body: []byte(`<batch-artifacts xmlns="http://xmlns.jcp.org/xml/ns/javaee">` + refs + `</batch-artifacts>`)}
}

var names = []struct {
	name string
	jars map[string][]byte
	want []string
	said []string
}{
	{"Named gives the name", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}, notes: named1("日本語")}),
	}, []string{"a.B batchlet ref:日本語 javax public"}, nil},
	{"characters beyond U+FFFF are read", map[string][]byte{
		"a.jar": jarOf(jarFile{name: "a/𝒳.class", body: classSource{
			name: "a/" + surrogates('𝒳'), implements: []string{batchlet}, notes: named1("x" + surrogates('😀')),
		}.assemble()}),
	}, []string{"a.𝒳 batchlet ref:x😀 javax public"}, nil},
	{"a bare Named gives an alias", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/Nightly", implements: []string{batchlet}, notes: named1("")}),
	}, []string{"a.Nightly batchlet alias:nightly javax public"}, nil},
	{"two capitals stay", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/URLReader", implements: []string{reader}, notes: []annotationSource{{kind: "jakarta/inject/Named"}}}),
	}, []string{"a.URLReader item-reader alias:URLReader jakarta public"}, nil},
	{"a member class has its own simple name", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/Outer$Inner", implements: []string{batchlet}, notes: named1(""), member: "Inner"},
			classSource{name: "a/Not$Inner", implements: []string{batchlet}, notes: named1("")}),
	}, []string{"a.Not$Inner batchlet alias:not$Inner javax public", "a.Outer$Inner batchlet alias:inner javax public"}, nil},
	{"another annotation gives no name", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}, notes: []annotationSource{
			{kind: "com/google/Named", text: "x"}, {kind: "x/Deep", value: nestedArrays(30)},
		}}),
	}, []string{"a.B batchlet javax public"}, nil},
	{"ids of batch xml are aliases before that of Named", map[string][]byte{
		"a.jar": jarOf(classSource{name: "a/B", implements: []string{batchlet}, notes: named1("")}.fileAt(""),
			batchXML(`<ref id="one" class="a.Old"/><ref id="two" class="a.B"/><ref id="one" class="a.B"/>`)),
	}, []string{"a.B batchlet alias:one alias:two alias:b javax public"}, nil},
	{"only the first batch xml counts", map[string][]byte{
		"a.jar": jarOf(batchXML(`<ref id="one" class="a.B"/>`)),
		"b.jar": jarOf(classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""), batchXML(`<ref id="two" class="a.B"/>`)),
	}, []string{"a.B batchlet alias:one javax public"}, []string{
		"b.jar!/META-INF/batch.xml: is skipped: a runtime uses only the first batch.xml, that of a.jar",
	}},
	{"an id that leads nowhere is a warning", map[string][]byte{
		"a.jar": jarOf(batchXML(`<ref id="one" class="a.Gone"/>`)),
	}, nil, []string{"a.jar!/META-INF/batch.xml: the id one refers to a.Gone, which is not a loadable component"}},
	{"a broken batch xml gives what stands before the mistake", map[string][]byte{
		"a.jar": jarOf(classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""), batchXML(`<ref id="one" class="a.B"/><ref id="&x;" class="a.B"/>`)),
	}, []string{"a.B batchlet alias:one javax public"}, []string{
		"a.jar!/META-INF/batch.xml: XML syntax error on line 1: invalid character entity &x;",
	}},
	{"two components of one name are a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/A", implements: []string{batchlet}, notes: named1("x")},
			classSource{name: "a/B", implements: []string{batchlet}, notes: named1("x")}),
	}, []string{"a.A batchlet ref:x javax public", "a.B batchlet ref:x javax public"}, []string{
		"a.jar!/a/B.class: has the same name, x, as a.A",
	}},
	{"control characters in a name are a warning", map[string][]byte{
		"a.jar": jarOfClasses(classSource{name: "a/B", implements: []string{batchlet}, notes: named1("\x1b[31m")}),
	}, nil, []string{"a.jar!/a/B.class: is skipped: its name contains control characters"}},
}

func TestNames(t *testing.T) {
	for _, row := range names {
		t.Run(row.name, func(t *testing.T) {
			r := scanFiles(t, row.jars)
			diffLines(t, "components", r.componentLines(), row.want)
			diffLines(t, "warnings", r.warningLines(), row.said)
		})
	}
}

func TestUnresolved(t *testing.T) {
	r := scanFiles(t, map[string][]byte{"a.jar": jarOfClasses(classSource{name: "a/A", super: "lib/Gone"}, classSource{name: "a/B", super: "lib/Gone"},
		classSource{name: "a/C", super: "javax/servlet/Servlet"}, classSource{name: "a/D", super: "javax/naming/NamingException"})})
	want := []Missing{{"javax.servlet.Servlet", "a.C", 1}, {"lib.Gone", "a.A", 2}}
	if len(r.Unresolved) != 2 || r.Unresolved[0] != want[0] || r.Unresolved[1] != want[1] {
		t.Errorf("unresolved: %v, want %v", r.Unresolved, want)
	}
	if r.Classes != 4 {
		t.Errorf("classes: %d, want 4", r.Classes)
	}
}

func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Scan(ctx, []Jar{jarInMemory("a.jar", jarOfClasses(classSource{name: "A"}))}, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestOpenIsTheOnlyOtherError(t *testing.T) {
	gone := errors.New("gone")
	_, err := Scan(t.Context(), []Jar{{Name: "a.jar", Open: func() (io.ReaderAt, int64, func() error, error) { return nil, 0, nil, gone }}}, "")
	if !errors.Is(err, gone) || err.Error() != "open a.jar: gone" {
		t.Errorf("error %v, want open a.jar: gone", err)
	}
}

func TestJarsAreClosed(t *testing.T) {
	opened, closed := 0, 0
	j := Jar{Name: "a.jar", Open: func() (io.ReaderAt, int64, func() error, error) {
		opened++
		return bytes.NewReader(nil), 0, func() error { closed++; return nil }, nil
	}}
	scanJars(t, j, j)
	if opened != 2 || closed != 2 {
		t.Errorf("opened %d, closed %d times, want 2", opened, closed)
	}
}
