package disclosure

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"time"

	"gongkai/internal/workday"
)

//go:embed data
var seed embed.FS

// builtinAt is the day of the letter the catalogue is annexed to; built-in
// definitions carry it as their date.
var builtinAt = time.Date(2018, time.January, 1, 0, 0, 0, 0, time.UTC)

// Builtin returns the definitions shipped with the binary, each as version 1:
// the sectors, the bodies, the 42 catalogue items of the order's two annexes,
// the notice types, the rules and the published years of the calendar. The store
// loads them at start; an edit by the district outlives a newer binary.
func Builtin() ([]Definition, error) {
	var defs []Definition
	for _, file := range []struct {
		kind DefinitionKind
		glob string
	}{
		{KindSector, "data/sectors.json"},
		{KindBody, "data/bodies.json"},
		{KindItem, "data/catalog.json"},
		{KindNoticeType, "data/types/*.json"},
		{KindRule, "data/rules.json"},
	} {
		names, err := fs.Glob(seed, file.glob)
		if err != nil {
			return nil, fmt.Errorf("disclosure: builtin: %w", err)
		}
		for _, name := range names {
			read, err := readSeed(file.kind, name)
			if err != nil {
				return nil, fmt.Errorf("disclosure: builtin %s: %w", path.Base(name), err)
			}
			defs = append(defs, read...)
		}
	}
	return builtinYears(defs)
}

func builtinYears(defs []Definition) ([]Definition, error) {
	for _, y := range workday.Published().Years() {
		doc, err := json.Marshal(y)
		if err != nil {
			return nil, fmt.Errorf("disclosure: builtin year %d: %w", y.Year, err)
		}
		def, err := ParseDefinition(KindYear, doc)
		if err != nil {
			return nil, fmt.Errorf("disclosure: builtin year %d: %w", y.Year, err)
		}
		defs = append(defs, def.builtin())
	}
	return defs, nil
}

// builtin marks a definition as shipped with the binary.
func (d Definition) builtin() Definition {
	d.Version, d.Builtin, d.At, d.By = 1, true, builtinAt, "gongkai"
	return d
}

func readSeed(kind DefinitionKind, name string) ([]Definition, error) {
	data, err := seed.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var docs []json.RawMessage
	if err := json.Unmarshal(data, &docs); err != nil {
		return nil, err
	}
	var defs []Definition
	for i, doc := range docs {
		def, err := ParseDefinition(kind, doc)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		defs = append(defs, def.builtin())
	}
	return defs, nil
}
