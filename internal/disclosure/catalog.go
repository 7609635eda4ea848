package disclosure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gongkai/internal/workday"
)

// Catalog is the disclosure catalogue (公开目录) at one moment: every sector,
// body, catalogue item, notice type and rule with its newest version, and the
// calendar. It is immutable and safe for concurrent use; the zero Catalog is empty.
type Catalog struct {
	Sectors []Sector      // by Sort
	Bodies  []Body        // by id
	Items   []CatalogItem // by annex and row
	Types   []*NoticeType // by sector, Sort and code
	Rules   []Rule        // by Sort and id

	sectors  map[string]*Sector
	bodies   map[string]*Body
	items    map[string]*CatalogItem
	types    map[string]*NoticeType
	rules    map[string]*Rule
	years    map[string]*workday.Year
	calendar *workday.Calendar
	versions map[typeVersion]*NoticeType
}

type typeVersion struct {
	code    string
	version int
}

// NewCatalog builds a catalogue from all versions of all definitions, in any
// order. It fails on a document that is not of its kind.
func NewCatalog(defs []Definition) (*Catalog, error) {
	c := &Catalog{
		sectors: map[string]*Sector{}, bodies: map[string]*Body{}, items: map[string]*CatalogItem{},
		types: map[string]*NoticeType{}, versions: map[typeVersion]*NoticeType{},
		rules: map[string]*Rule{}, years: map[string]*workday.Year{},
	}
	sorted := slices.Clone(defs)
	slices.SortFunc(sorted, func(a, b Definition) int { return cmp.Compare(a.Version, b.Version) })
	for _, def := range sorted {
		if err := c.put(def); err != nil {
			return nil, fmt.Errorf("disclosure: %s %s v%d: %w", def.Kind, def.ID, def.Version, err)
		}
	}
	c.order()
	years := workday.Published().Years()
	for _, y := range c.years {
		years = append(years, *y)
	}
	var err error
	if c.calendar, err = workday.New(years...); err != nil {
		return nil, fmt.Errorf("disclosure: calendar: %w", err)
	}
	return c, nil
}

func (c *Catalog) put(def Definition) error {
	switch def.Kind {
	case KindSector:
		return decodeInto(c.sectors, def)
	case KindBody:
		return decodeInto(c.bodies, def)
	case KindItem:
		return decodeInto(c.items, def)
	case KindNoticeType:
		if err := decodeInto(c.types, def); err != nil {
			return err
		}
		t := c.types[def.ID]
		t.Version = def.Version
		c.versions[typeVersion{def.ID, def.Version}] = t
		return nil
	case KindRule:
		return decodeInto(c.rules, def)
	case KindYear:
		return decodeInto(c.years, def)
	}
	return fmt.Errorf("unknown kind %q", def.Kind)
}

func decodeInto[T any](set map[string]*T, def Definition) error {
	v := new(T)
	if err := json.Unmarshal(def.Doc, v); err != nil {
		return err
	}
	set[def.ID] = v
	return nil
}

func (c *Catalog) order() {
	c.Sectors = collect(c.sectors, func(a, b *Sector) int {
		return cmp.Or(cmp.Compare(a.Sort, b.Sort), cmp.Compare(a.Code, b.Code))
	})
	c.Bodies = collect(c.bodies, func(a, b *Body) int { return cmp.Compare(a.ID, b.ID) })
	c.Items = collect(c.items, func(a, b *CatalogItem) int {
		return cmp.Or(cmp.Compare(annexOrder(a), annexOrder(b)), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID))
	})
	c.Rules = collect(c.rules, func(a, b *Rule) int {
		return cmp.Or(cmp.Compare(a.Sort, b.Sort), cmp.Compare(a.ID, b.ID))
	})
	c.Types = slices.SortedFunc(maps.Values(c.types), func(a, b *NoticeType) int {
		return cmp.Or(cmp.Compare(c.sectorSort(a.Sector), c.sectorSort(b.Sector)),
			cmp.Compare(a.Sort, b.Sort), cmp.Compare(a.Code, b.Code))
	})
}

// annexOrder puts the district's own items (annex 0) after the annexes.
func annexOrder(i *CatalogItem) int {
	if i.Annex == 0 {
		return 1 << 30
	}
	return i.Annex
}

func collect[T any](set map[string]*T, by func(a, b *T) int) []T {
	out := make([]T, 0, len(set))
	for _, v := range slices.SortedFunc(maps.Values(set), by) {
		out = append(out, *v)
	}
	return out
}

func (c *Catalog) sectorSort(code string) int {
	if s, ok := c.sectors[code]; ok {
		return s.Sort
	}
	return 1 << 30
}

// Sector returns the sector with the code. A missing one is CodeNoItem.
func (c *Catalog) Sector(code string) (*Sector, error) {
	return lookup(c.sectors, code, "领域")
}

// Body returns the body with the id. A missing one is CodeNoItem.
func (c *Catalog) Body(id string) (*Body, error) { return lookup(c.bodies, id, "公开主体") }

// Item returns the catalogue item with the id. A missing one is CodeNoItem.
func (c *Catalog) Item(id string) (*CatalogItem, error) { return lookup(c.items, id, "公开事项") }

// Type returns the newest version of the notice type with the code. A missing
// one is CodeNoItem.
func (c *Catalog) Type(code string) (*NoticeType, error) {
	return lookup(c.types, code, "公告类型")
}

// TypeAt returns the type as it was in the given version, so that an old
// notice is shown by the labels it was written with.
func (c *Catalog) TypeAt(code string, version int) (*NoticeType, error) {
	if t, ok := c.versions[typeVersion{code, version}]; ok {
		return t, nil
	}
	return nil, Errorf(CodeNoItem, "目录中没有公告类型“%s”的第 %d 版", code, version)
}

func lookup[T any](set map[string]*T, key, what string) (*T, error) {
	if v, ok := set[key]; ok {
		return v, nil
	}
	return nil, Errorf(CodeNoItem, "目录中没有%s“%s”", what, key)
}

// BodyName returns the name of the body, or its id when it is unknown.
func (c *Catalog) BodyName(id string) string {
	if b, ok := c.bodies[id]; ok {
		return b.Name
	}
	return id
}

// TypesOf returns the types of the sector in order, or all for "".
func (c *Catalog) TypesOf(sector string) []*NoticeType {
	if sector == "" {
		return c.Types
	}
	return slices.DeleteFunc(slices.Clone(c.Types), func(t *NoticeType) bool { return t.Sector != sector })
}

// TypesFulfilling returns the codes of the types in force on day d that fulfil
// the item.
func (c *Catalog) TypesFulfilling(item string, d workday.Date) []string {
	codes := []string{}
	for _, t := range c.Types {
		if t.On(d) && slices.Contains(t.Items, item) {
			codes = append(codes, t.Code)
		}
	}
	return codes
}
