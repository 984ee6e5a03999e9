package classfile

// classIndex holds all classes of a class path. Names are numbered, and the
// relations between classes refer to numbers: a class costs its name and about
// 100 bytes.
type classIndex struct {
	ids     map[string]uint32
	names   []string // as in class files
	at      []int32  // by name number: index in classes, or -1
	masks   []mask   // by name number
	classes []indexed
	edges   []uint32 // name numbers of super classes and interfaces
	named   map[int32]namedBean
	origins []string
	size    int
}

type indexed struct {
	name        uint32
	origin      uint32
	edge        uint32 // the first one
	edges       uint16
	concrete    bool
	constructor uint8 // of constructors
}

// namedBean is the @Named annotation of a class.
type namedBean struct{ value, simple string }

var constructors = [...]Constructor{None, Inject, Public}

func newIndex() *classIndex {
	return &classIndex{ids: map[string]uint32{}, named: map[int32]namedBean{}}
}

// addClass adds a class, unless the index already has a class of that name.
func (x *classIndex) addClass(c *classInfo, origin int) {
	id := x.nameID(c.name)
	if x.at[id] >= 0 {
		return
	}
	edges := len(x.edges)
	if c.super != nil {
		x.edges = append(x.edges, x.nameID(c.super))
	}
	for _, name := range c.interfaces {
		x.edges = append(x.edges, x.nameID(name))
	}
	in := indexed{name: id, origin: uint32(origin), edge: uint32(edges), edges: uint16(len(x.edges) - edges)}
	in.concrete = c.access&(accInterface|accAbstract) == 0
	for i, k := range constructors {
		if k == c.constructor {
			in.constructor = uint8(i)
		}
	}
	x.at[id] = int32(len(x.classes))
	if c.isNamed {
		x.named[x.at[id]] = namedBean{c.named, c.simple}
	}
	x.classes = append(x.classes, in)
	x.size += 24 + 4*int(in.edges) + len(c.named) + len(c.simple)
}

// isFull reports whether the index accepts no more classes.
func (x *classIndex) isFull() bool { return x.size > maxIndex }

// nameID returns the number of a name. It assigns the next number to a new
// name.
func (x *classIndex) nameID(name []byte) uint32 {
	if id, ok := x.ids[string(name)]; ok {
		return id
	}
	id, s := uint32(len(x.names)), string(name)
	x.ids[s] = id
	x.names, x.at, x.masks = append(x.names, s), append(x.at, -1), append(x.masks, 0)
	x.size += len(name) + 80
	return id
}

func (x *classIndex) parentsOf(id uint32) []uint32 {
	if x.at[id] < 0 {
		return nil
	}
	c := x.classes[x.at[id]]
	return x.edges[c.edge : c.edge+uint32(c.edges)]
}

// maskOf returns the mask of a class, computed from its ancestors. It uses no
// recursion, because untrusted jars choose the depth of inheritance.
func (x *classIndex) maskOf(id uint32) mask {
	stack := []uint32{id}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		switch {
		case x.masks[top]&complete != 0:
		case x.masks[top]&visiting == 0:
			x.masks[top] = visiting
			for _, p := range x.parentsOf(top) {
				if x.masks[p]&(complete|visiting) == 0 {
					stack = append(stack, p)
				}
			}
			continue
		default:
			x.masks[top] = x.sumParents(top) | complete
		}
		stack = stack[:len(stack)-1]
	}
	return x.masks[id]
}

// sumParents computes the mask of a name from the masks of its parents.
func (x *classIndex) sumParents(id uint32) (m mask) {
	if m, ok := apiMasks[x.names[id]]; ok {
		return m
	}
	if x.at[id] < 0 {
		return ofPlatform(x.names[id])
	}
	for _, p := range x.parentsOf(id) {
		if x.masks[p]&complete == 0 {
			m |= ancestorMissing // it extends itself, so a JVM cannot load it
		}
		m |= x.masks[p] &^ (visiting | complete)
	}
	return m
}

// missingAncestor returns the first ancestor of a class that is not on the
// class path. If it returns "", the class extends itself.
func (x *classIndex) missingAncestor(id uint32) string {
	seen := map[uint32]bool{}
	for stack := []uint32{id}; len(stack) > 0 && len(seen) < 1000; {
		id, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if seen[id] || x.masks[id]&ancestorMissing == 0 {
			continue
		}
		seen[id] = true
		if x.at[id] < 0 {
			return javaName(x.names[id])
		}
		stack = append(stack, x.parentsOf(id)...)
	}
	return ""
}
