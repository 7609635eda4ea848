package disclosure

import (
	"encoding/json"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// Display writes a canonical value as people read it: money grouped with its
// unit, dates in Chinese, a table as lines of "label：value". Absent is "".
func (f Field) Display(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "是"
		}
		return "否"
	case json.Number:
		return v.String() + f.numberUnit()
	case string:
		return f.displayString(v)
	case map[string]any:
		from, _ := v["from"].(string)
		to, _ := v["to"].(string)
		return displayDate(from) + "至" + displayDate(to)
	case []any:
		return f.displayTable(v)
	}
	return ""
}

func (f Field) numberUnit() string {
	if f.Unit == "" && f.Kind == FieldPercent {
		return "%"
	}
	return f.Unit
}

func (f Field) displayString(v string) string {
	switch f.Kind {
	case FieldMoney:
		m, err := ParseMoney(v)
		if err != nil {
			return v
		}
		return GroupMoney(m) + "元"
	case FieldDate:
		return displayDate(v)
	case FieldDatetime:
		t, err := ParseInstant(v)
		if err != nil {
			return v
		}
		return t.In(standardTime).Format("2006年1月2日 15:04")
	}
	return v
}

func displayDate(s string) string {
	t, err := time.ParseInLocation(time.DateOnly, s, workday.Shanghai)
	if err != nil {
		return s
	}
	return t.Format("2006年1月2日")
}

func (f Field) displayTable(rows []any) string {
	var b strings.Builder
	for i, row := range rows {
		cells, _ := row.(map[string]any)
		if i > 0 {
			b.WriteByte('\n')
		}
		first := true
		for _, col := range f.Columns {
			if text := col.Display(cells[col.Key]); text != "" {
				if !first {
					b.WriteString("，")
				}
				b.WriteString(col.Label + "：" + text)
				first = false
			}
		}
	}
	return b.String()
}
