package classfile

// Limits for what comes from strangers. Real class paths stay far below: the
// largest known class is below 1 MB, the fullest jar has some 100,000 entries,
// and classes shrink to a half or a third.
const (
	maxClass   = 16 << 20  // bytes of one class
	maxNested  = 512 << 20 // bytes of one nested jar
	maxDepth   = 2         // of nested jars: a war in a zip, a jar in that war
	maxEntries = 1 << 18   // of one jar
	maxXML     = 1 << 20   // bytes of one META-INF/batch.xml
	maxRefs    = 10_000    // in it
	maxHead    = 64 << 10  // bytes of a manifest; what matters is at its beginning
	maxIndex   = 48 << 20  // bytes of names and edges of all classes
	maxFound   = 50_000    // components
	maxNesting = 32        // of annotations in annotations
	maxKept    = 8 << 20   // bytes of names of nested jars and versions that are kept while one jar is read

	maxAncestors = 64 << 10 // bytes of the names of all interfaces of one class

	maxWarnings   = 20  // of one jar
	maxAll        = 500 // of them all
	maxUnresolved = 1000
	maxShown      = 200 // bytes of a name in a warning

	javaRelease = 17 // versions of a multi-release jar beyond it are not for us
)

// A jar may be unpacked to so many bytes: a share that every jar has, and so
// much for each of its own bytes. An entry costs something as well, even one
// that is empty.
const (
	budgetBase  = 16 << 20
	budgetRatio = 16
	entryCost   = 128
	openCost    = 1 << 10
	nestedCost  = 16 << 10
)

// budget bounds the work that one jar of the class path can make, with all that
// is nested in it.
type budget struct{ left int64 }

func newBudget(size int64) *budget { return &budget{left: budgetBase + budgetRatio*size} }

// take says whether n more bytes are in the budget, and takes them. What is too
// large leaves the rest to others.
func (b *budget) take(n int64) bool {
	if n > b.left {
		return false
	}
	b.left -= n
	return true
}
