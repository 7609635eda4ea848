package disclosure

import (
	"errors"
	"fmt"
	"time"

	"gongkai/internal/workday"
)

// A notice is entered by one person and checked by another; every step is a
// plain value that package store commits.
func ExampleNotice_Publish() {
	now := time.Date(2026, time.November, 23, 9, 0, 0, 0, workday.Shanghai)
	editor := Actor{Name: "李录入", Role: RoleEditor}
	reviewer := Actor{Name: "王核验", Role: RoleReviewer}
	content := Content{Type: "land.notice", Title: "国有土地使用权出让公告", Body: "b1"}
	typ := &NoticeType{Code: "land.notice"}

	created, _ := Create("n1", content, 0, editor, now)
	submitted, _ := created.Notice.Submit(nil, Acknowledgement{}, editor, now)

	self := Actor{Name: "李录入", Role: RoleReviewer} // another token of the same person
	_, err := submitted.Notice.Publish(typ, nil, Approval{}, self, now)
	fmt.Println(err)

	published, err := submitted.Notice.Publish(typ, nil, Approval{}, reviewer, now)
	fmt.Println(published.From.Status, published.Action, published.Notice.Status, published.Feed, err)
	// Output:
	// review.same_person: “李录入”参与了这条公告的录入，须由另一个人核验; reviewer: “李录入”参与了这条公告的录入，须由另一个人核验 (review.same_person)
	// submitted publish published published <nil>
}

// A warning is settled by its code and a reason; an error is not.
func ExampleAcknowledgement() {
	now := time.Date(2026, time.November, 23, 9, 0, 0, 0, workday.Shanghai)
	editor := Actor{Name: "李录入", Role: RoleEditor}
	created, _ := Create("n1", Content{Title: "中标结果公告", Body: "b1"}, 0, editor, now)
	findings := []Finding{{Warning: true, FieldError: FieldError{
		Field: "fields.winner_uscc", Code: "uscc.check_digit", Message: "统一社会信用代码校验位不对，请核对"}}}

	_, err := created.Notice.Submit(findings, Acknowledgement{}, editor, now)
	fmt.Println(err)
	ack := Acknowledgement{Acknowledge: []string{"uscc.check_digit"}, Reason: "该代码为早期颁发"}
	submitted, err := created.Notice.Submit(findings, ack, editor, now)
	fmt.Println(submitted.Notice.Status, err)
	// Output:
	// notice.warnings: 有 1 条提醒需要确认：统一社会信用代码校验位不对，请核对; fields.winner_uscc: 统一社会信用代码校验位不对，请核对 (uscc.check_digit)
	// submitted <nil>
}

// A draft is read by the definition of its type; every fault is named at once.
func ExampleDraft_Content() {
	defs, _ := Builtin()
	catalog, _ := NewCatalog(defs)
	draft, err := ParseDraft([]byte(`{
		"type": "construction.tender_notice", "title": "盐东镇道路改造工程招标公告", "body": "resource-trading-centre",
		"source": {"name": "亭湖区公共资源交易平台"},
		"fields": {"control_price": "1280万", "document_period": {"from": "2026-11-30", "to": "2026-11-23"}}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = draft.Content(catalog, References{})
	refused := new(Error)
	_ = errors.As(err, &refused)
	for _, f := range refused.Fields {
		fmt.Println(f.Field, f.Code)
	}
	// Output:
	// fields.control_price money.invalid
	// fields.document_period period.order
}

// Nothing a sender misspelt is ignored.
func ExampleDecodeStrict() {
	_, err := ParseDraft([]byte(`{"title": "招标公告", "source": {"publisher": "交易平台"}}`))
	fmt.Println(err)
	// Output: request.unknown: 不认识的字段“source.publisher”; source.publisher: 不认识的字段“source.publisher” (request.unknown)
}

// The code on a paper slip is safe to type on a telephone: a slip of the finger
// is noticed before it leads to another notice.
func ExampleNoticeCode() {
	fmt.Println(NoticeCode(1), NoticeCode(2), NoticeCode(3))
	_, err := ParseNoticeRef("12345678")
	fmt.Println(err)
	// Output:
	// 23824804 79447872 45070941
	// notice.not_found: 公告编号 12345678 的校验位不对，请核对是否输错了数字
}

// Names are hidden when a notice is published, and the originals are not kept.
func ExampleMask_Apply() {
	fmt.Println(MaskName.Apply("欧阳小明"))
	fmt.Println(MaskID.Apply("320902199001010006"))
	fmt.Println(MaskPhone.Apply("13800000000，0515-88880001"))
	fmt.Println(MaskAddress.Apply("五星街道新洋社区3幢502室"))
	// Output:
	// 欧阳**
	// 3209************06
	// 138****0000，0515-88880001
	// 五星街道新洋社区
}

// A query becomes tokens for the index and words for the exact check after it.
func ExampleParseTerms() {
	fmt.Printf("%+v\n", ParseTerms("采购 ＴＨ２０２６－００１"))
	// Output: {Tokens:[001 th2026 采购] Checks:[th2026-001] Words:[th2026-001 采购] Never:false}
}

// Two ways to ask the same are one entry of the cache.
func ExampleNoticeQuery_Canonical() {
	fmt.Println(NoticeQuery{Sectors: []string{"land", "housing", "land"}, Open: true, Sort: SortPublished}.Canonical())
	// Output: open=true&sector=housing&sector=land
}

// An amount is decimal 元 on every channel and whole 分 inside.
func ExampleParseMoney() {
	m, _ := ParseMoney("1234567.5")
	fmt.Println(int64(m), FormatMoney(m), GroupMoney(m))
	// Output: 123456750 1234567.50 1,234,567.50
}

// Two revisions are compared as people read them.
func ExampleDifferences() {
	defs, _ := Builtin()
	catalog, _ := NewCatalog(defs)
	first := Content{Type: "construction.tender_notice", TypeVersion: 1, Title: "招标公告", Fields: Values{"bid_deadline": "2026-12-20T09:30:00+08:00"}}
	second := first
	second.Fields = Values{"bid_deadline": "2026-12-25T09:30:00+08:00"}
	diffs, _ := Differences(catalog, first, second)
	for _, d := range diffs {
		fmt.Println(d.Field, d.Label, d.Was, "→", d.Is)
	}
	// Output: fields.bid_deadline 投标截止时间 2026年12月20日 09:30 → 2026年12月25日 09:30
}

// A row that was changed afterwards does not fit its hash any more.
func ExampleAuditChain() {
	row := AuditRow{Seq: 1, Actor: "李录入", Action: "create", Subject: "notice", ID: "n1"}
	row.Hash = AuditHash(row)
	fmt.Println(new(AuditChain).Next(row))
	row.Actor = "别人"
	fmt.Println(new(AuditChain).Next(row))
	// Output:
	// <nil>
	// 审计日志第 1 行：内容被改动
}
