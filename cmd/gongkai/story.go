package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
	"gongkai/internal/workday"
)

// storyProject is the project that the tour shows: it has gone all the way.
const storyProject = "E3209020001000001"

// chapter is one made-up notice before it is written.
type chapter struct {
	typ     string
	title   string
	body    string // id of the publisher
	project *disclosure.Project
	at      time.Time
	values  map[string]any // over the examples of the type's fields
	fate    fate
}

// fate is what becomes of a notice after its publication.
type fate int

const (
	stays fate = iota
	isCorrected
	isTerminated
	isWithdrawn
)

// storyteller makes up notices: the same ones for the same day.
type storyteller struct {
	r        *rand.Rand
	now      time.Time
	catalog  *disclosure.Catalog
	chapters []chapter
	projects int
}

// loadStory publishes the made-up notices as of their made-up dates, in order
// of time, through the same steps as any notice.
func loadStory(ctx context.Context, s *publish.Service, now time.Time) error {
	t := &storyteller{r: rand.New(rand.NewPCG(320902, 97)), now: now, catalog: s.Store.Catalog()} //nolint:gosec // made-up data must repeat
	t.tell()
	slices.SortStableFunc(t.chapters, func(a, b chapter) int { return a.at.Compare(b.at) })
	for _, c := range t.chapters {
		if err := t.publish(ctx, s, c); err != nil {
			return fmt.Errorf("%s %s: %w", c.typ, c.title, err)
		}
	}
	return nil
}

// publish enters, submits and publishes one chapter, and carries out its fate
// some days later, if that is past.
func (t *storyteller) publish(ctx context.Context, s *publish.Service, c chapter) error {
	s.Now = func() time.Time { return c.at }
	draft, err := t.draft(c)
	if err != nil {
		return err
	}
	n, err := s.Create(ctx, disclosure.Request{Actor: demoStaff[0]}, draft)
	if err != nil {
		return err
	}
	if err := check(ctx, s, n.ID); err != nil {
		return err
	}
	ref := disclosure.NoticeRef{ID: n.ID}
	switch c.fate {
	case isCorrected:
		deadline, _ := json.Marshal(disclosure.FormatInstant(c.at.AddDate(0, 0, 60).Truncate(time.Hour)))
		n, err = s.Correct(ctx, disclosure.Request{Actor: demoStaff[0]}, ref,
			map[string]json.RawMessage{"bid_deadline": deadline}, "招标文件有实质性修改，依法顺延投标截止时间。")
	case isTerminated:
		n, err = s.Terminate(ctx, disclosure.Request{Actor: demoStaff[0]}, ref, "因项目资金计划调整，本次招标终止，重新招标时间另行公告。")
	case isWithdrawn:
		_, err = s.Withdraw(ctx, disclosure.Request{Actor: demoStaff[1]}, ref, "重复发布", false)
		return err
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return check(ctx, s, n.ID)
}

// check submits a draft and has the second person publish it.
func check(ctx context.Context, s *publish.Service, id string) error {
	ref := disclosure.NoticeRef{ID: id}
	if _, err := s.Submit(ctx, disclosure.Request{Actor: demoStaff[0]}, ref, disclosure.Acknowledgement{}); err != nil {
		return err
	}
	_, err := s.Publish(ctx, disclosure.Request{Actor: demoStaff[1]}, ref, disclosure.Approval{
		Secrecy: disclosure.Secrecy{Result: "不涉密", Reason: "演示"}})
	return err
}

// draft fills the type's fields with their examples as of the chapter's day,
// and the chapter's own values over them.
func (t *storyteller) draft(c chapter) (disclosure.Draft, error) {
	typ, err := t.catalog.Type(c.typ)
	if err != nil {
		return disclosure.Draft{}, err
	}
	day := workday.DateOf(c.at)
	values, err := typ.Examples(day, false)
	if err != nil {
		return disclosure.Draft{}, err
	}
	for key, v := range c.values {
		if _, ok := typ.Field(key); ok {
			values[key] = v
		}
	}
	fields := map[string]json.RawMessage{}
	for key, v := range values {
		if fields[key], err = json.Marshal(v); err != nil {
			return disclosure.Draft{}, err
		}
	}
	region, formed := "320902", day.String()
	return disclosure.Draft{Type: c.typ, Title: c.title, Body: cmp.Or(c.body, "resource-trading-centre"), Project: c.project,
		Source: &disclosure.DraftSource{Name: "亭湖区公共资源交易平台（演示）"}, Region: &region, FormedAt: &formed, Fields: fields,
		BodyHTML: fmt.Sprintf("<p>%s现予公布。</p><p>本条为演示用的虚构公告，其中的单位、人员、金额和日期均不真实。</p>", c.title)}, nil
}

var (
	storyTowns = []string{"盐东镇", "黄尖镇", "便仓镇", "步凤镇", "南洋镇", "新兴镇", "五星街道", "文峰街道", "先锋街道",
		"毓龙街道", "大洋街道", "新洋街道", "黄海街道"}
	storyWorks = []string{"道路改造工程", "中心小学教学楼新建工程", "污水管网提升工程", "农村公路提档升级工程", "卫生院改扩建工程",
		"老旧小区改造工程", "农桥改造工程", "生态河道整治工程", "文化广场新建工程", "敬老院消防改造工程", "高标准农田建设工程", "健身步道工程"}
	storyGoods = []string{"智慧黑板采购项目", "环卫作业车辆采购项目", "食堂食材配送服务项目", "信息系统运行维护项目", "物业管理服务项目",
		"体检设备采购项目", "图书采购项目", "公务用车租赁服务项目", "档案数字化服务项目", "应急救援装备采购项目", "垃圾分类设施采购项目"}
	storyBuyers = []string{"亭湖区教育事务中心", "亭湖区环卫服务中心", "亭湖区人民医院筹建处", "亭湖区档案服务中心", "亭湖区应急救援中心",
		"亭湖区机关后勤服务中心", "亭湖区文化馆"}
	storyFirms = []string{"江苏海盐建设有限公司", "盐城串场河工程有限公司", "江苏丹顶鹤建设集团有限公司", "盐城新四季市政工程有限公司",
		"江苏黄海湿地工程有限公司", "盐城登瀛建筑有限公司", "江苏范堤建设工程有限公司", "盐城瓢城建设有限公司"}
	storyAssets  = []string{"临街商铺三年租赁权", "闲置厂房转让", "公务车辆一批转让", "区属公司10%股权转让", "旧设备一批转让", "办公用房租赁权"}
	storyEstates = []string{"和悦家园", "海棠花苑", "新洋人家", "毓龙雅居", "东亭嘉园"}
)

func pick[T any](t *storyteller, list []T) T { return list[t.r.IntN(len(list))] }

// clock returns a moment in office hours the given number of days ago, or zero
// when that is still to come.
func (t *storyteller) clock(daysAgo int) time.Time {
	if daysAgo < 0 {
		return time.Time{}
	}
	day := workday.DateOf(t.now).AddDays(-daysAgo).Start()
	at := day.Add(9*time.Hour + time.Duration(t.r.IntN(8*60))*time.Minute)
	if !at.Before(t.now) {
		at = t.now.Add(-time.Duration(1+t.r.IntN(50)) * time.Minute)
	}
	return at
}

// add writes a chapter unless its time is still to come.
func (t *storyteller) add(daysAgo int, c chapter) {
	if c.at = t.clock(daysAgo); !c.at.IsZero() {
		t.chapters = append(t.chapters, c)
	}
}

func (t *storyteller) money(low, high int) string {
	return disclosure.FormatMoney(disclosure.Money(low+t.r.IntN(high-low)) * 100_00)
}

func (t *storyteller) project(prefix, name string) *disclosure.Project {
	t.projects++
	return &disclosure.Project{Code: fmt.Sprintf("%s%06d", prefix, t.projects), Name: name}
}

// tell makes up everything: the projects of each sector on their way, then one
// notice at least of every type.
func (t *storyteller) tell() {
	t.construction(150, "盐东镇", "道路改造工程", stays) // the project of the tour
	for i := range 26 {
		what := stays
		switch i {
		case 20:
			what = isCorrected
		case 21:
			what = isTerminated
		case 22:
			what = isWithdrawn
		}
		t.construction(5+i*5, storyTowns[i%len(storyTowns)], storyWorks[(i*5+1)%len(storyWorks)], what)
	}
	for i := range 22 {
		t.procurement(4+i*6, i)
	}
	for i := range 9 {
		t.land(6+i*14, i)
	}
	for i := range 8 {
		t.property(8+i*13, i)
	}
	for i := range 5 {
		t.housing(10+i*24, i)
	}
	for i := range 4 {
		t.medical(12+i*25, i)
	}
	t.rest()
}

// construction tells a tender from the approval on; how far it has come depends
// on how long ago it began.
func (t *storyteller) construction(daysAgo int, town, work string, what fate) {
	project := t.project(storyProject[:len(storyProject)-6], "亭湖区"+town+work)
	winner, lead := pick(t, storyFirms), pick(t, []string{"徐国平", "沈建军", "顾海燕", "蔡志强"})
	price := t.money(1_800_000/100, 26_000_000/100)
	values := map[string]any{"tenderer": "亭湖区" + town + "人民政府", "winner": winner, "award_price": price, "contract_price": price,
		"lead_person": lead, "control_price": t.money(27_000_000/100, 33_000_000/100), "project_owner": "亭湖区" + town + "人民政府",
		"section_name": work + "施工", "section_no": project.Code + "001001",
		"investment_project_code": fmt.Sprintf("2026-%s-47-01-%06d", disclosure.Tinghu, t.projects), "project_overview": project.Name + "，招标范围为施工图及工程量清单所示全部内容。"}
	if strings.HasSuffix(town, "街道") {
		values["tenderer"], values["project_owner"] = "亭湖区"+town+"办事处", "亭湖区"+town+"办事处"
	}
	t.add(daysAgo+12, chapter{typ: "construction.approval", title: project.Name + "招标事项核准信息", body: "development-reform-commission", project: project, values: values})
	t.add(daysAgo, chapter{typ: "construction.tender_notice", title: project.Name + "施工招标公告", project: project, values: values, fate: what})
	if what != stays {
		return
	}
	if t.r.IntN(3) == 0 {
		t.add(daysAgo-8, chapter{typ: "construction.clarification", title: project.Name + "招标答疑", project: project, values: values})
	}
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{46, "construction.opening_record", "开标记录"},
		{48, "construction.candidates", "中标候选人公示"},
		{56, "construction.award_result", "中标结果公告"},
		{74, "construction.contract", "合同订立信息"},
		{120, "construction.performance", "合同履约信息"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: project.Name + step.what, project: project, values: values})
	}
}

func (t *storyteller) procurement(daysAgo, i int) {
	buyer, goods := storyBuyers[i%len(storyBuyers)], storyGoods[(i*3+2)%len(storyGoods)]
	project := t.project("TH-CG2026-", buyer+goods)
	price := t.money(2_000, 38_000)
	values := map[string]any{"purchaser": buyer, "winner": pick(t, storyFirms), "budget_amount": t.money(39_000, 46_000),
		"award_price": price, "contract_price": price, "contract_name": goods + "合同"}
	kind, name := "procurement.tender_notice", "公开招标公告"
	if i%3 == 1 {
		kind, name = "procurement.negotiation_notice", "竞争性磋商公告"
	}
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{-40, "procurement.intention", "采购意向公告"},
		{0, kind, name},
		{32, "procurement.award_result", "中标（成交）结果公告"},
		{50, "procurement.contract", "合同公告"},
		{110, "procurement.acceptance", "履约验收结果公告"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: project.Name + step.what, project: project, values: values})
	}
}

func (t *storyteller) land(daysAgo, i int) {
	parcel := fmt.Sprintf("亭土挂告字〔2026〕%02d号地块", i+1)
	project := t.project("THTD2026-", storyTowns[i%len(storyTowns)]+parcel)
	price := t.money(80_000, 900_000)
	values := map[string]any{"transferor": "盐城市国土资源局亭湖分局", "starting_price": price, "award_price": price, "contract_price": price}
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{0, "land.transfer_notice", "国有建设用地使用权挂牌出让公告"},
		{48, "land.deal_publicity", "成交公示"},
		{62, "land.supply_result", "供应结果公告"},
		{110, "land.performance", "履约信息"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: project.Name + step.what, body: "land-branch", project: project, values: values})
	}
}

func (t *storyteller) property(daysAgo, i int) {
	asset := storyAssets[i%len(storyAssets)]
	owner := "亭湖区城市资产经营有限公司"
	project := t.project("THCQ2026-", owner+asset)
	price := t.money(3_000, 90_000)
	values := map[string]any{"transferor": owner, "target_name": asset, "reserve_price": price, "award_price": price, "appraised_value": price}
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{-30, "property.decision", "决策及批准信息"},
		{-20, "property.audit_result", "审计结果"},
		{-14, "property.appraisal_result", "评估结果"},
		{-7, "property.reserve_price", "标的底价"},
		{0, "property.transfer_notice", "转让公告"},
		{55, "property.result_notice", "成交结果公告"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: asset + step.what, body: "state-assets-office", project: project, values: values})
	}
}

func (t *storyteller) housing(daysAgo, i int) {
	estate := storyEstates[i%len(storyEstates)]
	batch := fmt.Sprintf("2026年第%d批", i+1)
	name := estate + batch + "公共租赁住房"
	project := t.project("THZF2026-", name)
	values := map[string]any{"batch": batch}
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{-20, "housing.allocation_procedure", "分配程序"},
		{-10, "housing.allocation_units", "房源公告"},
		{0, "housing.allocation_recipients", "分配对象公示"},
		{32, "housing.allocation_process", "摇号过程"},
		{36, "housing.allocation_result", "分配结果公示"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: name + step.what, body: "housing-construction-bureau", project: project, values: values})
	}
}

func (t *storyteller) medical(daysAgo, i int) {
	what := []string{"一次性使用输液器", "骨科植入物", "检验试剂", "口腔耗材"}[i%4]
	project := t.project("THYC2026-", "亭湖区"+what+"集中采购")
	for _, step := range []struct {
		after     int
		typ, what string
	}{
		{-3, "medical.procurement_document", "采购文件"},
		{0, "medical.procurement_notice", "采购公告"},
		{25, "medical.qualification_result", "企业和产品资质审核结果"},
		{40, "medical.quotation", "产品报价"},
		{60, "medical.city_shortlist", "市级入围结果"},
	} {
		t.add(daysAgo-step.after, chapter{typ: step.typ, title: project.Name + step.what, body: "health-commission", project: project})
	}
}

// rest tells one notice or two of every type that no project has used, except
// corrections and terminations, which only follow from others.
func (t *storyteller) rest() {
	used := map[string]bool{}
	for _, c := range t.chapters {
		used[c.typ] = true
	}
	for i, typ := range t.catalog.Types {
		word := strings.TrimPrefix(typ.Code, typ.Sector+".")
		if used[typ.Code] || word == "correction" || word == "termination" {
			continue
		}
		body := ""
		if len(typ.Items) > 0 {
			if item, err := t.catalog.Item(typ.Items[0]); err == nil {
				body = item.Bodies[0]
			}
		}
		for n := range 1 + i%2 {
			days := 3 + (i*7+n*31)%140
			if typ.Personal { // older ones have expired
				days = 3 + 9*n
			}
			t.add(days, chapter{typ: typ.Code, title: restTitle(typ, n), body: body})
		}
	}
}

func restTitle(typ *disclosure.NoticeType, n int) string {
	switch {
	case strings.HasSuffix(typ.Code, ".credit"):
		return fmt.Sprintf("关于对%s信用奖惩的公示", storyFirms[(n+len(typ.Code))%len(storyFirms)])
	case strings.HasSuffix(typ.Code, ".penalty"):
		return fmt.Sprintf("关于对%s违法违规行为的处罚决定", storyFirms[(n*3+len(typ.Code))%len(storyFirms)])
	case n > 0:
		return "亭湖区2026年第三季度" + typ.Name
	}
	return "亭湖区2026年" + typ.Name
}

// tourDraft is what the tour enters: a tender notice made of the examples of
// its required fields.
func tourDraft(c *disclosure.Catalog, now time.Time) ([]byte, error) {
	typ, err := c.Type("construction.tender_notice")
	if err != nil {
		return nil, err
	}
	fields, err := typ.Examples(workday.DateOf(now), true)
	if err != nil {
		return nil, err
	}
	fields["control_price"] = "4860000.00"
	return json.Marshal(map[string]any{
		"type": typ.Code, "title": "亭湖区盐东镇东闸路道路改造工程施工招标公告", "body": "project-implementer", "fields": fields,
		"source":    map[string]any{"name": "亭湖区公共资源交易平台（演示）", "url": nil, "first_published_at": nil},
		"body_html": "<p>本工程已具备招标条件，现公开招标。</p>", "summary": nil, "region": "320902",
		"project":   map[string]string{"code": "E3209020001000999", "name": "亭湖区盐东镇东闸路道路改造工程"},
		"formed_at": workday.DateOf(now).String(), "decided_at": nil, "items": nil, "attachments": []string{}, "relations": []string{},
	})
}
