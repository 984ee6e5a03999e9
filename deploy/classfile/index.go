package classfile

// index knows all classes of a class path. Names are numbered, and what extends
// what is kept by number: a class costs its name and some 100 bytes.
type index struct {
	ids     map[string]uint32
	names   []string // as in class files
	at      []int32  // by name: its class, or -1
	masks   []mask   // by name
	classes []indexed
	edges   []uint32 // names of super classes and interfaces
	named   map[int32]naming
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

// naming is what @Named says of a class.
type naming struct{ value, simple string }

var constructors = [...]Constructor{None, Inject, Public}

func newIndex() *index {
	return &index{ids: map[string]uint32{}, named: map[int32]naming{}}
}

// add takes a class, unless one of that name came before it.
func (x *index) add(c *class, origin int) {
	id := x.id(c.name)
	if x.at[id] >= 0 {
		return
	}
	edges := len(x.edges)
	if c.super != nil {
		x.edges = append(x.edges, x.id(c.super))
	}
	for _, name := range c.interfaces {
		x.edges = append(x.edges, x.id(name))
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
		x.named[x.at[id]] = naming{c.named, c.simple}
	}
	x.classes = append(x.classes, in)
	x.size += 24 + 4*int(in.edges) + len(c.named) + len(c.simple)
}

// full says whether no more classes are taken.
func (x *index) full() bool { return x.size > maxIndex }

// id returns the number of a name.
func (x *index) id(name []byte) uint32 {
	if id, ok := x.ids[string(name)]; ok {
		return id
	}
	id, s := uint32(len(x.names)), string(name)
	x.ids[s] = id
	x.names, x.at, x.masks = append(x.names, s), append(x.at, -1), append(x.masks, 0)
	x.size += len(name) + 80
	return id
}

func (x *index) parents(id uint32) []uint32 {
	if x.at[id] < 0 {
		return nil
	}
	c := x.classes[x.at[id]]
	return x.edges[c.edge : c.edge+uint32(c.edges)]
}

// reach returns all that a class is by its ancestors. It uses no recursion: how
// deep classes extend each other is up to strangers.
func (x *index) reach(id uint32) mask {
	stack := []uint32{id}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		switch {
		case x.masks[top]&done != 0:
		case x.masks[top]&open == 0:
			x.masks[top] = open
			for _, p := range x.parents(top) {
				if x.masks[p]&(done|open) == 0 {
					stack = append(stack, p)
				}
			}
			continue
		default:
			x.masks[top] = x.sum(top) | done
		}
		stack = stack[:len(stack)-1]
	}
	return x.masks[id]
}

// sum is what a name is, once its parents are known.
func (x *index) sum(id uint32) (m mask) {
	if m, ok := api[x.names[id]]; ok {
		return m
	}
	if x.at[id] < 0 {
		return ofPlatform(x.names[id])
	}
	for _, p := range x.parents(id) {
		if x.masks[p]&done == 0 {
			m |= missing // it extends itself, and cannot be loaded
		}
		m |= x.masks[p] &^ (open | done)
	}
	return m
}

// absent returns the first ancestor of a class that is not on the class path,
// "" if there is none: then the class extends itself.
func (x *index) absent(id uint32) string {
	seen := map[uint32]bool{}
	for stack := []uint32{id}; len(stack) > 0 && len(seen) < 1000; {
		id, stack = stack[len(stack)-1], stack[:len(stack)-1]
		if seen[id] || x.masks[id]&missing == 0 {
			continue
		}
		seen[id] = true
		if x.at[id] < 0 {
			return javaName(x.names[id])
		}
		stack = append(stack, x.parents(id)...)
	}
	return ""
}
