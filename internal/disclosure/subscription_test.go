package disclosure

import (
	"slices"
	"testing"
)

// TestFilterWithoutSector: a sector is taken out of the sectors and types of a
// filter, and what would widen it is told apart.
func TestFilterWithoutSector(t *testing.T) {
	for _, tt := range []struct {
		sectors, types []string
		concerns, only bool
		left           []string // sectors and types without it
	}{
		{nil, nil, true, false, nil},
		{[]string{"land"}, nil, true, true, nil},
		{[]string{"land", "housing"}, nil, true, false, []string{"housing"}},
		{[]string{"housing"}, nil, false, false, []string{"housing"}},
		{nil, []string{"land.transfer_notice"}, true, true, nil},
		{nil, []string{"land.transfer_notice", "housing.plan"}, true, false, []string{"housing.plan"}},
		{[]string{"land", "housing"}, []string{"land.transfer_notice"}, true, true, []string{"housing"}},
		{[]string{"land", "housing"}, []string{"housing.plan"}, false, false, []string{"housing", "housing.plan"}},
		{[]string{"land", "housing"}, []string{"land.transfer_notice", "housing.plan"}, true, false, []string{"housing", "housing.plan"}},
	} {
		f := Filter{Sectors: tt.sectors, Types: tt.types}
		rest := f.Without("land")
		if f.Concerns("land") != tt.concerns || f.Only("land") != tt.only || !slices.Equal(slices.Concat(rest.Sectors, rest.Types), tt.left) {
			t.Errorf("%v %v: concerns %v, only %v, left %v", tt.sectors, tt.types, f.Concerns("land"), f.Only("land"), rest)
		}
		if !slices.Equal(f.Sectors, tt.sectors) || !slices.Equal(f.Types, tt.types) {
			t.Errorf("%v %v: the filter itself was changed", tt.sectors, tt.types)
		}
	}
}
