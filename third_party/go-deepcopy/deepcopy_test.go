package deepcopy

import (
	"reflect"
	"testing"
)

type leaf struct{ N int }

type tree struct {
	Name   string
	Leaf   *leaf
	Leaves []*leaf
	By     map[string][]int
	Any    any
	Fixed  [2]*leaf
	None   *leaf
	hidden int
}

func sample() tree {
	return tree{Name: "a", Leaf: &leaf{1}, Leaves: []*leaf{{2}, nil, {3}}, By: map[string][]int{"x": {1, 2}}, Any: &leaf{4},
		Fixed: [2]*leaf{{5}, nil}, hidden: 6}
}

// A copy is equal and shares nothing.
func TestCopy(t *testing.T) {
	for name, src := range map[string]any{"of a value": sample(), "of a pointer": new(sample())} {
		var dst tree
		if err := Copy(&dst, src); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(dst, sample()) {
			t.Errorf("%s: %+v", name, dst)
		}
		dst.Leaf.N, dst.Leaves[0].N, dst.By["x"][0], dst.Any.(*leaf).N, dst.Fixed[0].N = 9, 9, 9, 9, 9
		if p, ok := src.(*tree); ok {
			src = *p
		}
		if !reflect.DeepEqual(src, sample()) {
			t.Errorf("%s shares: %+v", name, src)
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	var dst tree
	for name, err := range map[string]error{
		"into a value":       Copy(dst, sample()),
		"into nil":           Copy((*tree)(nil), sample()),
		"of another type":    Copy(&dst, leaf{1}),
		"of a nil pointer":   Copy(&dst, (*tree)(nil)),
		"of nothing":         Copy(&dst, nil),
		"of another pointer": Copy(&dst, &leaf{1}),
	} {
		if err == nil {
			t.Errorf("a copy %s is accepted", name)
		}
	}
}
