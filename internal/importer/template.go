package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
)

// The sheets of a template that hold no notices.
const (
	helpSheet = "填写说明"
	listSheet = "选项" // hidden: what the dropdowns offer
)

// The rows of a template's sheets.
const (
	keyRow    = 1 // hidden
	headRow   = 2
	sampleRow = 3
	lastRow   = headRow + 1 + MaxRows
)

// sheetName makes a name that spreadsheets allow: no \ / ? * [ ] : and at most
// 31 characters.
func sheetName(label string) string {
	name := []rune(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`\/?*[]:'`, r) {
			return -1
		}
		return r
	}, label))
	return string(name[:min(len(name), 31)])
}

// tableSheet names the sheet of a table, which may be called as the type is.
func tableSheet(t *disclosure.NoticeType, f disclosure.Field) string {
	name := sheetName(f.Label)
	if name == sheetName(t.Name) || name == helpSheet || name == listSheet {
		return sheetName(name + "明细")
	}
	return name
}

// Template writes the workbook in which staff enter notices of a type: a sheet
// with a row for each notice, a sheet for each table, dropdowns, an example and
// an explanation. now dates the example.
func Template(c *disclosure.Catalog, t *disclosure.NoticeType, now time.Time) ([]byte, error) {
	examples, err := t.ExamplesAt(now)
	if err != nil {
		return nil, err
	}
	w := &templateWriter{file: excelize.NewFile(), typ: t, styles: map[string]int{}, lists: map[string]string{}}
	defer func() { _ = w.file.Close() }() // nothing was opened
	w.bodies = bodyNames(c, now)
	main := sheetName(t.Name)
	w.do(w.file.SetSheetName("Sheet1", main))
	for _, f := range tables(t) {
		w.newSheet(tableSheet(t, f))
	}
	w.newSheet(helpSheet)
	w.newSheet(listSheet)
	w.sheet(main, markerOf(t, ""), columnsOf(t), mainExample(t, examples, w.bodies))
	for _, f := range tables(t) {
		w.sheet(tableSheet(t, f), markerOf(t, f.Key), tableColumns(f), tableExample(f, examples[f.Key]))
	}
	w.help(main)
	w.do(w.file.SetSheetVisible(listSheet, false))
	w.file.SetActiveSheet(0)
	if w.err != nil {
		return nil, fmt.Errorf("importer: template of %s: %w", t.Code, w.err)
	}
	var b bytes.Buffer
	err = w.file.Write(&b)
	return b.Bytes(), err
}

func bodyNames(c *disclosure.Catalog, now time.Time) []string {
	var names []string
	for _, b := range c.BodiesAt(now) {
		if b.Kind != disclosure.BodyRole {
			names = append(names, b.Name)
		}
	}
	return names
}

// templateWriter collects the first error of many small steps.
type templateWriter struct {
	file   *excelize.File
	typ    *disclosure.NoticeType
	bodies []string
	styles map[string]int    // by number format and use
	lists  map[string]string // range on listSheet by the options
	listed int               // columns used on listSheet
	err    error
}

func (w *templateWriter) do(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *templateWriter) newSheet(name string) {
	_, err := w.file.NewSheet(name)
	w.do(err)
}

func (w *templateWriter) set(sheet string, col, row int, v any, style int) {
	at := colName(col) + strconv.Itoa(row)
	w.do(w.file.SetCellValue(sheet, at, v))
	if style != 0 {
		w.do(w.file.SetCellStyle(sheet, at, at, style))
	}
}

// style makes a cell style once. The look is "head", "required" (a head), "sample"
// or "".
func (w *templateWriter) style(format, look string) int {
	key := look + format
	if id, ok := w.styles[key]; ok {
		return id
	}
	s := &excelize.Style{CustomNumFmt: &format, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}}
	switch look {
	case "head", "required":
		s.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DDE8F5"}}
		s.Font = &excelize.Font{Bold: true}
		s.Alignment.Vertical = "center"
		if look == "required" {
			s.Font.Color = "C00000"
		}
	case "sample":
		s.Font = &excelize.Font{Italic: true, Color: "7F7F7F"}
	}
	id, err := w.file.NewStyle(s)
	w.do(err)
	w.styles[key] = id
	return id
}

// numFormat keeps what is typed as it is meant: numbers that are names as text,
// dates as dates.
func numFormat(kind disclosure.FieldKind) string {
	switch kind {
	case disclosure.FieldDate:
		return "yyyy-mm-dd"
	case disclosure.FieldDatetime:
		return "yyyy-mm-dd hh:mm"
	case disclosure.FieldMoney:
		return "#,##0.00"
	case disclosure.FieldNumber, disclosure.FieldInteger, disclosure.FieldPercent:
		return "General"
	}
	return "@"
}

// sheet writes the key row, the heads, an example and the dropdowns.
func (w *templateWriter) sheet(name string, m marker, cols []column, sample map[string]any) {
	w.set(name, 0, keyRow, m.String(), 0)
	w.set(name, 0, headRow, numberColumn.field.Label, w.style("@", "head"))
	w.set(name, 0, sampleRow, sampleMark, w.style("@", "sample"))
	w.do(w.file.SetColWidth(name, "A", "A", 8))
	for i, c := range cols {
		col := i + 1
		letter := colName(col)
		look := "head"
		if c.field.Required {
			look = "required"
		}
		format := numFormat(c.field.Kind)
		w.do(w.file.SetColStyle(name, letter, w.style(format, "")))
		w.do(w.file.SetColWidth(name, letter, letter, widthOf(c)))
		w.set(name, col, keyRow, c.key, 0)
		w.set(name, col, headRow, c.heading(), w.style("@", look))
		if v, ok := sample[c.key]; ok {
			w.set(name, col, sampleRow, v, w.style(format, "sample"))
		}
		w.dropdown(name, letter, w.optionsOf(c))
	}
	w.do(w.file.SetRowVisible(name, keyRow, false))
	w.do(w.file.SetRowHeight(name, headRow, 36))
	w.do(w.file.SetPanes(name, &excelize.Panes{Freeze: true, XSplit: 2, YSplit: headRow, TopLeftCell: "C3", ActivePane: "bottomRight"}))
}

func widthOf(c column) float64 {
	switch c.field.Kind {
	case disclosure.FieldLongText:
		return 40
	case disclosure.FieldDate, disclosure.FieldBoolean, disclosure.FieldInteger, disclosure.FieldPercent:
		return 14
	}
	return max(16, float64(2*len([]rune(c.heading())))+2)
}

func (w *templateWriter) optionsOf(c column) []string {
	switch {
	case c.key == keyBody:
		return w.bodies
	case c.field.Kind == disclosure.FieldBoolean:
		return []string{"是", "否"}
	}
	return c.field.Options
}

// dropdown offers the options in a column. They stand on a sheet of their own:
// a list written into the rule itself may have 255 characters and no comma.
func (w *templateWriter) dropdown(sheet, letter string, options []string) {
	if len(options) == 0 {
		return
	}
	key := strings.Join(options, "\n")
	source, ok := w.lists[key]
	if !ok {
		from := colName(w.listed)
		for i, o := range options {
			w.set(listSheet, w.listed, i+1, o, 0)
		}
		source = fmt.Sprintf("'%s'!$%s$1:$%s$%d", listSheet, from, from, len(options))
		w.lists[key] = source
		w.listed++
	}
	rule := excelize.NewDataValidation(true)
	rule.SetSqref(fmt.Sprintf("%s%d:%s%d", letter, sampleRow, letter, lastRow))
	rule.SetSqrefDropList(source)
	rule.SetError(excelize.DataValidationErrorStyleStop, "不在选项中", "请从下拉列表中选择")
	w.do(w.file.AddDataValidation(sheet, rule))
}

// help writes 填写说明: rules for all, then every column.
func (w *templateWriter) help(main string) {
	row := 1
	write := func(look string, texts ...string) {
		for i, text := range texts {
			w.set(helpSheet, i, row, text, w.style("@", look))
		}
		row++
	}
	write("head", w.typ.Name+"  填写说明")
	for _, text := range []string{
		"1. 在“" + main + "”中一行填一份公告，带 * 的列必填；第一列序号写 1、2、3……，“示例”行只供参考，不导入，可以删除。",
		"2. 有子表的，在同名的工作表中逐行填写，序号与所属公告一致；只有一份公告时可以不写。",
		"3. 日期可写 2026-11-23、2026年11月23日、2026.11.23；时间写到分，如 2026-11-23 09:30。",
		"4. 金额的单位是元；写成 1280万元 会换算，并在检查结果中提示。一格只写一个金额。",
		"5. 身份证号、项目编号、电话等号码的单元格已设为文本，请不要改成数字；超过 15 位的数字会丢失末位。",
		"6. 请不要合并单元格，不要删改隐藏的第 1 行；不需要的列可以空着。",
		"7. 请另存为 .xlsx 或 CSV 后上传；.xls 和 .et 不能读取。",
		"8. 上传后先检查，全部问题一次列出，没有错误才能提交；提交后仍须另一人核验才会公开，公开前可以整批撤销。",
		"9. 涉及个人的，按类型规定在公开时自动脱敏；请不要在其他列中填写身份证号、手机号等个人信息。",
	} {
		write("", text)
	}
	row++
	write("head", "工作表", "列", "必填", "填写要求")
	for _, c := range append([]column{numberColumn}, columnsOf(w.typ)...) {
		write("", main, c.heading(), yes(c.field.Required), c.help)
	}
	for _, f := range tables(w.typ) {
		for _, c := range tableColumns(f) {
			write("", tableSheet(w.typ, f), c.heading(), yes(c.field.Required), c.help)
		}
	}
	w.do(w.file.SetColWidth(helpSheet, "A", "B", 30))
	w.do(w.file.SetColWidth(helpSheet, "D", "D", 60))
}

func yes(b bool) string {
	if b {
		return "是"
	}
	return ""
}

// mainExample is the example row of the main sheet, by column key.
func mainExample(t *disclosure.NoticeType, examples map[string]any, bodies []string) map[string]any {
	out := map[string]any{"title": "示例：" + t.Name, keyBody: bodies[0], "source.name": "亭湖区公共资源交易平台", keySourceID: "TH-2026-0001",
		"region": "320902", keyHTML: "正文写在这里。\n换行即分段。"}
	if i := slices.IndexFunc(bodies, func(n string) bool { return strings.Contains(n, "交易中心") }); i >= 0 {
		out[keyBody] = bodies[i]
	}
	for _, f := range t.Fields {
		put(out, fieldPrefix, f, examples[f.Key])
	}
	return out
}

func tableExample(f disclosure.Field, v any) map[string]any {
	out := map[string]any{}
	rows, _ := v.([]any)
	if len(rows) == 0 {
		return out
	}
	cells, _ := rows[0].(map[string]any)
	for _, c := range f.Columns {
		put(out, "", c, cells[c.Key])
	}
	return out
}

// put writes a value as a cell shows it.
func put(out map[string]any, prefix string, f disclosure.Field, v any) {
	key := prefix + f.Key
	switch v := v.(type) {
	case string:
		out[key] = cellValue(f, v)
	case json.Number:
		n, err := v.Float64()
		if err == nil {
			out[key] = n
		}
	case bool:
		out[key] = map[bool]string{true: "是", false: "否"}[v]
	case map[string]any:
		day := f
		day.Kind = disclosure.FieldDate
		for end, suffix := range map[string]string{"from": fromSuffix, "to": toSuffix} {
			s, _ := v[end].(string)
			out[key+suffix] = cellValue(day, s)
		}
	}
}

// cellValue makes real dates and numbers of strings that are such.
func cellValue(f disclosure.Field, s string) any {
	switch f.Kind {
	case disclosure.FieldDate:
		if t, err := time.Parse(time.DateOnly, s); err == nil {
			return t
		}
	case disclosure.FieldDatetime:
		if t, err := time.Parse("2006-01-02T15:04:05Z07:00", s); err == nil {
			_, offset := t.Zone()
			return t.UTC().Add(time.Duration(offset) * time.Second)
		}
	case disclosure.FieldMoney:
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			return n
		}
	}
	return s
}
