package classfile

// Limits for untrusted jars. Real class paths stay far below: the largest known
// class is smaller than 1 MB, the largest known jar has about 100,000 entries,
// and compressed classes have a half or a third of their size.
const (
	maxClass   = 16 << 20  // bytes of one class
	maxNested  = 512 << 20 // bytes of one nested jar
	maxDepth   = 2         // of nested jars: a war in a zip, a jar in that war
	maxEntries = 1 << 18   // of one jar
	maxXML     = 1 << 20   // bytes of one META-INF/batch.xml
	maxRefs    = 10_000    // ids in one META-INF/batch.xml
	maxHead    = 64 << 10  // bytes read of a manifest; the main section comes first
	maxIndex   = 48 << 20  // bytes of names and edges of all classes
	maxFound   = 50_000    // components
	maxNesting = 32        // of annotations in annotations
	maxKept    = 8 << 20   // bytes of names of nested jars and versions that are kept while one jar is read

	maxAncestors = 64 << 10 // bytes of the names of all interfaces of one class

	maxWarnings   = 20  // of one jar
	maxAll        = 500 // warnings of all jars
	maxUnresolved = 1000
	maxShown      = 200 // bytes of a name in a warning

	javaRelease = 17 // newer versions in multi-release jars are ignored
)

// The budget of a jar is the number of bytes that it may unpack to: a fixed
// share plus a multiple of the jar's size. Each entry has a cost too, even an
// empty one.
const (
	budgetBase  = 16 << 20
	budgetRatio = 16
	entryCost   = 128
	openCost    = 1 << 10
	nestedCost  = 16 << 10
)

// budget bounds the work on one jar of the class path, including its nested
// jars.
type budget struct{ remaining int64 }

func newBudget(size int64) *budget { return &budget{remaining: budgetBase + budgetRatio*size} }

// trySpend subtracts n bytes from the budget and returns true, or returns false
// and subtracts nothing if fewer remain.
func (b *budget) trySpend(n int64) bool {
	if n > b.remaining {
		return false
	}
	b.remaining -= n
	return true
}
