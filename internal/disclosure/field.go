package disclosure

import "encoding/json"

// FieldKind says what a field holds and how it is written in JSON.
type FieldKind string

// The kinds of field. All JSON values are strings unless stated.
const (
	FieldText     FieldKind = "text"     // one line, up to 500 characters
	FieldLongText FieldKind = "longtext" // lines, up to 20,000 characters
	FieldNumber   FieldKind = "number"   // JSON number, decimal
	FieldInteger  FieldKind = "integer"  // JSON number, whole
	FieldMoney    FieldKind = "money"    // "1234567.00" in 元, whatever unit a form shows
	FieldPercent  FieldKind = "percent"  // JSON number, 5.5 means 5.5 %
	FieldDate     FieldKind = "date"     // "2026-11-23"
	FieldDatetime FieldKind = "datetime" // RFC 3339, kept as +08:00
	FieldPeriod   FieldKind = "period"   // {"from":"2026-11-23","to":"2026-11-30"}
	FieldPerson   FieldKind = "person"   // a natural person's name
	FieldPhone    FieldKind = "phone"    // telephone numbers
	FieldAddress  FieldKind = "address"  // a postal address
	FieldUSCC     FieldKind = "uscc"     // 统一社会信用代码, 18 characters
	FieldCode     FieldKind = "code"     // an official number: project, section, document
	FieldEnum     FieldKind = "enum"     // one of Options
	FieldBoolean  FieldKind = "boolean"  // JSON boolean
	FieldURL      FieldKind = "url"      // http or https
	FieldTable    FieldKind = "table"    // JSON array of objects with Columns as keys, up to 5,000 rows
)

// Mask says how a value is hidden from the public (去标识化).
type Mask string

// The masks. A masked value is replaced when the notice is published and the
// original is not kept.
const (
	MaskNone    Mask = ""        // shown as entered
	MaskName    Mask = "name"    // 欧阳*
	MaskID      Mask = "id"      // first 4 and last 2 characters, never the birth date
	MaskPhone   Mask = "phone"   // 138****0000
	MaskAccount Mask = "account" // last 4 digits
	MaskAddress Mask = "address" // cut after the community or village
)

// Field is one field of a notice type, or one column of a table.
type Field struct {
	Key      string    `json:"key"` // lower_snake_case English
	Label    string    `json:"label"`
	Kind     FieldKind `json:"kind"`
	Unit     string    `json:"unit"` // "元", "平方米", "天"; "" where none
	Required bool      `json:"required"`
	Mask     Mask      `json:"mask"`
	Options  []string  `json:"options"` // the words of an enum
	Columns  []Field   `json:"columns"` // of a table
	Min      *float64  `json:"min"`     // of numbers; unset means 0
	Max      *float64  `json:"max"`     // of numbers; unset means 100 for percent, none otherwise

	// Example is a valid value. In date, datetime and period fields it is
	// written relative to today – "today+30", "today+30T09:30",
	// "today..today+7" – and NoticeType.Examples works it out.
	Example json.RawMessage `json:"example"`
}
