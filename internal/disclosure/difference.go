package disclosure

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// Difference is one member of a notice that differs between two revisions.
type Difference struct {
	Field string // "title", "fields.bid_deadline"
	Label string
	From  any // canonical value, nil when absent
	To    any
	Was   string // From as people read it
	Is    string // To as people read it
}

// Differences compares two revisions member by member, in the order in which a
// notice is read, each by the version of its type it was written by. It returns
// an empty list for equal contents. A type the catalogue does not know is
// CodeNoItem.
func Differences(c *Catalog, from, to Content) ([]Difference, error) {
	tFrom, err := c.TypeAt(from.Type, from.TypeVersion)
	if err != nil {
		return nil, err
	}
	tTo, err := c.TypeAt(to.Type, to.TypeVersion)
	if err != nil {
		return nil, err
	}
	diffs := []Difference{}
	text := func(field, label, a, b string) {
		if a != b {
			diffs = append(diffs, Difference{Field: field, Label: label, From: orNil(a), To: orNil(b), Was: a, Is: b})
		}
	}
	text("title", "标题", from.Title, to.Title)
	text("summary", "摘要", from.Summary, to.Summary)
	text("source.name", "信息来源", from.Source.Name, to.Source.Name)
	text("source.url", "来源网址", from.Source.URL, to.Source.URL)
	first := Field{Key: "source.first_published_at", Label: "来源首次发布时间", Kind: FieldDatetime} // time limits run from it
	if a, b := from.Source.FirstPublishedAt, to.Source.FirstPublishedAt; !a.Equal(b) {
		diffs = append(diffs, first.difference(instantOrNil(a), instantOrNil(b)))
	}
	text("project.code", "项目编号", from.ProjectCode(), to.ProjectCode())
	text("project.name", "项目名称", projectName(from), projectName(to))
	text("region", "行政区划", from.Region, to.Region)
	text("formed_at", "形成日期", from.FormedAt.String(), to.FormedAt.String())
	text("decided_at", "决定日期", from.DecidedAt.String(), to.DecidedAt.String())
	text("items", "公开事项", strings.Join(from.Items, "、"), strings.Join(to.Items, "、"))
	for _, f := range unionFields(tFrom, tTo) {
		a, b := from.Fields[f.Key], to.Fields[f.Key]
		if !reflect.DeepEqual(a, b) {
			d := f.difference(a, b)
			d.Field = "fields." + d.Field
			diffs = append(diffs, d)
		}
	}
	if from.BodyHTML != to.BodyHTML {
		diffs = append(diffs, Difference{Field: "body_html", Label: "正文", From: orNil(from.BodyHTML), To: orNil(to.BodyHTML),
			Was: PlainText(from.BodyHTML), Is: PlainText(to.BodyHTML)})
	}
	text("attachments", "附件", fileNames(from.Attachments), fileNames(to.Attachments))
	return diffs, nil
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func instantOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return FormatInstant(t)
}

func (f Field) difference(a, b any) Difference {
	return Difference{Field: f.Key, Label: f.Label, From: a, To: b, Was: f.Display(a), Is: f.Display(b)}
}

func projectName(c Content) string {
	if c.Project == nil {
		return ""
	}
	return c.Project.Name
}

// fileNames tells two files of one name apart by their hash.
func fileNames(files []Attachment) string {
	names := make([]string, 0, len(files))
	for _, a := range files {
		names = append(names, a.Name+"（"+a.SHA256[:min(8, len(a.SHA256))]+"）")
	}
	return strings.Join(names, "、")
}

// unionFields lists the fields of the newer type, then those only the older has.
func unionFields(older, newer *NoticeType) []Field {
	fields := newer.Fields
	if older != newer {
		for _, f := range older.Fields {
			if _, ok := newer.Field(f.Key); !ok {
				fields = append(slices.Clip(fields), f)
			}
		}
	}
	return fields
}
