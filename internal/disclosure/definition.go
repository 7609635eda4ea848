package disclosure

import (
	"encoding/json"
	"time"

	"gongkai/internal/workday"
)

// DefinitionKind tells the kinds of definition apart.
type DefinitionKind string

// The kinds, named as the staff API names their collections.
const (
	KindSector     DefinitionKind = "sectors"
	KindBody       DefinitionKind = "bodies"
	KindItem       DefinitionKind = "catalog"
	KindNoticeType DefinitionKind = "notice-types"
	KindRule       DefinitionKind = "rules"
	KindYear       DefinitionKind = "calendar"
)

// Definition is one version of a sector, body, catalogue item, notice type, rule
// or year of the calendar (目录动态管理). Versions count from 1 and are never overwritten; the highest is
// in force.
type Definition struct {
	Kind    DefinitionKind
	ID      string // the sector's or type's code, the year, the id of any other
	Version int
	Doc     json.RawMessage // Sector, Body, CatalogItem, NoticeType, Rule or workday.Year as JSON
	Builtin bool            // shipped with the binary and not yet edited by the district
	At      time.Time
	By      string // name of the person, or "gongkai" for what is built in
	Reason  string
}

// Validity is the span of days in which a definition is in force; a zero end
// is open.
type Validity struct {
	ValidFrom workday.Date `json:"valid_from"`
	ValidTo   workday.Date `json:"valid_to"` // the last day in force
}

// On reports whether the definition is in force on day d.
func (v Validity) On(d workday.Date) bool {
	return (v.ValidFrom.IsZero() || v.ValidFrom.Compare(d) <= 0) &&
		(v.ValidTo.IsZero() || d.Compare(v.ValidTo) <= 0)
}

// Sector is a field of public-resource allocation (领域), such as 住房保障.
type Sector struct {
	Code string `json:"code"` // one lower-case English word, first part of its type codes
	Name string `json:"name"`
	Sort int    `json:"sort"` // order on every screen, ascending
	Note string `json:"note"`
	Validity
}

// BodyKind tells what a body is.
type BodyKind string

// The kinds of body. A role is no organisation: it stands in the catalogue for
// whichever body implements the project (项目实施主体) and is resolved per notice.
const (
	BodyGovernment BodyKind = "government" // 政府
	BodyDepartment BodyKind = "department" // 部门
	BodyCentre     BodyKind = "centre"     // 交易中心
	BodyTown       BodyKind = "town"       // 镇、街道、经济区
	BodyRole       BodyKind = "role"       // 按项目确定的主体
	BodyOther      BodyKind = "other"      // 企事业单位等
)

// Body is a publisher (公开主体), named as the catalogue names it.
type Body struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases"` // other names in use, e.g. after the reform of 2019
	Kind      BodyKind `json:"kind"`
	Parent    string   `json:"parent"`    // id, or ""
	Successor string   `json:"successor"` // id of the body that took over, or ""
	Note      string   `json:"note"`
	Validity
}

// Stage is one of the five stages whose disclosure the order demands
// (决策、执行、管理、服务、结果“五公开”).
type Stage string

// The stages, in the order of the process.
const (
	StageDecision  Stage = "decision"  // 决策
	StageExecution Stage = "execution" // 执行
	StageOversight Stage = "oversight" // 管理
	StageService   Stage = "service"   // 服务
	StageResult    Stage = "result"    // 结果
)

// Stages lists the stages in order with their Chinese names.
var Stages = []struct {
	Stage Stage
	Name  string
}{
	{StageDecision, "决策"},
	{StageExecution, "执行"},
	{StageOversight, "管理"},
	{StageService, "服务"},
	{StageResult, "结果"},
}

// Name returns the Chinese name, or "" for an unknown stage.
func (s Stage) Name() string {
	for _, known := range Stages {
		if known.Stage == s {
			return known.Name
		}
	}
	return ""
}

// CatalogItem is one duty of the catalogue (公开事项). Its content is quoted from
// the annex to the letter; what the annex leaves open is empty.
type CatalogItem struct {
	ID          string   `json:"id"`    // "A1-04": annex and row
	Annex       int      `json:"annex"` // 1 or 2; 0 for an item the district added
	Seq         int      `json:"seq"`   // row in the annex
	Sector      string   `json:"sector"`
	Category    string   `json:"category"`    // 信息类别
	Subcategory string   `json:"subcategory"` // "" where the annex has none
	Content     string   `json:"content"`     // 信息内容, verbatim
	Note        string   `json:"note"`        // e.g. that 标的低价 stands for 标的底价
	Attribute   string   `json:"attribute"`   // 公开属性
	Bodies      []string `json:"bodies"`      // ids of 公开主体
	BodiesText  string   `json:"bodies_text"` // the annex cell, verbatim
	OpenEnded   bool     `json:"open_ended"`  // the cell says 等部门
	Stage       Stage    `json:"stage"`
	TimeLimit   string   `json:"time_limit"` // 公开时限
	Basis       string   `json:"basis"`      // 公开依据
	Channel     string   `json:"channel"`    // 公开渠道和载体
	Duty        Duty     `json:"duty"`
	Supervision Contact  `json:"supervision"` // 监督渠道
	Validity
}

// Duty is the ground on which a body answers for an item
// (谁批准谁公开、谁实施谁公开、谁制作谁公开).
type Duty string

// The grounds; "" where the policy names none.
const (
	DutyApprover    Duty = "approver"    // 谁批准，谁公开
	DutyImplementer Duty = "implementer" // 谁实施，谁公开
	DutyMaker       Duty = "maker"       // 谁制作，谁公开
)

// Contact is where the public complains that an item is not disclosed.
type Contact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// NoticeType is a kind of notice (公告类型) as data: its fields drive
// validation, the JSON, the workbook template, the page, the voice and the
// card, so that a new type needs no release.
type NoticeType struct {
	Code          string   `json:"code"` // "<sector>.<word>"
	Sector        string   `json:"sector"`
	Name          string   `json:"name"`
	Stage         Stage    `json:"stage"`
	Items         []string `json:"items"` // catalogue items it fulfils
	Fields        []Field  `json:"fields"`
	DeadlineField string   `json:"deadline_field"` // key of the field shown as deadline_at, or ""
	AmountField   string   `json:"amount_field"`   // key of the money field shown as amount, or ""
	Personal      bool     `json:"personal"`       // class P: names of natural persons; never cached outside the process
	RetentionDays int      `json:"retention_days"` // calendar days after which a personal notice expires; 0 = never
	Basis         string   `json:"basis"`          // the rule that asks for it
	Speak         string   `json:"speak"`          // what the hotline says: text with {field} in it; "" derives it from the fields
	Sort          int      `json:"sort"`
	// Rules are the time limits that notices of the type must keep or that run
	// from them.
	Rules []RuleUse `json:"rules"`
	Validity

	// Version is the definition's version, set when a Catalog is built. A notice
	// keeps the version it was written with and is always shown by it.
	Version int `json:"-"`
}

// Field returns the field with the key, or false.
func (t *NoticeType) Field(key string) (Field, bool) {
	for _, f := range t.Fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}

// Masks reports whether any field or column of the type is masked in public.
func (t *NoticeType) Masks() bool { return anyMask(t.Fields) }

func anyMask(fields []Field) bool {
	for _, f := range fields {
		if f.Mask != MaskNone || anyMask(f.Columns) {
			return true
		}
	}
	return false
}
