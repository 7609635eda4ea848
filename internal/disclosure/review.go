package disclosure

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gongkai/internal/workday"
)

// Review checks a notice against the catalogue and the time limits of its type as
// of day today, on which it is or would be published: before it is submitted and
// again before it is published. Errors block; warnings ask for a reason. It
// returns nil when nothing was found.
func (c *Catalog) Review(n Content, today workday.Date) []Finding {
	t, err := c.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return []Finding{blocking("type", "reference.unknown", err.Error())}
	}
	findings := c.reviewReferences(n, t, today)
	if strings.TrimSpace(n.Source.Name) == "" {
		findings = append(findings, blocking("source", "field.required", "请注明信息来源"))
	}
	for _, f := range t.Fields {
		v, ok := n.Fields[f.Key]
		if f.Required && !ok {
			findings = append(findings, blocking("fields."+f.Key, "field.required", fmt.Sprintf("请填写“%s”", f.Label)))
		}
		findings = append(findings, f.review(v, "fields."+f.Key)...)
	}
	findings = append(findings, c.reviewRules(n, t, occasion{published: today})...)
	findings = append(findings, t.contradictions(n, today, findings)...)
	if n.BodyHTML == "" && len(n.Fields) == 0 && len(n.Attachments) == 0 {
		findings = append(findings, blocking("body_html", "field.required", "公告没有内容：请填写正文、字段或附件"))
	}
	return findings
}

func blocking(field, code, message string) Finding {
	return Finding{FieldError: FieldError{Field: field, Code: code, Message: message}}
}

func (c *Catalog) reviewReferences(n Content, t *NoticeType, today workday.Date) []Finding {
	var findings []Finding
	retired := func(field, code, what, name string) {
		findings = append(findings, blocking(field, code, fmt.Sprintf("%s“%s”现在不在有效期内", what, name)))
	}
	current, err := c.Type(n.Type)
	if err != nil || !current.On(today) {
		retired("type", "type.retired", "公告类型", t.Name)
	}
	if s, err := c.Sector(t.Sector); err != nil || !s.On(today) {
		retired("type", "sector.retired", "领域", t.Sector)
	}
	body, err := c.Body(n.Body)
	switch {
	case err != nil:
		findings = append(findings, blocking("body", "reference.unknown", err.Error()))
	case !body.On(today):
		finding := fmt.Sprintf("公开主体“%s”现在不在有效期内", body.Name)
		if body.Successor != "" {
			finding += fmt.Sprintf("，请改用“%s”", c.BodyName(body.Successor))
		}
		findings = append(findings, blocking("body", "body.retired", finding))
	}
	for i, id := range n.Items {
		if item, err := c.Item(id); err != nil || !item.On(today) {
			retired(fmt.Sprintf("items[%d]", i), "item.retired", "公开事项", id)
		}
	}
	return findings
}

// review finds what a well-formed value may still warn of.
func (f Field) review(v any, path string) []Finding {
	switch v := v.(type) {
	case string:
		if f.Kind == FieldUSCC && !ValidUSCC(v) {
			return []Finding{{Warning: true, FieldError: FieldError{Field: path, Code: "uscc.check_digit",
				Message: fmt.Sprintf("“%s”的统一社会信用代码校验位不对，请核对", f.Label)}}}
		}
	case []any:
		var findings []Finding
		for i, row := range v {
			cells, _ := row.(map[string]any)
			for _, col := range f.Columns {
				findings = append(findings, col.review(cells[col.Key], fmt.Sprintf("%s[%d].%s", path, i, col.Key))...)
			}
		}
		return findings
	}
	return nil
}

const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// ValidUSCC reports whether the check character of a unified social credit code
// is right (GB 32100-2015). Some codes issued early are wrong by it, so a false
// answer is a reason to look again and no more.
func ValidUSCC(s string) bool {
	if len(s) != 18 {
		return false
	}
	sum, weight := 0, 1
	for i := range 17 {
		v := strings.IndexByte(usccAlphabet, s[i])
		if v < 0 {
			return false
		}
		sum += v * weight
		weight = weight * 3 % 31
	}
	return usccAlphabet[(31-sum%31)%31] == s[17]
}

// Fields every sector's correction and termination types have, filled in by
// Correction and Termination.
const (
	FieldOriginalTitle = "original_title"
	FieldOriginalCode  = "original_code"
	FieldReason        = "reason"
	FieldChanges       = "changes"
)

// ChangedContent applies a correction's changes to the original and reads the
// result by the version of the type the original was written by. A member of changes is a member of a
// draft (title, summary, body_html, source, project, region, formed_at,
// decided_at, items, attachments), "fields" with an object, "fields.<key>" or a
// bare field key; null removes. Errors: CodeInvalid, CodeUnknown.
func (c *Catalog) ChangedContent(original Content, changes map[string]json.RawMessage, refs References) (Content, error) {
	draft, err := c.ChangedDraft(original, changes)
	if err != nil {
		return Content{}, err
	}
	t, err := c.TypeAt(original.Type, original.TypeVersion)
	if err != nil {
		return Content{}, err
	}
	return draft.ContentAs(c, t, refs)
}

// ChangedDraft is the first half of ChangedContent: what the original would be
// drafted as, before its references are looked up.
func (c *Catalog) ChangedDraft(original Content, changes map[string]json.RawMessage) (Draft, error) {
	draft, err := original.Draft()
	if err != nil {
		return Draft{}, err
	}
	t, err := c.TypeAt(original.Type, original.TypeVersion)
	if err != nil {
		return Draft{}, err
	}
	var l faultList
	members := map[string]json.RawMessage{}
	for _, key := range slices.Sorted(maps.Keys(changes)) { // "fields" before "fields.<key>"
		raw := changes[key]
		name, isField := strings.CutPrefix(key, "fields.")
		_, known := t.Field(name)
		switch {
		case key == "fields":
			var fields map[string]json.RawMessage
			l.add(json.Unmarshal(raw, &fields) == nil, "changes.fields", "field.type", "fields 请写成对象")
			maps.Copy(draft.Fields, fields)
		case isField || known:
			draft.Fields[name] = raw
		case correctable[key]:
			members[key] = raw
		default:
			l.add(false, "changes."+key, "field.unknown", fmt.Sprintf("“%s”不是可以更正的内容", key))
		}
	}
	if err := l.err(); err != nil {
		return Draft{}, err
	}
	// To JSON, null leaves a string as it is; here it removes.
	if members["title"] != nil {
		draft.Title = ""
	}
	if members["body_html"] != nil {
		draft.BodyHTML = ""
	}
	merged, err := json.Marshal(members)
	if err != nil {
		return Draft{}, fmt.Errorf("disclosure: changes: %w", err)
	}
	if err := DecodeStrict(merged, &draft); err != nil {
		return Draft{}, err
	}
	return draft, nil
}

var correctable = map[string]bool{"title": true, "summary": true, "body_html": true, "source": true, "project": true,
	"region": true, "formed_at": true, "decided_at": true, "items": true, "attachments": true}
