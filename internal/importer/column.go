package importer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// column is one column of a template: a field, or one end of a period.
type column struct {
	key   string           // path as in a draft; ends in ".from" or ".to" for the ends of a period
	field disclosure.Field // label, kind and what else decides how a cell is read
	help  string           // for 填写说明
}

// Keys of columns that are more than a value of the draft.
const (
	keyNumber   = "no" // 序号: ties rows of a table's sheet to a notice
	keyBody     = "body"
	keyItems    = "items"
	keyFollows  = "relations"
	keyFiles    = "attachments"
	keyHTML     = "body_html"
	keySourceID = "source_id"
	fromSuffix  = ".from"
	toSuffix    = ".to"
	fieldPrefix = "fields."
)

// listMark says that a cell is an example and not to be imported.
const sampleMark = "示例"

var numberColumn = column{keyNumber, disclosure.Field{Key: keyNumber, Label: "序号", Kind: disclosure.FieldText}, "每份公告一个序号；子表中的行用同一个序号对应到公告。写“示例”的行不导入。"}

// columnsOf returns the columns of a type's main sheet in order, but for 序号.
func columnsOf(t *disclosure.NoticeType) []column {
	text := func(key, label string, kind disclosure.FieldKind, required bool, help string) column {
		return column{key, disclosure.Field{Key: key, Label: label, Kind: kind, Required: required}, help}
	}
	cols := []column{
		text("title", "标题", disclosure.FieldText, true, "公告的标题，最多 200 字"),
		text(keyBody, "公开主体", disclosure.FieldText, true, "从下拉列表中选择发布单位；也可填单位的别名或编号"),
		text("source.name", "信息来源", disclosure.FieldText, true, "信息从哪里来，如 亭湖区公共资源交易平台"),
		text(keySourceID, "来源编号", disclosure.FieldCode, false, "这条信息在来源系统中的编号；重复导入时据此识别同一份公告"),
		text("source.url", "来源网址", disclosure.FieldURL, false, "以 http:// 或 https:// 开头"),
		text("source.first_published_at", "来源首次发布时间", disclosure.FieldDatetime, false, "日期或时间"),
		text("project.code", "项目编号（全流程）", disclosure.FieldCode, false, "同一项目的公告填同一个编号，用于全流程展示"),
		text("project.name", "项目名称（全流程）", disclosure.FieldText, false, "填了编号就要填名称"),
		text("region", "行政区划代码", disclosure.FieldCode, false, "6、9 或 12 位数字，如 320902"),
		text("formed_at", "信息形成日期", disclosure.FieldDate, false, "信息形成或变更之日，20 个工作日的公开时限由此起算"),
		text("decided_at", "决定作出日期", disclosure.FieldDate, false, "行政许可、行政处罚作出决定之日，7 个工作日的公开时限由此起算"),
		text(keyItems, "公开事项编号", disclosure.FieldText, false, "如 A1-04，多个用顿号分开；不填则为这种公告默认的事项"),
		text(keyFollows, "承接的公告编号", disclosure.FieldText, false, "本系统中前一份公告的 8 位编号，多个用顿号分开"),
		text("summary", "摘要", disclosure.FieldLongText, false, "最多 300 字；不填则取正文开头"),
	}
	for _, f := range t.Fields {
		if f.Kind != disclosure.FieldTable {
			cols = append(cols, fieldColumns(fieldPrefix, f)...)
		}
	}
	return append(cols,
		text(keyHTML, "正文（公告全文）", disclosure.FieldLongText, false, "公告正文，换行即分段；以 < 开头的按 HTML 处理"),
		text(keyFiles, "附件上传编号", disclosure.FieldText, false, "先上传附件，再填上传时返回的编号，多个用顿号分开"))
}

// fieldColumns returns the column of a field, or the two of a period.
func fieldColumns(prefix string, f disclosure.Field) []column {
	if f.Kind != disclosure.FieldPeriod {
		return []column{{prefix + f.Key, f, helpOf(f)}}
	}
	from, to := f, f
	from.Kind, to.Kind = disclosure.FieldDate, disclosure.FieldDate
	from.Label, to.Label = f.Label+"（开始）", f.Label+"（结束）"
	return []column{{prefix + f.Key + fromSuffix, from, "日期，如 2026-11-23"}, {prefix + f.Key + toSuffix, to, "日期，如 2026-11-30"}}
}

func helpOf(f disclosure.Field) string {
	switch f.Kind {
	case disclosure.FieldMoney:
		return "数字，单位是元，最多两位小数；写 1280万元 会换算成元"
	case disclosure.FieldDate:
		return "日期，如 2026-11-23"
	case disclosure.FieldDatetime:
		return "日期和时刻，如 2026-11-23 09:30"
	case disclosure.FieldInteger:
		return "整数" + unitOf(f)
	case disclosure.FieldNumber:
		return "数字" + unitOf(f)
	case disclosure.FieldPercent:
		return "百分数，5.5 表示 5.5%"
	case disclosure.FieldBoolean:
		return "是或否"
	case disclosure.FieldEnum:
		return "从下拉列表中选择：" + strings.Join(f.Options, "、")
	case disclosure.FieldUSCC:
		return "18 位统一社会信用代码"
	case disclosure.FieldURL:
		return "以 http:// 或 https:// 开头"
	case disclosure.FieldPhone:
		return "电话号码，多个用顿号分开"
	case disclosure.FieldLongText:
		return "可以换行"
	case disclosure.FieldTable:
		return "填在同名的工作表中；CSV 中写 JSON 数组"
	}
	return ""
}

func unitOf(f disclosure.Field) string {
	if f.Unit == "" {
		return ""
	}
	return "，单位是" + f.Unit
}

// heading is how a template writes the head of the column.
func (c column) heading() string {
	label := c.field.Label
	if c.field.Unit != "" {
		label += "（" + c.field.Unit + "）"
	}
	if c.field.Required {
		label += " *"
	}
	return label
}

// tables returns the fields of a type that have a sheet of their own.
func tables(t *disclosure.NoticeType) []disclosure.Field {
	return slices.DeleteFunc(slices.Clone(t.Fields), func(f disclosure.Field) bool { return f.Kind != disclosure.FieldTable })
}

func tableColumns(f disclosure.Field) []column {
	var cols []column
	for _, c := range f.Columns {
		cols = append(cols, fieldColumns("", c)...)
	}
	return cols
}

// marker is what stands in the first cell of the hidden key row of a template.
type marker struct {
	typ     string
	version string
	keys    string // hash of the columns
	table   string // key of the table whose sheet this is, "" for the main sheet
}

const markerPrefix = "gongkai-template/1 "

func markerOf(t *disclosure.NoticeType, table string) marker {
	sum := sha256.New()
	for _, c := range columnsOf(t) {
		fmt.Fprintf(sum, "%s %s %s\n", c.key, c.field.Kind, strings.Join(c.field.Options, "|"))
	}
	for _, f := range tables(t) {
		for _, c := range tableColumns(f) {
			fmt.Fprintf(sum, "%s.%s %s %s\n", f.Key, c.key, c.field.Kind, strings.Join(c.field.Options, "|"))
		}
	}
	return marker{t.Code, fmt.Sprint(t.Version), hex.EncodeToString(sum.Sum(nil)[:6]), table}
}

// String writes the marker; parseMarker reads it.
func (m marker) String() string {
	return strings.TrimSuffix(markerPrefix+strings.Join([]string{m.typ, m.version, m.keys, m.table}, " "), " ")
}

func parseMarker(s string) (marker, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), markerPrefix)
	parts := strings.Fields(rest)
	if !ok || len(parts) < 3 || len(parts) > 4 {
		return marker{}, strings.HasPrefix(strings.TrimSpace(s), "gongkai-template")
	}
	m := marker{typ: parts[0], version: parts[1], keys: parts[2]}
	if len(parts) == 4 {
		m.table = parts[3]
	}
	return m, true
}
