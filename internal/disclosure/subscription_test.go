package disclosure

import (
	"slices"
	"testing"
	"time"
)

// TestSubscriptionTitle: what narrows a subscription is in its title.
func TestSubscriptionTitle(t *testing.T) {
	least, most := Money(100_000_000), Money(250_000_050)
	for want, f := range map[string]Filter{
		"全部公告":                   {},
		"区划 320902":              {Regions: []string{"320902"}},
		"1,000,000.00 元以上":       {AmountMin: &least},
		"项目 A1、2,500,000.50 元以下": {Projects: []string{"A1"}, AmountMax: &most},
	} {
		if got := (Subscription{Filter: f}).Title(&Catalog{}); got != want {
			t.Errorf("%+v is called %q, want %q", f, got, want)
		}
	}
}

// TestFitAmount: an amount loses its cents, and never the end of its 元.
func TestFitAmount(t *testing.T) {
	for amount, want := range map[string]string{"": "0", "12345678.90": "12345678.90", "123456789.00": "123456789", "1234567890.12": "1234567890", "12345678901.00": "0"} {
		if got, cut := FitField("amount1", amount, time.Time{}); got != want || cut != (amount != want && amount != "") {
			t.Errorf("%q becomes %q, cut %v", amount, got, cut)
		}
	}
}

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
