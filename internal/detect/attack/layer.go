package attack

// maxLayers is how many layers, JSON included, lie one in the other.
const maxLayers = 16

// keepBuffer is the largest buffer that is kept for the next event, in bytes.
const keepBuffer = 8 << 20

// layer is what one encoding held: a JSON document, a form, or one value.
type layer struct {
	rungs   []string // what was undone
	round   int      // of the ladder; 0 for what is not its work
	scanner scanner
	json    bool
	name    []byte // of a form's field
	buf     []byte // unescaped strings, or what was decoded
	spare   []byte // of the ladder

	inflated bool // buf holds what was compressed
}

// push opens a layer for what is undone by what is called name; "" for the ladder,
// whose rungs are noted one by one. It reports false where too many are open.
func (in *inspection) push(name string) bool {
	if in.done {
		return false
	}
	if in.top == maxLayers {
		in.gap("depth", 0)
		return false
	}
	json := name == "json"
	if !json {
		in.undone++
	}
	round := 0
	if name == "" {
		round = in.layers[in.top].round + 1
	}
	in.top++
	l := &in.layers[in.top]
	l.rungs, l.json, l.name, l.round, l.inflated = l.rungs[:0], json, nil, round, false
	if name != "" {
		l.rungs = append(l.rungs, name)
	}
	return true
}

// clip reports whether this reading goes no deeper than the layer below the top
// one, which holds something, and notes that there is more to undo.
func (in *inspection) clip() bool {
	over := in.undone > in.limit
	in.clipped = in.clipped || over
	return over
}

func (in *inspection) pop() {
	l := &in.layers[in.top]
	if !l.json {
		in.undone--
	}
	if l.inflated && cap(l.buf) > keepBuffer {
		l.buf = nil // else each layer comes to hold as much
	}
	in.top--
}
