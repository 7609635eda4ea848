package disclosure

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Correction drafts the 更正公告 of a published notice: linked to it, of its
// sector's correction type, with the original's project, items and source.
// Errors: CodeState, CodeInvalid without a reason or changes.
func (n Notice) Correction(changes map[string]json.RawMessage, reason string) (Draft, error) {
	if err := n.requireStatus("更正", StatusPublished); err != nil {
		return Draft{}, err
	}
	if len(changes) == 0 {
		return Draft{}, Errorf(CodeInvalid, "请写明更正的内容").On("changes")
	}
	d, err := n.amendment(".correction", "更正公告", RelationCorrects, reason)
	d.Changes = changes
	return d, err
}

// Termination drafts the 终止公告 of a published notice. Errors as of Correction.
func (n Notice) Termination(reason string) (Draft, error) {
	if err := n.requireStatus("终止", StatusPublished); err != nil {
		return Draft{}, err
	}
	return n.amendment(".termination", "终止公告", RelationTerminates, reason)
}

func (n Notice) amendment(suffix, what string, how RelationType, reason string) (Draft, error) {
	if err := requireReason("reason", reason, "请写明"+strings.TrimSuffix(what, "公告")+"的原因"); err != nil {
		return Draft{}, err
	}
	title := []rune(n.Title)
	if len(title) > maxTitle-20 {
		title = append(title[:maxTitle-20], '…')
	}
	fields := map[string]json.RawMessage{}
	for key, v := range map[string]string{FieldOriginalTitle: n.Title, FieldOriginalCode: n.Code, FieldReason: strings.TrimSpace(reason)} {
		raw, err := json.Marshal(v)
		if err != nil {
			return Draft{}, fmt.Errorf("disclosure: amendment: %w", err)
		}
		fields[key] = raw
	}
	region, url := n.Region, n.Source.URL
	return Draft{Type: n.SectorCode() + suffix, Title: fmt.Sprintf("关于“%s”的%s", string(title), what), Body: n.Body,
		Source: &DraftSource{Name: n.Source.Name, URL: &url}, Fields: fields, Project: n.Project, Region: &region,
		Items: n.Items, Relations: []Relation{{Type: how, ID: n.ID}}}, nil
}

// ChangeTable writes differences as the rows of a correction's table:
// 更正项, 更正前内容, 更正后内容.
func ChangeTable(diffs []Difference) []any {
	rows := make([]any, 0, len(diffs))
	for _, d := range diffs {
		row := map[string]any{"item": d.Label, "after": shorten(d.Is)}
		if d.Was != "" {
			row["before"] = shorten(d.Was)
		}
		if d.Is == "" {
			row["after"] = "（删除）"
		}
		rows = append(rows, row)
	}
	return rows
}

func shorten(s string) string {
	if r := []rune(s); len(r) > maxLongText {
		return string(r[:maxLongText-1]) + "…"
	}
	return s
}
