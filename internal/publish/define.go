package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"gongkai/internal/disclosure"
)

// Define adds a sector, body, catalogue item or notice type. Errors: CodeRole,
// CodeDefinition, CodeUnknown, and CodeExists for an id that is taken.
func (s *Service) Define(ctx context.Context, a disclosure.Actor, kind disclosure.DefinitionKind, doc []byte, reason string) (disclosure.Definition, error) {
	def, err := disclosure.ParseDefinition(kind, doc)
	if err != nil {
		return def, err
	}
	have, err := s.Store.Definitions(ctx, kind, def.ID)
	if err != nil {
		return def, err
	}
	if len(have) > 0 {
		return def, disclosure.Errorf(disclosure.CodeExists, "目录中已有“%s”", def.ID).On("id")
	}
	return s.define(ctx, a, def, 1, reason)
}

// Definitions returns every version of a definition; see store.Definitions.
func (s *Service) Definitions(ctx context.Context, kind disclosure.DefinitionKind, id string) ([]disclosure.Definition, error) {
	return s.Store.Definitions(ctx, kind, id)
}

// Redefine writes a new version of a definition: changes replaces members of
// the newest one, null resets them. Earlier versions stay. Errors as of Define,
// CodeNoItem for an unknown id, CodeStale when somebody else was faster.
func (s *Service) Redefine(ctx context.Context, a disclosure.Actor, kind disclosure.DefinitionKind, id string, changes map[string]json.RawMessage, reason string) (disclosure.Definition, error) {
	have, err := s.Store.Definitions(ctx, kind, id)
	if err != nil {
		return disclosure.Definition{}, err
	}
	if len(have) == 0 {
		return disclosure.Definition{}, disclosure.Errorf(disclosure.CodeNoItem, "目录中没有“%s”", id)
	}
	latest := have[len(have)-1]
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(latest.Doc, &doc); err != nil {
		return latest, fmt.Errorf("publish: definition %s: %w", id, err)
	}
	maps.Copy(doc, changes)
	maps.DeleteFunc(doc, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	merged, err := json.Marshal(doc)
	if err != nil {
		return latest, fmt.Errorf("publish: definition %s: %w", id, err)
	}
	def, err := disclosure.ParseDefinition(kind, merged)
	if err != nil {
		return def, err
	}
	if def.ID != id {
		return def, disclosure.Errorf(disclosure.CodeDefinition, "编号不能修改；请停用旧的一项，另建新的一项").On("id")
	}
	return s.define(ctx, a, def, latest.Version+1, reason)
}

func (s *Service) define(ctx context.Context, a disclosure.Actor, def disclosure.Definition, version int, reason string) (disclosure.Definition, error) {
	if err := a.Require(disclosure.RoleAdmin); err != nil {
		return def, err
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return def, err
	}
	if err := head.Catalog.Check(def); err != nil {
		return def, err
	}
	def.Version, def.At, def.By, def.Reason = version, s.Now(), a.Name, reason
	return def, s.Store.Define(ctx, a, def)
}
