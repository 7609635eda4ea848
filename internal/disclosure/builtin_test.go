package disclosure

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"gongkai/internal/workday"
)

func builtinCatalog(t *testing.T) *Catalog {
	t.Helper()
	defs, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCatalog(defs)
	if err != nil {
		t.Fatal(err)
	}
	for _, def := range defs {
		if err := c.Check(def); err != nil {
			t.Errorf("%s %s: %v", def.Kind, def.ID, err)
		}
	}
	return c
}

var testDay = workday.Date{Year: 2026, Month: 11, Day: 23}

func TestEveryCatalogItemIsFulfilled(t *testing.T) {
	c := builtinCatalog(t)
	if len(c.Items) != 42 {
		t.Fatalf("%d catalogue items, want the 42 of the two annexes", len(c.Items))
	}
	for _, item := range c.Items {
		if len(c.TypesFulfilling(item.ID, testDay)) == 0 {
			t.Errorf("no notice type fulfils %s %s", item.ID, item.Content)
		}
	}
}

// The catalogue holds the 42 rows of both annexes word for word, merged cells of
// category carried down.
func TestCatalogIsVerbatim(t *testing.T) {
	c := builtinCatalog(t)
	annexes, err := os.ReadFile("testdata/annexes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSuffix(string(annexes), "\n"), "\n")[1:]
	if len(rows) != 42 || len(c.Items) != 42 {
		t.Fatalf("the annexes have %d rows, the catalogue has %d items", len(rows), len(c.Items))
	}
	for i, item := range c.Items {
		open := map[bool]string{true: "等"}[item.OpenEnded]
		row := strings.Join([]string{item.ID, item.Category, item.Subcategory, item.Content, item.Attribute, item.BodiesText, open}, "\t")
		if row != rows[i] {
			t.Errorf("item %d reads\n%s\nin the annex it is\n%s", i+1, row, rows[i])
		}
	}
	item, err := c.Item("A1-18")
	if err != nil {
		t.Fatal(err)
	}
	if item.Content != "标的低价" || item.Note == "" {
		t.Errorf("A1-18 = %q, note %q; the typo is kept and explained", item.Content, item.Note)
	}
}

// A correction or termination is drafted by the program from the original, so
// every sector needs both types with these fields.
func TestEverySectorCanCorrectAndTerminate(t *testing.T) {
	c := builtinCatalog(t)
	for _, s := range c.Sectors {
		for suffix, keys := range map[string][]string{
			".correction":  {"original_title", "original_code", "reason", "changes"},
			".termination": {"original_title", "original_code", "reason"},
		} {
			typ, err := c.Type(s.Code + suffix)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			for _, key := range keys {
				if _, ok := typ.Field(key); !ok {
					t.Errorf("%s has no field %s", typ.Code, key)
				}
			}
			for _, f := range typ.Fields {
				if f.Required && f.Key != "original_title" && f.Key != "original_code" && f.Key != "reason" && f.Key != "changes" {
					t.Errorf("%s: field %s must not be required: nothing fills it in", typ.Code, f.Key)
				}
			}
		}
	}
}

func TestExamplesAreValidOnAnyDay(t *testing.T) {
	c := builtinCatalog(t)
	for _, typ := range c.Types {
		for _, requiredOnly := range []bool{true, false} {
			for d := (workday.Date{Year: 2026, Month: 9, Day: 1}); d.Year < 2028; d = d.AddDays(13) {
				examples, err := typ.Examples(d, requiredOnly)
				if err != nil {
					t.Fatal(err)
				}
				raw := map[string]json.RawMessage{}
				for key, v := range examples {
					raw[key], _ = json.Marshal(v)
				}
				if _, faults := ParseValues(typ.Fields, raw); len(faults) > 0 {
					t.Fatalf("%s on %s: %+v", typ.Code, d, faults)
				}
			}
		}
	}
}

// policyContent quotes what 实施方案 三（一）–（七） and annex 1 ask to be disclosed
// (（四） does not exist) and names the type that carries it. Fields and columns
// ("table.column") are those the text asks for by name.
var policyContent = []struct {
	phrase, code string
	fields       string
}{
	// 附件1第1行
	{"公共资源交易范围和规模标准", "general.scope_standard", "standards standards.trading_scope standards.scale_standard"},
	// （一）住房保障领域
	{"城镇保障性安居工程规划建设方案", "housing.development_plan", "construction_plan"},
	{"建设计划任务量", "housing.annual_quota", "plan_year planned_units"},
	{"计划项目信息", "housing.planned_projects", "plan_year projects.project_name"},
	{"计划户型", "housing.unit_types", "plan_year unit_types.unit_type"},
	{"计划任务完成进度", "housing.progress", "task_progress.completed_units"},
	{"已开工项目基本信息", "housing.started_projects", "projects.actual_start_on"},
	{"已竣工项目基本信息", "housing.finished_projects", "projects.actual_finish_on"},
	{"配套设施建设情况", "housing.facilities", "facilities.construction_status"},
	{"农村危房改造政策", "housing.rural_policy", "eligibility subsidy_standard"},
	{"对象认定过程和结果", "housing.rural_recipients", "determination_process recipients.determination_result"},
	{"补助资金分配情况", "housing.rural_subsidy", "allocations.subsidy_amount"},
	{"改造结果", "housing.rural_result", "reform_results.acceptance_result"},
	{"保障性住房分配政策", "housing.allocation_policy", "eligibility allocation_rules"},
	{"分配对象", "housing.allocation_recipients", "batch recipients.applicant"},
	{"分配房源", "housing.allocation_units", "batch housing_units.estate"},
	{"分配程序", "housing.allocation_procedure", "steps.step_content"},
	{"分配过程", "housing.allocation_process", "process_record"},
	{"分配结果", "housing.allocation_result", "batch allocation_results.acceptance_no allocation_results.applicant allocation_results.id_number"},
	// （二）国有土地使用权出让领域
	{"土地供应计划", "land.supply_plan", "plan_year supply_structure.supply_area"},
	{"出让公告", "land.transfer_notice", "parcels.parcel_no parcels.land_area parcels.plot_ratio parcels.starting_price listing_period bid_deadline"},
	{"成交公示", "land.deal_publicity", "deals.winner deals.award_price publicity_period"},
	{"供应结果", "land.supply_result", "supply_results.winner supply_results.supply_method"},
	{"履约", "land.performance", "progress"},
	{"变更等信息", "land.change", "changed_items change_reason"},
	// （三）政府采购领域
	{"集中采购目录表、政府采购限额标准和公开招标数额标准", "procurement.catalogue_standard",
		"catalogue_items quota_standards.procurement_threshold quota_standards.public_tender_threshold"},
	{"采购项目公告", "procurement.tender_notice", "procurement_requirements qualification_requirements document_period bid_deadline"},
	{"采购文件", "procurement.procurement_document", "document_name"},
	{"采购项目预算金额", "procurement.tender_notice", "budget_amount"},
	{"采购结果", "procurement.award_result", "winner winner_address award_price awarded_items.unit_price experts.expert_name"},
	{"采购合同", "procurement.contract", "contract_no contract_price signed_on"},
	{"投诉", "procurement.complaint_decision", "decision_content decision_no"},
	{"监督检查等处理决定", "procurement.inspection_decision", "decision_content decision_no"},
	{"对集中采购机构的考核结果", "procurement.agency_appraisal", "assessment_result"},
	{"社会中介机构的监督检查结果", "procurement.agency_inspection", "inspected_agencies.inspection_result"},
	{"信用奖惩", "procurement.credit", "credit_kind measures"},
	{"违法违规处罚", "procurement.penalty", "violation penalty_content decision_no decided_on"},
	// （五）国有产权交易领域
	{"产权交易决策及批准信息", "property.decision", "decision_content approving_body decision_no"},
	{"交易项目信息", "property.transfer_notice", "target_overview disclosure_period"},
	{"交易结果（交易价格、成交价格等）", "property.result_notice", "listing_price award_price"},
	{"相关中介机构审计结果", "property.audit_result", "auditor audit_opinion"},
	{"中介机构对转让(处置)标的…评估结果", "property.appraisal_result", "appraiser appraised_value"},
	{"标的低价", "property.reserve_price", "reserve_price"},
	{"信用奖惩", "property.credit", "credit_kind measures"},
	{"违法违规处罚", "property.penalty", "violation penalty_content decision_no decided_on"},
	// （六）工程建设项目招标投标领域
	{"审批核准备案信息（含投资项目统一代码）", "construction.approval",
		"investment_project_code decision_no tender_items.tender_scope tender_items.organization_form tender_items.tender_method"},
	{"交易活动当事人资质资格信息", "construction.qualification", "parties.qualification_name"},
	{"市场主体信用等信息", "construction.credit", "credit_kind misconduct_class"},
	{"招标公告（招标条件、项目概况与招标范围、投标人资格要求、招标文件获取、投标文件递交）", "construction.tender_notice",
		"tender_conditions project_overview qualification_requirements document_period document_method submission_method bid_deadline"},
	{"资格审查结果（被拒绝申请人不合格原因）", "construction.prequalification_result",
		"applicants.applicant_name applicants.review_result applicants.rejection_reason"},
	{"中标候选人（排序、名称、投标报价、工期、可以公开的评标情况、项目负责人姓名、个人业绩、相关证书及编号、资格能力条件、提出异议的渠道和方式）",
		"construction.candidates", "candidates.rank candidates.candidate_name candidates.bid_price candidates.duration evaluation " +
			"candidates.lead_person candidates.personal_record candidates.certificate_name candidates.certificate_no " +
			"candidates.qualification_stated objection_channel"},
	{"中标结果（中标人名称；中标价及其包括的暂估价、暂列金额；招标人定标原因及依据）", "construction.award_result",
		"winner award_price provisional_estimate provisional_sum award_reason"},
	{"合同订立", "construction.contract", "contract_no contract_price signed_on"},
	{"履约", "construction.performance", "progress"},
	{"变更", "construction.contract_change", "changed_items change_reason"},
	{"信用奖惩", "construction.credit", "measures"},
	{"违法违规处罚", "construction.penalty", "violation penalty_content decision_no decided_on"},
	// （七）医用耗材采购领域
	{"采购文件", "medical.procurement_document", "product_scope"},
	{"公告", "medical.procurement_notice", "product_scope bid_deadline"},
	{"企业和产品资质审核结果", "medical.qualification_result", "reviewed_enterprises.review_result reviewed_products.review_result reviewed_products.rejection_reason"},
	{"产品报价", "medical.quotation", "quotations.quoted_price"},
	{"市级入围结果", "medical.city_shortlist", "shortlist.supplier"},
	{"信息变更", "medical.change", "changed_items"},
	{"备案采购", "medical.filing_purchase", "filing_reason products.unit_price"},
	{"对供货企业积分管理的信息", "medical.supplier_points", "supplier_points.points"},
	{"对供货企业信用奖惩", "medical.credit", "credit_kind measures"},
	{"违规处罚", "medical.penalty", "violation penalty_content decision_no decided_on"},
}

func TestPolicyContentHasItsTypes(t *testing.T) {
	c := builtinCatalog(t)
	for _, want := range policyContent {
		typ, err := c.Type(want.code)
		if err != nil {
			t.Errorf("“%s”: %v", want.phrase, err)
			continue
		}
		for key := range strings.FieldsSeq(want.fields) {
			if _, ok := fieldAt(typ, key); !ok {
				t.Errorf("“%s”: %s has no field %s", want.phrase, want.code, key)
			}
		}
	}
}

// fieldAt finds a field by its key, or a column by "table.column".
func fieldAt(typ *NoticeType, path string) (Field, bool) {
	key, column, isColumn := strings.Cut(path, ".")
	f, ok := typ.Field(key)
	if !ok || !isColumn {
		return f, ok
	}
	i := slices.IndexFunc(f.Columns, func(col Field) bool { return col.Key == column })
	if i < 0 {
		return Field{}, false
	}
	return f.Columns[i], true
}

// The formats of 政府采购公告和公示信息格式规范（2020年版）, 财办库〔2020〕50号.
func TestProcurementHasTheThirteenFormats(t *testing.T) {
	c := builtinCatalog(t)
	formats := []string{"intention", "prequalification_notice", "tender_notice", "negotiation_notice", "award_result",
		"correction", "termination", "contract", "acceptance", "single_source", "complaint_decision",
		"inspection_decision", "agency_appraisal"}
	for _, format := range formats {
		typ, err := c.Type("procurement." + format)
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(typ.Basis, "财办库〔2020〕50号") {
			t.Errorf("%s does not cite the standard it follows: %s", typ.Code, typ.Basis)
		}
	}
}

// One key is one concept in every type: readers compare, sum and join by it,
// and a key masked here and bare there would leak. Labels may follow the words
// of each sector; -v lists the families.
func TestKeysMeanTheSameEverywhere(t *testing.T) {
	type meaning struct {
		kind FieldKind
		unit string
		mask Mask
	}
	meanings := map[string]meaning{}
	first := map[string]string{}
	labels := map[string][]string{}
	for path, f := range builtinFields(t) {
		got := meaning{f.Kind, f.Unit, f.Mask}
		if want, ok := meanings[f.Key]; ok && got != want {
			t.Errorf("%s is %v, but %v in %s", path, got, want, first[f.Key])
			continue
		}
		if first[f.Key] == "" {
			meanings[f.Key], first[f.Key] = got, path
		}
		if !slices.Contains(labels[f.Key], f.Label) {
			labels[f.Key] = append(labels[f.Key], f.Label)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if len(labels[key]) > 1 {
			t.Logf("%s: %s", key, strings.Join(labels[key], "｜"))
		}
	}
}

// builtinFields yields every field and column of every built-in type by its
// path.
func builtinFields(t *testing.T) iter.Seq2[string, Field] {
	t.Helper()
	c := builtinCatalog(t)
	return func(yield func(string, Field) bool) {
		for _, typ := range c.Types {
			for _, f := range typ.Fields {
				if !yield(typ.Code+" "+f.Key, f) {
					return
				}
				for _, col := range f.Columns {
					if !yield(typ.Code+" "+f.Key+"."+col.Key, col) {
						return
					}
				}
			}
		}
	}
}

func TestFieldsAreWellMade(t *testing.T) {
	for path, f := range builtinFields(t) {
		if slices.Contains(reservedKeys, f.Key) {
			t.Errorf("%s: the key is a member of every draft", path)
		}
		if f.Kind == FieldMoney && f.Unit != "元" {
			t.Errorf("%s: money is in 元, unit says %q", path, f.Unit)
		}
		var text string
		if json.Unmarshal(f.Example, &text) != nil {
			continue
		}
		switch f.Kind {
		case FieldMoney:
			if m, err := ParseMoney(text); err != nil || FormatMoney(m) != text {
				t.Errorf("%s: example %q is not written with two decimals", path, text)
			}
		case FieldUSCC:
			if !ValidUSCC(text) {
				t.Errorf("%s: check digit of example %q is wrong", path, text)
			}
		case FieldPhone:
			if !strings.HasPrefix(text, "0515-8888") {
				t.Errorf("%s: example %q is not an office number set aside for examples", path, text)
			}
		case FieldDate, FieldDatetime, FieldPeriod:
			if !strings.HasPrefix(text, "today") {
				t.Errorf("%s: example %q does not move with today", path, text)
			}
		}
		if f.Key == FieldOriginalCode && !ValidCode(text) {
			t.Errorf("%s: example %q is no notice code", path, text)
		}
	}
}

func TestTypesAreWellMade(t *testing.T) {
	c := builtinCatalog(t)
	seen := map[string]string{}
	for _, typ := range c.Types {
		place := fmt.Sprintf("%s %d", typ.Sector, typ.Sort)
		if other := seen[place]; other != "" || typ.Sort <= 0 {
			t.Errorf("%s and %s have the same place %d", typ.Code, other, typ.Sort)
		}
		seen[place] = typ.Code
		if typ.Basis == "" {
			t.Errorf("%s cites no rule that asks for it", typ.Code)
		}
		required := 0
		for _, f := range typ.Fields {
			if f.Required {
				required++
			}
		}
		if required < 2 || required > 9 {
			t.Errorf("%s has %d required fields; a clerk should find 2 to 9", typ.Code, required)
		}
		for i, id := range typ.Items {
			if item, err := c.Item(id); err != nil || item.Sector != typ.Sector {
				t.Errorf("%s: items[%d] %s is not of its sector", typ.Code, i, id)
			}
		}
	}
}

// Names are hidden in lists of people who receive something, and nowhere else:
// experts, project leads, winners and office telephones are to be named.
// The hotline says every type in a sentence of its own, and never leaves out
// what closes when and for how much.
func TestTypesHaveTheirSentence(t *testing.T) {
	for _, typ := range builtinCatalog(t).Types {
		if typ.Speak == "" {
			t.Errorf("%s has no sentence", typ.Code)
		}
		for _, key := range []string{typ.DeadlineField, typ.AmountField} {
			if key != "" && !strings.Contains(typ.Speak, "{"+key+"}") {
				t.Errorf("%s does not say its %s: %s", typ.Code, key, typ.Speak)
			}
		}
	}
}

func TestOnlyPersonalTypesMask(t *testing.T) {
	c := builtinCatalog(t)
	personal := []string{}
	for _, typ := range c.Types {
		if !typ.Personal {
			if typ.Masks() || typ.RetentionDays != 0 {
				t.Errorf("%s masks or expires but is not personal", typ.Code)
			}
			continue
		}
		personal = append(personal, typ.Code)
		if typ.RetentionDays <= 0 || typ.DeadlineField != "publicity_period" {
			t.Errorf("%s: a list of people has a publicity period and does not stay for ever", typ.Code)
		}
		for _, f := range typ.Fields {
			for _, col := range append([]Field{f}, f.Columns...) {
				if col.Kind == FieldPerson && col.Mask != MaskName || col.Key == "id_number" && col.Mask != MaskID ||
					col.Key == "home_address" && col.Mask != MaskAddress {
					t.Errorf("%s: %s is not masked", typ.Code, col.Key)
				}
			}
		}
	}
	want := []string{"housing.rural_recipients", "housing.allocation_recipients", "housing.allocation_result"}
	if !slices.Equal(personal, want) {
		t.Errorf("personal types are %v, want %v", personal, want)
	}
}

// exampleTerms are the time limits of D1–D21 as they bear on single types.
// From and to are a field, the start or end of a period, or "today", the day of
// publication; a limit is a minimum unless atMost.
var exampleTerms = []struct {
	rule, code, from, to string
	n                    int
	workdays, atMost     bool
}{
	{"D2", "construction.approval", "decided_on", "today", 7, true, true},
	{"D2", "construction.penalty", "decided_on", "today", 7, true, true},
	{"D2", "procurement.penalty", "decided_on", "today", 7, true, true},
	{"D2", "property.penalty", "decided_on", "today", 7, true, true},
	{"D2", "medical.penalty", "decided_on", "today", 7, true, true},
	{"D4", "construction.prequalification_notice", "document_period.from", "document_period.to", 5, false, false},
	{"D4", "construction.prequalification_notice", "document_period.to", "application_deadline", 5, false, false},
	{"D4", "construction.tender_notice", "document_period.from", "document_period.to", 5, false, false},
	{"D5", "construction.tender_notice", "today", "bid_deadline", 20, false, false},
	{"D5", "procurement.tender_notice", "today", "bid_deadline", 20, false, false},
	{"D6", "construction.clarification", "today", "bid_deadline", 15, false, false},
	{"D6", "construction.prequalification_clarification", "today", "application_deadline", 3, false, false},
	{"D8", "construction.candidates", "evaluation_report_on", "today", 3, false, true},
	{"D8", "construction.candidates", "publicity_period.from", "publicity_period.to", 3, false, false},
	{"D9", "construction.contract", "award_notice_on", "signed_on", 30, false, true},
	{"D11", "procurement.prequalification_notice", "document_period.from", "document_period.to", 5, true, false},
	{"D11", "procurement.tender_notice", "document_period.from", "document_period.to", 5, true, false},
	{"D11", "procurement.negotiation_notice", "document_period.from", "document_period.to", 5, true, false},
	{"D11", "procurement.single_source", "publicity_period.from", "publicity_period.to", 5, true, false},
	{"D12", "procurement.award_result", "winner_fixed_on", "today", 2, true, true},
	{"D12", "procurement.contract", "signed_on", "today", 2, true, true},
	{"D13", "procurement.award_result", "evaluated_on", "evaluation_report_on", 2, true, true},
	{"D13", "procurement.award_result", "evaluation_report_on", "winner_fixed_on", 5, true, true},
	{"D14", "procurement.complaint_decision", "case_accepted_on", "decided_on", 30, true, true},
	{"D15", "procurement.tender_notice", "notice_period.from", "notice_period.to", 5, true, false},
	{"D15", "procurement.award_result", "notice_period.from", "notice_period.to", 1, true, false},
	{"D16", "land.transfer_notice", "today", "listing_period.from", 20, false, false},
	{"D16", "land.transfer_notice", "listing_period.from", "listing_period.to", 10, false, false},
	{"D16", "land.deal_publicity", "winner_fixed_on", "today", 10, true, true},
	{"D16", "land.supply_result", "winner_fixed_on", "today", 10, true, true},
	{"D18", "property.transfer_notice", "disclosure_period.from", "disclosure_period.to", 20, true, false},
	{"D18", "property.result_notice", "publicity_period.from", "publicity_period.to", 5, true, false},
	{"D19", "procurement.intention", "today", "planned_on", 30, false, false},
	{"D21", "housing.rural_recipients", "publicity_period.from", "publicity_period.to", 7, true, false},
	{"D21", "housing.allocation_recipients", "publicity_period.from", "publicity_period.to", 7, true, false},
	{"D21", "housing.allocation_result", "publicity_period.from", "publicity_period.to", 7, true, false},
}

func TestExamplesKeepTheTimeLimitsOnAnyDay(t *testing.T) {
	c := builtinCatalog(t)
	calendar := workday.Published()
	for _, term := range exampleTerms {
		typ, err := c.Type(term.code)
		if err != nil {
			t.Error(err)
			continue
		}
		for today := (workday.Date{Year: 2024, Month: 1, Day: 1}); today.Year < 2027; today = today.AddDays(1) {
			from, to := exampleDay(t, typ, term.from, today), exampleDay(t, typ, term.to, today)
			limit := from.AddDays(term.n)
			if term.workdays {
				limit = calendar.Add(from, term.n).Date
			}
			if from.Compare(to) > 0 || limit.Compare(to) != 0 && (to.Compare(limit) > 0) == term.atMost {
				t.Errorf("%s: %s published on %s: %s %s, %s %s, limit %s", term.rule, term.code, today,
					term.from, from, term.to, to, limit)
				break
			}
		}
	}
}

// exampleDay works out the day that an example of the type stands for.
func exampleDay(t *testing.T, typ *NoticeType, path string, today workday.Date) workday.Date {
	t.Helper()
	if path == "today" {
		return today
	}
	key, end, _ := strings.Cut(path, ".")
	f, ok := typ.Field(key)
	if !ok {
		t.Fatalf("%s has no field %s", typ.Code, key)
	}
	v, err := f.ExampleOn(today)
	if err != nil {
		t.Fatal(err)
	}
	if period, ok := v.(map[string]any); ok {
		v = period[end]
	}
	text, _ := v.(string)
	d, err := workday.ParseDate(text[:min(len(text), len("2006-01-02"))])
	if err != nil {
		t.Fatalf("%s: %s: %v", typ.Code, path, err)
	}
	return d
}
