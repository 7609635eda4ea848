package disclosure

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/workday"
)

const testID = "320902199001010006"

// personalType lists persons: one column of each sort.
func personalType() *NoticeType {
	return &NoticeType{Code: "housing.list", Sector: "housing", Personal: true, RetentionDays: 90, DeadlineField: "publicity_period", Fields: []Field{
		{Key: "batch", Label: "批次", Kind: FieldText},
		{Key: "note", Label: "说明", Kind: FieldLongText},
		{Key: "contact_phone", Label: "联系电话", Kind: FieldPhone},
		{Key: "publicity_period", Label: "公示期", Kind: FieldPeriod},
		{Key: "rows", Label: "名单", Kind: FieldTable, Columns: []Field{
			{Key: "acceptance_no", Label: "受理编号", Kind: FieldCode},
			{Key: "applicant", Label: "申请人", Kind: FieldPerson, Mask: MaskName},
			{Key: "id_number", Label: "身份证件号码", Kind: FieldCode, Mask: MaskID},
			{Key: "member", Label: "家庭成员姓名", Kind: FieldText},
			{Key: "guarantor", Label: "担保人", Kind: FieldPerson},
			{Key: "home", Label: "住房", Kind: FieldAddress},
			{Key: "people", Label: "家庭人口", Kind: FieldInteger},
		}},
	}}
}

// Whoever shares an acceptance number with others is shown their own row, or none.
func TestLookupRowOfAFamily(t *testing.T) {
	row := func(name, id string) any {
		return map[string]any{"acceptance_no": "TH20260018", "applicant": name, "id_number": id}
	}
	c := Content{Fields: Values{"rows": []any{row("王小明", "320902199001010006"), row("李青山", "32090219900101002X"),
		row("王大", "320902201501010031"), row("王二", "320902201801010131")}}}
	for tail, want := range map[string]any{"0006": "王**", "002X": "李**", "0031": nil, "0131": nil, "0099": nil} {
		if _, got, ok := c.LookupRow(personalType(), "TH20260018", tail); ok != (want != nil) || got["applicant"] != want {
			t.Errorf("LookupRow(…%s) = %v, %t, want %v", tail, got, ok, want)
		}
	}
}

// openType is a tender's: whom it names is meant to be named.
func openType() *NoticeType {
	return &NoticeType{Code: "construction.result", Sector: "construction", Fields: []Field{
		{Key: "lead_person", Label: "项目负责人", Kind: FieldPerson},
		{Key: "address", Label: "招标人地址", Kind: FieldAddress},
		{Key: "contact_phone", Label: "联系电话", Kind: FieldPhone},
		{Key: "uscc", Label: "信用代码", Kind: FieldUSCC},
		{Key: "area", Label: "面积", Kind: FieldNumber},
		{Key: "certificate", Label: "证书编号", Kind: FieldCode},
		{Key: "price", Label: "中标价", Kind: FieldMoney},
		{Key: "link", Label: "网址", Kind: FieldURL},
		{Key: "experts", Label: "评审专家", Kind: FieldTable, Columns: []Field{{Key: "name", Label: "姓名", Kind: FieldPerson}}},
	}}
}

func rowsNumber(n json.Number) Content { return Content{Fields: rowsOf(map[string]any{"people": n})} }

func rowsOf(cells map[string]any) Values { return Values{"rows": []any{cells}} }

func TestPrivacy(t *testing.T) {
	file := func(scan FileScan) map[string]FileScan { return map[string]FileScan{"s1": scan} }
	attached := []Attachment{{ID: "u1", Name: "名单.xlsx", SHA256: "s1"}}
	tests := []struct {
		name    string
		typ     *NoticeType
		content Content
		files   map[string]FileScan
		want    []string // field, code, and "?" for a warning
	}{
		{"nothing", openType(), Content{Title: "道路工程中标结果"}, nil, nil},
		{"in the title", openType(), Content{Title: "关于王小明（" + testID + "）的公示"}, nil, []string{"title privacy.id_number"}},
		{"in the summary", openType(), Content{Summary: testID}, nil, []string{"summary privacy.id_number"}},
		{"in the project", openType(), Content{Project: &Project{Code: testID, Name: "a"}}, nil, []string{"project.code privacy.id_number"}},
		{"in the source", openType(), Content{Source: Source{Name: "张三13800000000", URL: "https://a.cn/" + testID}}, nil,
			[]string{"source.name privacy.mobile", "source.url privacy.id_number"}},
		{"in the text", openType(), Content{BodyHTML: "<p>身份证<b>320902</b>1990<i>0101</i>0006</p>"}, nil, []string{"body_html privacy.id_number"}},
		{"behind entities", openType(), Content{BodyHTML: "<p>&#51;20902199001010006</p>"}, nil, []string{"body_html privacy.id_number"}},
		{"in a link", openType(), Content{BodyHTML: `<a href="tel:13800000000">拨打</a>`}, nil, []string{"body_html privacy.mobile?"}},
		{"in a table of the text", openType(), Content{BodyHTML: "<table><tr><th>申请人<th>结果<tr><td>王小明<td>符合</table>"}, nil,
			[]string{"body_html privacy.name"}},
		{"below a spanned heading", openType(), Content{BodyHTML: `<table><tr><td colspan="2">序号</td><td>户主</td></tr><tr><td>1</td><td>2</td><td>王小明</td></tr></table>`}, nil,
			[]string{"body_html privacy.name"}},
		{"experts in a table of the text", openType(), Content{BodyHTML: "<table><tr><th>姓名<th>职称<tr><td>李示范<td>高工</table>"}, nil, nil},
		{"a mobile among others in one text", openType(), Content{BodyHTML: "<p>联系电话：13800000000</p><p>王小明13912345678</p>"}, nil,
			[]string{"body_html privacy.mobile?", "body_html privacy.mobile"}},

		{"experts, leads, offices and winners stay", openType(), Content{Fields: Values{"lead_person": "张示范", "address": "亭湖区示范路8号3幢502室",
			"contact_phone": "0515-88880001", "uscc": "913209021990010100", "certificate": "苏2321234567890", "price": "13800000000.00",
			"experts": []any{map[string]any{"name": "李示范"}}}}, nil, nil},
		{"a mobile as the contact", openType(), Content{Fields: Values{"contact_phone": "13800000000"}}, nil, []string{"fields.contact_phone privacy.mobile?"}},
		{"a number where a certificate's should be", openType(), Content{Fields: Values{"certificate": testID}}, nil, []string{"fields.certificate privacy.id_number"}},
		{"a number in an address of the web", openType(), Content{Fields: Values{"link": "https://a.cn/13800000000/" + testID}}, nil, []string{"fields.link privacy.id_number"}},

		{"what the type masks", personalType(), Content{Fields: rowsOf(map[string]any{"applicant": "王小明", "id_number": testID, "acceptance_no": "TH20260018"})}, nil, nil},
		{"an ID of full width that the type masks", personalType(), Content{Fields: rowsOf(map[string]any{"id_number": "３２０９０２１９９００１０１０００６"})}, nil, nil},
		{"what it does not", personalType(), Content{Fields: rowsOf(map[string]any{"acceptance_no": testID, "member": "李小红", "guarantor": "赵大有", "home": "盐东镇东南村3组18号"})}, nil,
			[]string{"fields.rows[0].acceptance_no privacy.id_number", "fields.rows[0].member privacy.name", "fields.rows[0].guarantor privacy.name", "fields.rows[0].home privacy.address"}},
		{"a home to the community", personalType(), Content{Fields: rowsOf(map[string]any{"home": "盐东镇东南村"})}, nil, nil},
		{"the objection office", personalType(), Content{Fields: Values{"note": "电话：0515-88880001，地址：盐城市亭湖区示范路8号。"}}, nil, nil},
		{"a room in a list of persons", personalType(), Content{BodyHTML: "<p>王**，和悦家园3号楼502室</p>"}, nil, []string{"body_html privacy.address"}},
		{"a room in a tender", openType(), Content{BodyHTML: "<p>和悦家园3号楼502室维修</p>"}, nil, nil},

		{"a clean file", openType(), Content{Attachments: attached}, file(FileScan{Whole: true}), nil},
		{"a file nobody could read", openType(), Content{Attachments: attached}, file(FileScan{}), []string{"attachments[0] privacy.unreadable?"}},
		{"a file nobody has read", openType(), Content{Attachments: attached}, nil, []string{"attachments[0] privacy.unreadable?"}},
		{"a file with numbers", openType(), Content{Attachments: attached}, file(FileScan{Whole: true, Leaks: []FileLeak{{Kind: LeakID, Where: "工作表“名单”", Line: 3, Count: 2}}}),
			[]string{"attachments[0] privacy.id_number"}},
		{"names in a tender's file", openType(), Content{Attachments: attached}, file(FileScan{Whole: true, Leaks: []FileLeak{{Kind: LeakName, Private: true}}}), nil},
		{"names in a list's file", personalType(), Content{Attachments: attached}, file(FileScan{Whole: true, Leaks: []FileLeak{{Kind: LeakName, Private: true}}}),
			[]string{"attachments[0] privacy.name"}},
		{"in the place of a credit code", openType(), Content{Fields: Values{"uscc": testID}}, nil, []string{"fields.uscc privacy.id_number"}},
		{"a credit code", openType(), Content{Fields: Values{"uscc": "91320902MA1X2Y3Z4W"}}, nil, nil},
		{"in the place of a quantity", personalType(), rowsNumber("13800000000"), nil, []string{"fields.rows[0].people privacy.mobile"}},
		{"a quantity", openType(), Content{Fields: Values{"area": json.Number("13800000000")}}, nil, nil},
		{"a file's name", openType(), Content{Attachments: []Attachment{{Name: testID + ".pdf", SHA256: "s1"}}}, file(FileScan{Whole: true}), []string{"attachments[0] privacy.id_number"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range tt.content.Privacy(tt.typ, tt.files) {
				line := f.Field + " " + f.Code
				if f.Warning {
					line += "?"
				}
				got = append(got, line)
				if strings.Contains(f.Message, testID) || strings.Contains(f.Message, "13800000000") {
					t.Errorf("the message tells what was found: %s", f.Message)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("Privacy() = %q, want %q", got, tt.want)
			}
		})
	}
}

// The head that makes a number a contact's is not what a person is told.
func TestPrivacyNamesTheField(t *testing.T) {
	found := Content{Fields: Values{"contact_phone": "13800000000"}}.Privacy(openType(), nil)
	if len(found) != 1 || !strings.HasPrefix(found[0].Message, "“联系电话”中有手机号码") {
		t.Errorf("%+v", found)
	}
}

func TestPrivacyOfManyRowsIsShort(t *testing.T) {
	var rows []any
	for range 5000 {
		rows = append(rows, map[string]any{"acceptance_no": testID})
	}
	found := Content{Fields: Values{"rows": rows}}.Privacy(personalType(), nil)
	if len(found) != maxFindings || !strings.Contains(found[maxFindings-1].Message, "4940") {
		t.Errorf("%d findings, the last: %s", len(found), found[len(found)-1].Message)
	}
}

// A draft of the examples passes the privacy check on every type: what they show is what
// may be shown.
func TestExamplesPassTheGate(t *testing.T) {
	c := builtinCatalog(t)
	for _, typ := range c.Types {
		for _, requiredOnly := range []bool{true, false} {
			values, err := typ.Examples(workday.Date{Year: 2026, Month: 11, Day: 23}, requiredOnly)
			if err != nil {
				t.Fatal(err)
			}
			raw := map[string]json.RawMessage{}
			for key, v := range values {
				if raw[key], err = json.Marshal(v); err != nil {
					t.Fatal(err)
				}
			}
			fields, faults := ParseValues(typ.Fields, raw)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			for _, f := range (Content{Title: typ.Name, Fields: fields}).Privacy(typ, nil) {
				t.Errorf("%s: %s %s: %s", typ.Code, f.Field, f.Code, f.Message)
			}
		}
	}
}

func TestPrivacyOfChange(t *testing.T) {
	was := Content{BodyHTML: "<p>" + testID + "</p>", Fields: Values{"note": "a"}}
	is := Content{BodyHTML: was.BodyHTML, Fields: Values{"note": "电话：13800000000，" + testID}}
	var got []string
	for _, f := range PrivacyOfChange(personalType(), was, is, nil) {
		got = append(got, f.Field+" "+f.Code)
	}
	if want := []string{"changes.fields.note privacy.mobile", "changes.fields.note privacy.id_number"}; !slices.Equal(got, want) {
		t.Errorf("PrivacyOfChange() = %q, want %q: what the original shows already is let be", got, want)
	}
}

// TestPrivacyOfChangeIsAboutPersons holds that being cleared of one person's data,
// or of one file, clears nobody else's in the same place.
func TestPrivacyOfChangeIsAboutPersons(t *testing.T) {
	const other = "11010519491231002X"
	list := func(ids ...string) Content {
		rows := []any{}
		for _, id := range ids {
			rows = append(rows, map[string]any{"member": id})
		}
		return Content{Fields: Values{"rows": rows}}
	}
	with := func(sha string) Content {
		return Content{Attachments: []Attachment{{Name: "名单.pdf", SHA256: sha}}}
	}
	files := map[string]FileScan{"scan": {}, "leaky": {Whole: true, Leaks: []FileLeak{{Kind: LeakID, Line: 1, Count: 1}}}}
	for _, tt := range []struct {
		name    string
		was, is Content
		want    []string
	}{
		{"another number in the text", Content{BodyHTML: testID}, Content{BodyHTML: other}, []string{"changes.body_html privacy.id_number"}},
		{"another number in a row", list(testID), list(other), []string{"changes.fields.rows[0].member privacy.id_number"}},
		{"the same rows in another order", list(testID, other), list(other, testID), nil},
		{"another scanned file", with("old"), with("scan"), []string{"changes.attachments[0] privacy.unreadable"}},
		{"another file with numbers", with("old"), with("leaky"), []string{"changes.attachments[0] privacy.id_number"}},
		{"the same files", with("scan"), with("scan"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range PrivacyOfChange(personalType(), tt.was, tt.is, files) {
				got = append(got, f.Field+" "+f.Code)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("PrivacyOfChange() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRefuseLeaks(t *testing.T) {
	for text, want := range map[string]Code{
		"误公开了王某的手机号码13800000000": CodeInvalid,
		"误公开了" + testID:          CodeInvalid,
		"详询办公电话0515-88880001":    "",
	} {
		if got := codeOf(RefuseLeaks("reason", text)); got != want {
			t.Errorf("RefuseLeaks(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestFileScan(t *testing.T) {
	var scan FileScan
	scan.Add("工作表“"+testID+"”", "标题\n\n"+testID+"\n"+testID+"\n联系电话：13800000000")
	b, err := json.Marshal(scan)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"whole":false,"leaks":[{"kind":"id_number","where":"工作表“***”","line":1,"count":3},` +
		`{"kind":"mobile","where":"工作表“***”","line":5,"count":1,"contact":true}]}`
	if string(b) != want {
		t.Errorf("scan = %s, want %s", b, want)
	}
}

func TestOverride(t *testing.T) {
	found := []Finding{blocking("body_html", "privacy.id_number", "x")}
	other := []Finding{blocking("title", "field.required", "x")}
	n := Notice{ID: "n", Rev: 3, Status: StatusDraft, Contributors: []string{"李录入"}, Content: Content{Body: "b1"}}
	second := Actor{Name: "王核验", Role: RoleReviewer}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, workday.Shanghai)
	for _, tt := range []struct {
		name   string
		status Status
		actor  Actor
		found  []Finding
		reason string
		want   Code
	}{
		{"a second person, with a reason", StatusDraft, second, found, "行政处罚依法公开", ""},
		{"while submitted", StatusSubmitted, second, found, "行政处罚依法公开", ""},
		{"the author", StatusDraft, Actor{Name: "李录入", Role: RoleReviewer}, found, "我看可以", CodeSamePerson},
		{"an editor", StatusDraft, Actor{Name: "钱录入", Role: RoleEditor}, found, "我看可以", CodeRole},
		{"of another body", StatusDraft, Actor{Name: "王核验", Role: RoleReviewer, Bodies: []string{"b2"}}, found, "可以", CodeScope},
		{"without a reason", StatusDraft, second, found, " ", CodeInvalid},
		{"with a reason that is the number", StatusDraft, second, found, "因为" + testID, CodeInvalid},
		{"of nothing", StatusDraft, second, other, "可以", CodeInvalid},
		{"when public", StatusPublished, second, found, "可以", CodeState},
	} {
		n.Status = tt.status
		tr, err := n.Override(tt.found, tt.reason, tt.actor, at)
		if got := codeOf(err); got != tt.want {
			t.Errorf("%s: Override() = %q, want %q", tt.name, got, tt.want)
		}
		if err == nil && (tr.Action != ActionOverride || tr.Notice.Rev != 3 || tr.NewContent || tr.Comment != tt.reason) {
			t.Errorf("%s: Override() = %+v", tt.name, tr)
		}
	}
	n.Steps = []Step{{Action: ActionOverride, Rev: 2}, {Action: ActionOverride, Rev: 3, By: "王核验"}, {Action: ActionSubmit, Rev: 3}}
	if st, ok := n.Overridden(); !ok || st.By != "王核验" {
		t.Errorf("Overridden() = %+v, %t", st, ok)
	}
	if n.Rev = 4; func() bool { _, ok := n.Overridden(); return ok }() {
		t.Error("an override of revision 3 holds for revision 4")
	}
}

func TestExpiresOn(t *testing.T) {
	published := time.Date(2026, 11, 23, 23, 59, 0, 0, workday.Shanghai)
	for _, tt := range []struct {
		name      string
		retention int
		to        string // end of the publicity period
		want      string
	}{
		{"retention after the period", 90, "2026-12-02", "2027-02-22"},
		{"period after the retention", 7, "2027-01-31", "2027-02-01"},
		{"the same day", 8, "2026-12-01", "2026-12-02"},
		{"no period", 10, "", "2026-12-04"},
		{"never", 0, "2026-12-01", ""},
	} {
		typ := personalType()
		typ.RetentionDays = tt.retention
		n := Notice{PublishedAt: published, Content: Content{Fields: Values{}}}
		if tt.to != "" {
			n.Fields["publicity_period"] = map[string]any{"from": "2026-11-23", "to": tt.to}
		}
		if got := n.ExpiresOn(typ).String(); got != tt.want {
			t.Errorf("%s: ExpiresOn() = %q, want %q", tt.name, got, tt.want)
		}
	}
	n := Notice{PublishedAt: published}
	if got := n.ExpiresOn(openType()); !got.IsZero() {
		t.Errorf("a tender expires on %s", got)
	}
}

func TestLookups(t *testing.T) {
	key := []byte("0123456789abcdef")
	c := Content{Fields: Values{"batch": "2026年第一批", "rows": []any{
		map[string]any{"acceptance_no": "TH20260018", "id_number": testID},
		map[string]any{"acceptance_no": "TH20260019", "id_number": "11010519491231002x"},
		map[string]any{"acceptance_no": "TH20260020", "id_number": "3209************06"},
		map[string]any{"acceptance_no": "TH20260021"},
	}}}
	have := map[string]string{}
	for _, l := range c.Lookups(personalType(), key, "10000012") {
		have[l.MAC] = l.AcceptanceNo
		if strings.Contains(l.MAC+l.AcceptanceNo, "0006") {
			t.Errorf("a lookup holds the number's end: %+v", l)
		}
	}
	if len(have) != 4 {
		t.Errorf("%d lookups, want two for each of two rows", len(have))
	}
	for _, tt := range []struct {
		name, batch, number, tail string
		want                      string
	}{
		{"as printed", "2026年第一批", "TH20260018", "0006", "TH20260018"},
		{"by the notice's code", "10000012", "TH20260018", "0006", "TH20260018"},
		{"as typed on a phone", " ２０２６年第一批 ", "th 20260018", "０００６", "TH20260018"},
		{"X in any case", "2026年第一批", "TH20260019", "002x", "TH20260019"},
		{"another end", "2026年第一批", "TH20260018", "0007", ""},
		{"another number", "2026年第一批", "TH20260019", "0006", ""},
		{"another batch", "2026年第二批", "TH20260018", "0006", ""},
		{"a masked row", "2026年第一批", "TH20260020", "0006", ""},
	} {
		q, err := ParseLookup(tt.batch, tt.number, tt.tail)
		if err != nil {
			t.Fatal(err)
		}
		if got := have[q.MAC(key)]; got != tt.want {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.want)
		}
		if other := q.MAC([]byte("another key that is long")); have[other] != "" {
			t.Errorf("%s: found by another key", tt.name)
		}
	}
	for _, bad := range [][3]string{{"", "TH1", "0006"}, {"b", "", "0006"}, {"b", "TH1", ""}, {"b", "TH1", "006"}, {"b", "TH1", "00X6"}, {"b", "TH1", "00066"}} {
		if _, err := ParseLookup(bad[0], bad[1], bad[2]); codeOf(err) != CodeParam {
			t.Errorf("ParseLookup(%q) = %v", bad, err)
		}
	}
	_, row, ok := c.LookupRow(personalType(), "TH20260018", "0006")
	if !ok || row["id_number"] != "3209************06" {
		t.Errorf("LookupRow() = %v, %t", row, ok)
	}
	if _, _, ok := c.LookupRow(personalType(), "TH9", "0006"); ok {
		t.Error("LookupRow() of a number that is not there")
	}
	if got := c.Lookups(openType(), key, "1"); got != nil {
		t.Errorf("a tender has lookups: %v", got)
	}
}
