package importer

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gongkai/internal/disclosure"
)

// Proposal is what the text of a notice seems to say, for a person to confirm.
// What the text does not say is absent: nothing is guessed.
type Proposal struct {
	Draft    disclosure.Draft `json:"draft"`
	TypeName string           `json:"type_name"`
	Found    []Found          `json:"found"`
}

// Found is one value with the words it was taken from.
type Found struct {
	Key      string          `json:"key"` // path in the draft
	Label    string          `json:"label"`
	Value    json.RawMessage `json:"value"`
	Display  string          `json:"display"`
	Evidence string          `json:"evidence"` // ID and mobile numbers masked
}

// FromText proposes a draft from the plain text of one notice, as it stands on
// a portal or in a document. code is the notice type, or "" to tell it from the
// title. Errors: CodeImportFile when it is no text, CodeParam when the type is
// unknown or cannot be told.
func FromText(c *disclosure.Catalog, code string, data []byte) (Proposal, error) {
	if len(data) > maxText {
		return Proposal{}, tooLarge("公告原文超过 1 MB")
	}
	decoded, err := decodeText(data)
	if err != nil {
		return Proposal{}, err
	}
	text := string(decoded)
	if htmlText.MatchString(strings.TrimSpace(text)) {
		text = disclosure.PlainText(text)
	}
	p := &proposer{lines: linesOf(text), out: Proposal{Found: []Found{}}}
	if len(p.lines) == 0 {
		return Proposal{}, unreadable("文件中没有文字")
	}
	title := p.title()
	if code == "" {
		code = typeOfTitle(title)
	}
	t, err := c.Type(code)
	if err != nil {
		return Proposal{}, disclosure.Errorf(disclosure.CodeParam, "从标题看不出公告类型，请用 --type 指明，如 construction.tender_notice").On("type")
	}
	p.out.TypeName = t.Name
	p.out.Draft = disclosure.Draft{Type: t.Code, Title: title, Fields: map[string]json.RawMessage{}, BodyHTML: bodyHTML(strings.Join(p.lines, "\n"))}
	p.read(c, t)
	return p.out, nil
}

const maxText = 1 << 20

func linesOf(text string) []string {
	var lines []string
	for l := range strings.SplitSeq(strings.ReplaceAll(text, "\r", "\n"), "\n") {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

type proposer struct {
	lines []string
	facts []string // the lines again, with what headings say of them; width folded
	out   Proposal
}

var titleEnd = regexp.MustCompile(`(公告|公示|结果|计划|信息|通知|记录|意向|公开)(（[^）]*）)?$`)

// title is the first lines up to one that ends as titles do, at most three.
func (p *proposer) title() string {
	var title strings.Builder
	for i, l := range p.lines[:min(3, len(p.lines))] {
		if strings.ContainsAny(l, "：:。") && i > 0 {
			break
		}
		if title.WriteString(l); titleEnd.MatchString(title.String()) {
			return clip(title.String(), 200)
		}
	}
	return clip(p.lines[0], 200)
}

func clip(s string, n int) string {
	if utf8.RuneCountInString(s) > n {
		return string([]rune(s)[:n])
	}
	return s
}

// typeWords tell a type by words of the title, the more particular first; the
// sectors' own words decide between types of one kind.
var typeWords = []struct{ word, kind string }{
	{"更正", "correction"}, {"变更公告", "correction"}, {"终止", "termination"}, {"中标候选人", "candidates"}, {"单一来源", "single_source"},
	{"采购意向", "intention"}, {"资格预审公告", "prequalification_notice"}, {"招标计划", "tender_plan"}, {"合同", "contract"},
	{"竞争性磋商公告", "negotiation_notice"}, {"竞争性谈判公告", "negotiation_notice"}, {"询价公告", "negotiation_notice"},
	{"磋商公告", "negotiation_notice"}, {"成交公示", "deal_publicity"}, {"中标结果", "award_result"}, {"成交结果", "award_result"},
	{"中标公告", "award_result"}, {"成交公告", "award_result"}, {"结果公告", "award_result"}, {"出让公告", "transfer_notice"},
	{"转让公告", "transfer_notice"}, {"开标记录", "opening_record"}, {"招标公告", "tender_notice"},
}

var sectorWords = []struct{ word, sector string }{
	{"国有建设用地", "land"}, {"土地使用权", "land"}, {"采购", "procurement"}, {"磋商", "procurement"}, {"谈判", "procurement"}, {"询价", "procurement"},
	{"产权", "property"}, {"股权", "property"}, {"资产转让", "property"},
	{"工程", "construction"}, {"施工", "construction"}, {"监理", "construction"}, {"勘察", "construction"}, {"设计", "construction"},
}

// typeOfTitle returns the code of the type that a title names, or "".
func typeOfTitle(title string) string {
	for _, w := range typeWords {
		if !strings.Contains(title, w.word) {
			continue
		}
		for _, s := range sectorWords {
			if strings.Contains(title, s.word) {
				if s.sector == "property" && w.kind == "award_result" {
					return "property.result_notice"
				}
				return s.sector + "." + w.kind
			}
		}
		return ""
	}
	return ""
}

// aliases are other words for fields, beside their labels, by key. The first
// that the text has is taken.
var aliases = map[string][]string{
	"tenderer":             {"招标人", "招标单位", "建设单位", "发包人"},
	"purchaser":            {"采购人", "采购人名称", "采购单位", "采购单位名称"},
	"transferor":           {"出让人", "转让方", "转让方名称"},
	"agency":               {"招标代理机构", "采购代理机构", "代理机构", "招标代理", "采购代理机构名称"},
	"budget_amount":        {"预算金额", "采购预算", "项目预算", "采购预算金额", "预算总金额", "预算"},
	"control_price":        {"最高投标限价", "最高限价", "招标控制价", "控制价", "采购最高限价"},
	"estimated_amount":     {"估算金额", "投资估算", "项目估算金额", "合同估算价"},
	"bid_deadline":         {"投标截止时间", "提交投标文件截止时间", "投标文件递交的截止时间", "投标文件递交截止时间", "递交投标文件截止时间", "响应文件提交截止时间", "响应文件递交截止时间", "提交响应文件截止时间", "首次响应文件提交截止时间", "截止时间"},
	"application_deadline": {"资格预审申请文件递交截止时间", "资格预审申请文件递交的截止时间", "申请文件递交截止时间"},
	"opening_at":           {"开标时间", "开启时间", "响应文件开启时间"},
	"opening_place":        {"开标地点", "开启地点"},
	"document_period":      {"招标文件获取时间", "获取招标文件的时间", "采购文件获取时间", "招标文件获取期限", "获取采购文件时间", "获取时间"},
	"winner":               {"中标人", "中标人名称", "中标单位", "中标供应商", "中标供应商名称", "成交供应商", "成交供应商名称", "中标（成交）供应商", "中标（成交）供应商名称", "中标(成交)供应商名称", "供应商名称", "受让方", "竞得人"},
	"winner_address":       {"供应商地址", "中标供应商地址", "成交供应商地址", "中标人地址"},
	"award_price":          {"中标价", "中标金额", "中标价格", "成交金额", "成交价", "成交价格", "中标（成交）金额", "中标(成交)金额", "成交总价"},
	"contract_price":       {"合同金额", "合同价款", "合同价", "合同总价"},
	"contract_no":          {"合同编号"},
	"lead_person":          {"项目负责人", "项目经理"},
	"duration":             {"工期", "计划工期", "要求工期", "工期要求"},
	"contact":              {"项目联系人", "联系人"},
	"contact_phone":        {"联系电话", "联系方式", "电话", "采购人联系电话"},
	"agency_phone":         {"代理机构联系电话"},
	"supervision_phone":    {"监督电话", "投诉电话"},
	"publicity_period":     {"公示期", "公示时间", "公示期限"},
	"construction_place":   {"建设地点", "工程地点"},
	"bid_bond":             {"投标保证金", "投标保证金金额"},
	"signed_on":            {"合同签订日期", "合同签订时间"},
	"winner_fixed_on":      {"定标日期", "成交日期", "中标日期", "确定中标日期"},
	"fund_source":          {"资金来源"},
}

// member is a column that is no field of a type.
type member struct {
	key, label string
	kind       disclosure.FieldKind
	names      []string
}

var members = []member{
	{"project.code", "项目编号", disclosure.FieldCode, []string{"项目编号", "采购项目编号", "招标项目编号", "招标编号", "采购编号", "采购文件编号", "标段编号"}},
	{"project.name", "项目名称", disclosure.FieldText, []string{"项目名称", "采购项目名称", "招标项目名称", "工程名称"}},
	{"source.name", "信息来源", disclosure.FieldText, []string{"信息来源", "来源"}},
}

func (p *proposer) read(c *disclosure.Catalog, t *disclosure.NoticeType) {
	p.contextualise()
	d := &p.out.Draft
	for _, m := range members {
		f := disclosure.Field{Key: m.key, Label: m.label, Kind: m.kind}
		raw := p.propose(m.key, f, m.names)
		if raw == nil && m.key == "project.name" {
			raw = p.namedProject(f)
		}
		if raw == nil {
			continue
		}
		switch m.key {
		case "source.name":
			d.Source = &disclosure.DraftSource{Name: unquote(raw)}
		default:
			if d.Project == nil {
				d.Project = &disclosure.Project{}
			}
			if m.key == "project.code" {
				d.Project.Code = unquote(raw)
			} else {
				d.Project.Name = unquote(raw)
			}
		}
	}
	for _, f := range t.Fields {
		names := append([]string{f.Label}, aliases[f.Key]...)
		if raw := p.propose(fieldPrefix+f.Key, f, names); raw != nil {
			d.Fields[f.Key] = raw
		}
	}
	p.publisher(c)
}

// projectNamed is how the standard tender documents name the project.
var projectNamed = regexp.MustCompile(`本(?:招标|采购)?项目\s*([^，。；:]{4,80}?)\s*[（(]项目名称[)）]`)

func (p *proposer) namedProject(f disclosure.Field) json.RawMessage {
	for _, l := range p.facts {
		if m := projectNamed.FindStringSubmatch(l); m != nil {
			raw := quote(m[1])
			p.note(f.Key, f, raw, l)
			return raw
		}
	}
	return nil
}

// publisher names the body when the text's buyer is one of the catalogue.
func (p *proposer) publisher(c *disclosure.Catalog) {
	in := &input{catalog: c}
	in.indexBodies()
	for _, key := range []string{"purchaser", "tenderer", "transferor"} {
		if id, ok := in.bodies[bodyKey(unquote(p.out.Draft.Fields[key]))]; ok {
			p.out.Draft.Body = id
			p.out.Found = append(p.out.Found, Found{keyBody, "公开主体", quote(id), c.BodyName(id), unquote(p.out.Draft.Fields[key])})
			return
		}
	}
}

var partyHeads = []struct{ head, party string }{
	{"采购人信息", "采购人"}, {"采购单位信息", "采购人"}, {"采购代理机构信息", "代理机构"}, {"代理机构信息", "代理机构"}, {"招标人信息", "招标人"}, {"项目联系方式", "项目"},
}

var partyLine = regexp.MustCompile(`^(?:名\s*称|地\s*址|联系方式|联系电话|电\s*话)\s*[:：]`)

// contextualise copies the lines and says whose the names, addresses and numbers
// under a party's heading are.
func (p *proposer) contextualise() {
	party := ""
	for _, l := range p.lines {
		l = fold(l)
		for _, h := range partyHeads {
			if strings.Contains(l, h.head) && utf8.RuneCountInString(l) < 30 {
				party = h.party
				break
			}
		}
		if m := partyLine.FindString(l); m != "" && party != "" && party != "项目" {
			name := strings.Join(strings.Fields(strings.TrimRight(m, ":： ")), "")
			switch name {
			case "名称":
				name = ""
			case "联系方式", "电话":
				name = "联系电话"
			}
			l = party + name + "：" + strings.TrimSpace(l[len(m):])
		}
		p.facts = append(p.facts, l)
	}
}

// propose looks the names up one after the other and takes the first value that
// reads as the field's kind.
func (p *proposer) propose(key string, f disclosure.Field, names []string) json.RawMessage {
	if f.Kind == disclosure.FieldTable || f.Kind == disclosure.FieldLongText {
		return nil
	}
	if f.Kind == disclosure.FieldBoolean {
		return p.consortium(key, f)
	}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, l := range p.facts {
			said, unit, ok := after(l, fold(name))
			if !ok {
				continue
			}
			if raw := extract(f, said, unit); raw != nil {
				p.note(key, f, raw, l)
				return raw
			}
		}
	}
	return nil
}

func (p *proposer) consortium(key string, f disclosure.Field) json.RawMessage {
	if f.Key != "consortium_accepted" {
		return nil
	}
	for _, l := range p.facts {
		raw := json.RawMessage(nil)
		switch {
		case strings.Contains(l, "不接受联合体"), strings.Contains(l, "不允许联合体"), strings.Contains(l, "联合体投标：不接受"), strings.Contains(l, "拒绝联合体"):
			raw = json.RawMessage("false")
		case strings.Contains(l, "接受联合体"), strings.Contains(l, "允许联合体"):
			raw = json.RawMessage("true")
		default:
			continue
		}
		p.note(key, f, raw, l)
		return raw
	}
	return nil
}

func (p *proposer) note(key string, f disclosure.Field, raw json.RawMessage, line string) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&v) // made by us
	p.out.Found = append(p.out.Found, Found{key, f.Label, raw, disclosure.MaskNumbers(f.Display(v)), disclosure.Quote(line)})
}

var (
	bracketed = regexp.MustCompile(`^\s*[（(]([^（()）]{0,40})[)）]`)
	connector = regexp.MustCompile(`^\s*(?:[:：]|为|是)\s*`)
	// before is what may stand directly before a label, beside what is no Han.
	before    = []string{"项目", "本次", "本项目", "采购", "包", "的", "和", "及", "其中", "标段"}
	nextLabel = regexp.MustCompile(`[\s，；;]+(?:\d{1,2}[.、])?[\p{Han}（）()]{2,14}[:：]`)
)

// after returns what a line says after a label: "label：…", "label（万元）：…" or
// "label为…". unit is what stands in the brackets.
func after(line, label string) (said, unit string, ok bool) {
	for from := 0; ; {
		i := strings.Index(line[from:], label)
		if i < 0 {
			return "", "", false
		}
		at := from + i
		from = at + len(label)
		if !labelStart(line[:at]) {
			continue
		}
		rest := line[from:]
		if m := bracketed.FindStringSubmatch(rest); m != nil {
			unit, rest = m[1], rest[len(m[0]):]
		}
		c := connector.FindString(rest)
		if c == "" {
			continue
		}
		said = rest[len(c):]
		if loc := nextLabel.FindStringIndex(said); loc != nil {
			said = said[:loc[0]]
		}
		return strings.TrimSpace(said), unit, true
	}
}

func labelStart(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	if s == "" || !isHan(r) {
		return true
	}
	return slices.ContainsFunc(before, func(w string) bool { return strings.HasSuffix(s, w) })
}

func isHan(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }

var (
	amountForm = regexp.MustCompile(`(¥|￥|人民币)?\s*([0-9][0-9,，]*(?:\.[0-9]+)?)\s*[（(]?\s*(亿元|万元|元|亿|万)?`)
	momentForm = regexp.MustCompile(`\d{4}\s*[年\-/.]\s*\d{1,2}\s*[月\-/.]\s*\d{1,2}\s*日?\s*(?:[（(]?(?:星期|周)[一二三四五六日天][)）]?)?\s*(?:上午|下午)?\s*\d{1,2}\s*(?:[:：]\s*\d{1,2}(?:[:：]\s*\d{1,2})?|[时点]\s*(?:\d{1,2}\s*分|整|半)?)`)
	dayForm    = regexp.MustCompile(`\d{4}\s*[年\-/.]\s*\d{1,2}\s*[月\-/.]\s*\d{1,2}\s*日?`)
	shortDay   = regexp.MustCompile(`(?:至|到|~|—|-)\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日`)
	phoneForm  = regexp.MustCompile(`(?:\d{3,4}-)?\d{7,8}(?:-\d{1,6})?|1[3-9]\d{9}|400-?\d{3}-?\d{4}`)
	codeForm   = regexp.MustCompile(`^[A-Za-z0-9\p{Han}〔〕\[\]【】\-_/.第号]+(?:[（(][A-Za-z0-9\p{Han}]{1,12}[)）][A-Za-z0-9\-]*)?`)
	wholeForm  = regexp.MustCompile(`^\D{0,6}?(\d{1,9})`)
	rateForm   = regexp.MustCompile(`(\d+(?:\.\d+)?)\s*%`)
	urlForm    = regexp.MustCompile(`https?://[A-Za-z0-9./?&=_%:#~\-]+`)
	usccForm   = regexp.MustCompile(`[0-9A-HJ-NPQRTUWXY]{18}`)
	hollow     = []string{"", "/", "无", "详见", "见", "另行", "待定", "暂无", "—", "-"}
)

// extract reads a value of the field's kind out of what a line says, or nil.
func extract(f disclosure.Field, said, unit string) json.RawMessage {
	if slices.ContainsFunc(hollow[1:], func(h string) bool { return said == h || utf8.RuneCountInString(h) > 1 && strings.HasPrefix(said, h) }) || said == "" {
		return nil
	}
	in := &input{}
	var raw json.RawMessage
	switch f.Kind {
	case disclosure.FieldMoney:
		return extractMoney(f, said, unit)
	case disclosure.FieldDatetime:
		if m := momentForm.FindString(said); m != "" {
			raw, _ = in.datetime(f, cell{}, m)
		}
	case disclosure.FieldDate:
		if m := dayForm.FindString(said); m != "" {
			raw, _ = in.date(f, cell{}, m)
		}
	case disclosure.FieldPeriod:
		return extractPeriod(said)
	case disclosure.FieldPhone:
		if found := phoneForm.FindAllString(said, 3); found != nil {
			raw = quote(strings.Join(found, "、"))
		}
	case disclosure.FieldCode:
		if m := strings.TrimRight(codeForm.FindString(said), "（(."); strings.ContainsAny(m, "0123456789") {
			raw = quote(clip(m, 100))
		}
	case disclosure.FieldInteger:
		if m := wholeForm.FindStringSubmatch(said); m != nil {
			raw = json.RawMessage(cleanNumber(m[1]))
		}
	case disclosure.FieldPercent:
		if m := rateForm.FindStringSubmatch(said); m != nil {
			raw = json.RawMessage(cleanNumber(m[1]))
		}
	case disclosure.FieldEnum:
		for _, o := range f.Options {
			if strings.Contains(said, o) {
				return quote(o)
			}
		}
	case disclosure.FieldURL:
		if m := urlForm.FindString(said); m != "" {
			raw = quote(m)
		}
	case disclosure.FieldUSCC:
		if m := usccForm.FindString(strings.ToUpper(said)); m != "" {
			raw = quote(m)
		}
	case disclosure.FieldText, disclosure.FieldPerson, disclosure.FieldAddress:
		raw = extractText(f, said)
	}
	return raw
}

// extractText takes the words up to the end of the clause.
func extractText(f disclosure.Field, said string) json.RawMessage {
	if i := strings.IndexAny(said, "，。；;"); i >= 0 {
		said = said[:i]
	}
	said = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(said), "（盖章）"))
	limit := 120
	if f.Kind == disclosure.FieldPerson {
		limit = 20
	}
	if said == "" || utf8.RuneCountInString(said) > limit {
		return nil
	}
	return quote(said)
}

// extractMoney takes the first amount that names its unit, in figures, or in
// the label's brackets. Without a unit there is no amount.
func extractMoney(f disclosure.Field, said, unit string) json.RawMessage {
	for _, m := range amountForm.FindAllStringSubmatchIndex(said, 8) {
		sub := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return said[m[2*i]:m[2*i+1]]
		}
		word := sub(3)
		if strings.HasPrefix(strings.TrimSpace(said[m[1]:]), "%") {
			continue
		}
		if word == "" {
			switch {
			case strings.Contains(unit, "万元"):
				word = "万元"
			case strings.Contains(unit, "元"), sub(1) == "¥", sub(1) == "￥":
				word = "元"
			default:
				continue
			}
		}
		if raw, bad := money(f, cell{}, sub(2)+word, 0); bad == nil || bad.severity != disclosure.SeverityError {
			return raw
		}
	}
	return nil
}

func extractPeriod(said string) json.RawMessage {
	days := dayForm.FindAllString(said, 2)
	if len(days) == 0 {
		return nil
	}
	from, _, ok := parseMoment(days[0])
	if !ok {
		return nil
	}
	to := from
	switch m := shortDay.FindStringSubmatch(said); {
	case len(days) == 2:
		if to, _, ok = parseMoment(days[1]); !ok {
			return nil
		}
	case m != nil:
		to.month, to.day = atoi(m[1]), atoi(m[2])
	default:
		return nil
	}
	if !to.valid() || to.String() < from.String() {
		return nil
	}
	return periodJSON(from.String(), to.String())
}
