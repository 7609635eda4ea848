package disclosure

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// reviewCatalog has of every kind a definition in force and one that ended the
// day before testDay.
func reviewCatalog(t *testing.T) *Catalog {
	t.Helper()
	fields := `[{"key":"name","label":"名称","kind":"text","required":true},{"key":"uscc","label":"代码","kind":"uscc"},
		{"key":"rows","label":"明细","kind":"table","columns":[{"key":"uscc","label":"代码","kind":"uscc"}]}]`
	var defs []Definition
	for _, d := range []struct {
		kind DefinitionKind
		id   string
		doc  string
	}{
		{KindSector, "land", `{"code":"land"}`},
		{KindSector, "gone", `{"code":"gone","valid_to":"2026-11-22"}`},
		{KindBody, "b1", `{"id":"b1","name":"区资源局","valid_from":"2026-11-23"}`},
		{KindBody, "b2", `{"id":"b2","name":"区国土局","valid_to":"2026-11-22","successor":"b1"}`},
		{KindBody, "b3", `{"id":"b3","name":"区旧局","valid_from":"2026-11-24"}`},
		{KindItem, "A1-01", `{"id":"A1-01","valid_to":"2026-11-23"}`},
		{KindItem, "A1-02", `{"id":"A1-02","valid_to":"2026-11-22"}`},
		{KindNoticeType, "land.notice", `{"code":"land.notice","sector":"land","name":"公告","fields":` + fields + `}`},
		{KindNoticeType, "land.old", `{"code":"land.old","sector":"land","name":"旧公告","valid_to":"2026-11-22"}`},
		{KindNoticeType, "gone.notice", `{"code":"gone.notice","sector":"gone","name":"公告"}`},
	} {
		defs = append(defs, Definition{Kind: d.kind, ID: d.id, Version: 1, Doc: json.RawMessage(d.doc)})
	}
	c, err := NewCatalog(defs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReview(t *testing.T) {
	const right, wrong = "91320902MA0000031L", "91320902MA0000031M"
	row := func(code string) any { return map[string]any{"uscc": code} }
	tests := []struct {
		name     string
		change   func(c *Content)
		errors   string
		warnings string
	}{
		{"nothing to say", func(*Content) {}, "", ""},
		{"type of no version", func(c *Content) { c.TypeVersion = 9 }, "type reference.unknown", ""},
		{"type no longer in force", func(c *Content) { c.Type = "land.old" }, "type type.retired", ""},
		{"sector no longer in force", func(c *Content) { c.Type = "gone.notice" }, "type sector.retired", ""},
		{"body no longer in force", func(c *Content) { c.Body = "b2" }, "body body.retired", ""},
		{"body not yet in force", func(c *Content) { c.Body = "b3" }, "body body.retired", ""},
		{"body unknown", func(c *Content) { c.Body = "b9" }, "body reference.unknown", ""},
		{"item no longer in force", func(c *Content) { c.Items = []string{"A1-01", "A1-02"} }, "items[1] item.retired", ""},
		{"item unknown", func(c *Content) { c.Items = []string{"A9-99"} }, "items[0] item.retired", ""},
		{"no source", func(c *Content) { c.Source.Name = " " }, "source field.required", ""},
		{"a required field is missing", func(c *Content) { delete(c.Fields, "name") }, "fields.name field.required", ""},
		{"nothing at all", func(c *Content) { c.Type, c.Fields, c.BodyHTML = "land.old", nil, "" },
			"type type.retired; body_html field.required", ""},
		{"a file is a content", func(c *Content) { c.Type, c.Fields, c.BodyHTML, c.Attachments = "land.old", nil, "", []Attachment{{}} },
			"type type.retired", ""},
		{"check digit right", func(c *Content) { c.Fields["uscc"] = right }, "", ""},
		{"check digit wrong", func(c *Content) { c.Fields["uscc"] = wrong }, "", "fields.uscc uscc.check_digit"},
		{"check digit wrong in a row", func(c *Content) { c.Fields["rows"] = []any{row(right), row(wrong)} }, "",
			"fields.rows[1].uscc uscc.check_digit"},
		{"both kinds", func(c *Content) { c.Fields = Values{"uscc": wrong} }, "fields.name field.required", "fields.uscc uscc.check_digit"},
	}
	for _, tt := range tests {
		c := Content{Type: "land.notice", TypeVersion: 1, Body: "b1", BodyHTML: "<p>甲</p>", Items: []string{"A1-01"},
			Source: Source{Name: "交易平台"}, Fields: Values{"name": "甲"}}
		tt.change(&c)
		var blocking, warnings []FieldError
		for _, f := range reviewCatalog(t).Review(c, testDay) {
			if f.Warning {
				warnings = append(warnings, f.FieldError)
			} else {
				blocking = append(blocking, f.FieldError)
			}
		}
		if got := faultText(blocking); got != tt.errors {
			t.Errorf("%s: Review() errors = %q, want %q", tt.name, got, tt.errors)
		}
		if got := faultText(warnings); got != tt.warnings {
			t.Errorf("%s: Review() warnings = %q, want %q", tt.name, got, tt.warnings)
		}
	}
	if got := reviewCatalog(t).Review(Content{Type: "land.notice", TypeVersion: 1, Body: "b2", Source: Source{Name: "甲"},
		BodyHTML: "甲", Fields: Values{"name": "甲"}}, testDay); len(got) != 1 || !strings.Contains(got[0].Message, "请改用“区资源局”") {
		t.Errorf("Review(retired body) = %v, want the successor named", got)
	}
}

// A draft of all examples passes every rule: nothing blocks, nothing warns.
func TestExamplesPassTheReview(t *testing.T) {
	c := sharedCatalog(t)
	for _, typ := range c.Types {
		if got := c.Review(exampleContent(t, typ.Code), testDay); got != nil {
			t.Errorf("Review(examples of %s) = %v, want nil", typ.Code, got)
		}
	}
}

func TestValidUSCC(t *testing.T) {
	tests := []struct {
		name, in string
		want     bool
	}{
		{"published example", "91350100M000100Y43", true}, // GB 32100-2015
		{"one character wrong", "91350100M000100Y44", false},
		{"two swapped", "91350100M001000Y43", false},
		{"17 characters", "91350100M000100Y4", false},
		{"small letters", "91350100m000100y43", false},
		{"a letter that is not used", "91350100I000100Y43", false},
		{"eighteen bytes of Chinese", "统一社会信用", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		if got := ValidUSCC(tt.in); got != tt.want {
			t.Errorf("%s: ValidUSCC(%q) = %t, want %t", tt.name, tt.in, got, tt.want)
		}
	}
}

var (
	warnA = Finding{FieldError{Field: "fields.a", Code: "uscc.check_digit", Message: "请核对甲"}, true}
	warnB = Finding{FieldError{Field: "fields.b", Code: "amount.unusual", Message: "请核对乙"}, true}
	wrong = Finding{FieldError{Field: "fields.c", Code: "field.required", Message: "请填写丙"}, false}
)

func TestWarningsAreAcknowledgedWithAReason(t *testing.T) {
	both := []Finding{warnA, warnB}
	tests := []struct {
		name     string
		findings []Finding
		ack      Acknowledgement
		code     Code
		faults   string
	}{
		{"nothing found", nil, Acknowledgement{}, "", ""},
		{"nothing found, nothing to acknowledge", nil, Acknowledgement{Acknowledge: []string{"uscc.check_digit"}}, "", ""},
		{"not acknowledged", both, Acknowledgement{Reason: "已核对"}, CodeWarnings, "fields.a uscc.check_digit; fields.b amount.unusual"},
		{"one of two", both, Acknowledgement{Acknowledge: []string{"amount.unusual"}, Reason: "已核对"}, CodeWarnings, "fields.a uscc.check_digit"},
		{"no reason", both, Acknowledgement{Acknowledge: []string{"amount.unusual", "uscc.check_digit"}}, CodeWarnings, "reason field.required"},
		{"a blank reason", []Finding{warnA}, Acknowledgement{Acknowledge: []string{"uscc.check_digit"}, Reason: " \n"},
			CodeWarnings, "reason field.required"},
		{"one missing and no reason", both, Acknowledgement{Acknowledge: []string{"uscc.check_digit"}}, CodeWarnings,
			"fields.b amount.unusual; reason field.required"},
		{"all with a reason", both, Acknowledgement{Acknowledge: []string{"amount.unusual", "uscc.check_digit"}, Reason: "已核对"}, "", ""},
		{"an error", []Finding{wrong}, Acknowledgement{}, CodeInvalid, "fields.c field.required"},
		{"an error is not acknowledged", []Finding{wrong}, Acknowledgement{Acknowledge: []string{"field.required"},
			Reason: "已核对"}, CodeInvalid, "fields.c field.required"},
		{"an error before warnings", []Finding{warnA, wrong}, Acknowledgement{}, CodeInvalid, "fields.c field.required"},
	}
	for _, tt := range tests {
		_, submit := noticeIn(t, "draft").Submit(tt.findings, tt.ack, editor, testNow)
		_, publish := noticeIn(t, "submitted").Publish(landType, tt.findings, Approval{Acknowledgement: tt.ack}, reviewer, testNow)
		for step, err := range map[string]error{"Submit": submit, "Publish": publish} {
			if codeOf(err) != tt.code || faultsOf(err) != tt.faults {
				t.Errorf("%s: %s() = %v, want code %q and %q", tt.name, step, err, tt.code, tt.faults)
			}
		}
	}
}

// Nobody checks what they had a hand in, by whatever token or role.
func TestReviewerIsAnotherPerson(t *testing.T) {
	someone := func(name string, role Role) Actor {
		return Actor{Token: "t-" + name + string(role), Name: name, Role: role}
	}
	tests := []struct {
		name    string
		author  Actor
		editors []Actor
		by      Actor
		want    Code
	}{
		{"another person", editor, nil, reviewer, ""},
		{"an admin", editor, nil, admin, ""},
		{"who submitted but wrote nothing", editor, nil, someone("陈提交", RoleReviewer), ""},
		{"the author, as reviewer", reviewer, nil, reviewer, CodeSamePerson},
		{"the author, as admin", admin, nil, admin, CodeSamePerson},
		{"the author by another token", editor, nil, someone("李录入", RoleReviewer), CodeSamePerson},
		{"an editor in between", editor, []Actor{reviewer}, reviewer, CodeSamePerson},
		{"the first of two editors in between", editor, []Actor{reviewer, admin}, reviewer, CodeSamePerson},
		{"an editor in between by another token", editor, []Actor{someone("王核验", RoleEditor)}, reviewer, CodeSamePerson},
		{"the author after an edit by another", reviewer, []Actor{editor}, reviewer, CodeSamePerson},
		{"none of three", editor, []Actor{someone("周", RoleEditor), admin}, reviewer, ""},
	}
	for _, tt := range tests {
		for _, at := range []time.Time{{}, testNow.Add(time.Hour)} {
			n := must(t)(Create("n1", landContent(), 0, tt.author, testNow))
			for _, a := range tt.editors {
				n = must(t)(n.Edit(landContent(), 0, a, testNow))
			}
			n = must(t)(n.Submit(nil, Acknowledgement{}, someone("陈提交", RoleReviewer), testNow))
			n = must(t)(n.Reject("请补充", someone("吴退回", RoleReviewer), testNow))
			n = must(t)(n.Submit(nil, Acknowledgement{}, someone("陈提交", RoleReviewer), testNow))
			tr, err := n.Publish(landType, nil, Approval{PublishAt: at}, tt.by, testNow)
			if codeOf(err) != tt.want {
				t.Errorf("%s: Publish(at %s) = %v, want code %q", tt.name, at, err, tt.want)
			}
			if err == nil && tr.Notice.Reviewer != tt.by.Name {
				t.Errorf("%s: Publish() records %q, want %q", tt.name, tr.Notice.Reviewer, tt.by.Name)
			}
		}
	}
}

// Two edits of the same draft do not share their list of contributors.
func TestContributorsAreNotShared(t *testing.T) {
	n := noticeIn(t, "draft")
	n.Contributors = append(make([]string, 0, 8), n.Contributors...)
	a := must(t)(n.Edit(landContent(), 0, reviewer, testNow))
	b := must(t)(n.Edit(landContent(), 0, admin, testNow))
	again := must(t)(a.Edit(landContent(), 0, reviewer, testNow))
	for name, got := range map[string][][]string{
		"first edit": {a.Contributors, {"李录入", "王核验"}}, "second edit": {b.Contributors, {"李录入", "赵管理"}},
		"edited twice by one": {again.Contributors, {"李录入", "王核验"}},
	} {
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Errorf("%s: Contributors = %v, want %v", name, got[0], got[1])
		}
	}
}

func TestPublishAt(t *testing.T) {
	tests := []struct {
		name   string
		at     time.Time
		status Status
		faults string
	}{
		{"not said", time.Time{}, StatusPublished, ""},
		{"past", testNow.Add(-time.Hour), StatusPublished, ""},
		{"a day past", testNow.AddDate(0, 0, -1), StatusPublished, ""},
		{"more than a day past", testNow.AddDate(0, 0, -1).Add(-time.Second), "", "publish_at date.too_early"},
		{"a slip of the year", testNow.AddDate(-1, 0, 1), "", "publish_at date.too_early"},
		{"now", testNow, StatusPublished, ""},
		{"in a second", testNow.Add(time.Second), StatusScheduled, ""},
		{"a second under a year", testNow.AddDate(1, 0, 0).Add(-time.Second), StatusScheduled, ""},
		{"in a year", testNow.AddDate(1, 0, 0), "", "publish_at date.too_late"},
		{"in ten years", testNow.AddDate(10, 0, 0), "", "publish_at date.too_late"},
	}
	for _, tt := range tests {
		tr, err := noticeIn(t, "submitted").Publish(landType, nil, Approval{PublishAt: tt.at}, reviewer, testNow)
		if tr.Notice.Status != tt.status || faultsOf(err) != tt.faults {
			t.Errorf("%s: Publish(at %s) = %q, %v, want %q and %q", tt.name, tt.at, tr.Notice.Status, err, tt.status, tt.faults)
			continue
		}
		n := tr.Notice
		switch tt.status {
		case StatusPublished:
			if !n.PublishedAt.Equal(testNow) || !n.PublishAt.IsZero() || n.Fields["applicant"] != "王**" {
				t.Errorf("%s: Publish() = %+v, want it public now and masked", tt.name, n)
			}
		case StatusScheduled:
			if !n.PublishAt.Equal(tt.at) || !n.PublishedAt.IsZero() || n.Fields["applicant"] != "王小明" {
				t.Errorf("%s: Publish() = %+v, want it kept as it is until then", tt.name, n)
			}
		}
	}
}

func TestRelease(t *testing.T) {
	tests := []struct {
		name     string
		findings []Finding
		code     Code
	}{
		{"nothing found", nil, ""},
		{"warnings were settled by the reviewer", []Finding{warnA, warnB}, ""},
		{"an error that arose since", []Finding{warnA, wrong}, CodeInvalid},
	}
	for _, tt := range tests {
		due := testNow.Add(time.Hour)
		tr, err := noticeIn(t, "scheduled").Release(landType, tt.findings, due)
		if codeOf(err) != tt.code {
			t.Errorf("%s: Release() = %v, want code %q", tt.name, err, tt.code)
		}
		n := tr.Notice
		if err == nil && (n.Reviewer != "王核验" || !n.PublishedAt.Equal(due) || !n.PublishAt.IsZero() ||
			n.Fields["applicant"] != "王**" || tr.Actor.Name != "gongkai") {
			t.Errorf("%s: Release() = %+v by %s, want it public, masked and still checked by the reviewer", tt.name, n, tr.Actor.Name)
		}
	}
	tr := noticeIn(t, "scheduled").Recall("公开主体已撤销", testNow)
	n := tr.Notice
	if n.Status != StatusDraft || tr.Action != ActionReject || !strings.Contains(tr.Comment, "公开主体已撤销") || n.Reviewer != "" ||
		n.Secrecy != (Secrecy{}) || !n.PublishAt.IsZero() || tr.Feed != "" || tr.NewContent || tr.From != (Version{1, StatusScheduled}) {
		t.Errorf("Recall() = %+v, want a draft with the reason and nothing public", tr)
	}
}

func TestSecrecyReview(t *testing.T) {
	tests := []struct {
		name   string
		ok     Approval
		want   Secrecy
		faults string
	}{
		{"not asked for", Approval{}, Secrecy{By: "王核验", At: testNow}, ""},
		{"recorded", Approval{Secrecy: Secrecy{By: "别人", Result: " 可以\n公开 ", Reason: " 无涉密内容 ", At: testNow.AddDate(-1, 0, 0)}},
			Secrecy{By: "王核验", Result: "可以 公开", Reason: "无涉密内容", At: testNow}, ""},
		{"asked for and missing", Approval{RequireSecrecy: true}, Secrecy{}, "secrecy_review field.required"},
		{"asked for and blank", Approval{RequireSecrecy: true, Secrecy: Secrecy{Result: " "}}, Secrecy{}, "secrecy_review field.required"},
		{"asked for and given", Approval{RequireSecrecy: true, Secrecy: Secrecy{Result: "可以公开"}}, Secrecy{By: "王核验",
			Result: "可以公开", At: testNow}, ""},
		{"too long", Approval{Secrecy: Secrecy{Result: strings.Repeat("字", 51), Reason: strings.Repeat("字", 501)}}, Secrecy{},
			"secrecy_review.result text.too_long; secrecy_review.reason text.too_long"},
	}
	for _, tt := range tests {
		tr, err := noticeIn(t, "submitted").Publish(landType, nil, tt.ok, reviewer, testNow)
		if tr.Notice.Secrecy != tt.want || faultsOf(err) != tt.faults {
			t.Errorf("%s: Publish() = %+v, %v, want %+v and %q", tt.name, tr.Notice.Secrecy, err, tt.want, tt.faults)
		}
	}
}

func TestTokenIsInForce(t *testing.T) {
	tests := []struct {
		name  string
		token Token
		want  Code
	}{
		{"for ever", Token{}, ""},
		{"until tomorrow", Token{ExpiresAt: testNow.Add(24 * time.Hour)}, ""},
		{"until now", Token{ExpiresAt: testNow}, CodeBadToken},
		{"until yesterday", Token{ExpiresAt: testNow.Add(-24 * time.Hour)}, CodeBadToken},
		{"revoked", Token{RevokedAt: testNow.Add(-time.Second)}, CodeBadToken},
		{"revoked, not expired", Token{ExpiresAt: testNow.Add(time.Hour), RevokedAt: testNow}, CodeBadToken},
	}
	for _, tt := range tests {
		if err := tt.token.Check(testNow); codeOf(err) != tt.want {
			t.Errorf("%s: Check(%s) = %v, want code %q", tt.name, testNow, err, tt.want)
		}
	}
	if a, b := TokenHash("secret"), TokenHash("secret "); len(a) != 32 || reflect.DeepEqual(a, b) || strings.Contains(string(a), "secret") {
		t.Errorf("TokenHash() = %x, %x, want two different hashes", a, b)
	}
}
