package disclosure

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestAmendmentsAreDraftedFromTheOriginal(t *testing.T) {
	n := noticeIn(t, "published")
	n.Code = "10000012"
	changes := map[string]json.RawMessage{"price": raw(`"2"`)}
	correction, err := n.Correction(changes, " 价格\n有误 ")
	if err != nil {
		t.Fatal(err)
	}
	url, region := "https://example.com/secret", "320902"
	want := Draft{Type: "land.correction", Title: "关于“出让公告”的更正公告", Body: "b1", Region: &region, Project: n.Project, Items: n.Items,
		Source: &DraftSource{Name: "交易平台", URL: &url}, Relations: []Relation{{RelationCorrects, "n1"}}, Changes: changes,
		Fields: map[string]json.RawMessage{"original_title": raw(`"出让公告"`), "original_code": raw(`"10000012"`), "reason": raw(`"价格\n有误"`)}}
	if !reflect.DeepEqual(correction, want) {
		t.Errorf("Correction() = %+v, want %+v", correction, want)
	}
	termination, err := n.Termination("项目取消")
	if err != nil {
		t.Fatal(err)
	}
	want.Type, want.Title, want.Relations, want.Changes = "land.termination", "关于“出让公告”的终止公告", []Relation{{RelationTerminates, "n1"}}, nil
	want.Fields = map[string]json.RawMessage{"original_title": raw(`"出让公告"`), "original_code": raw(`"10000012"`), "reason": raw(`"项目取消"`)}
	if !reflect.DeepEqual(termination, want) {
		t.Errorf("Termination() = %+v, want %+v", termination, want)
	}
}

func TestAmendmentsNeedAPublishedOriginalAndAReason(t *testing.T) {
	for _, state := range states {
		want := CodeState
		if state == "published" {
			want = ""
		}
		n := noticeIn(t, state)
		if _, err := n.Correction(map[string]json.RawMessage{"title": raw(`"乙"`)}, "有误"); codeOf(err) != want {
			t.Errorf("Correction() of a notice that is %s = %v, want code %q", state, err, want)
		}
		if _, err := n.Termination("项目取消"); codeOf(err) != want {
			t.Errorf("Termination() of a notice that is %s = %v, want code %q", state, err, want)
		}
	}
	tests := []struct {
		name    string
		changes map[string]json.RawMessage
		reason  string
		faults  string
	}{
		{"no changes", nil, "有误", "changes notice.invalid"},
		{"empty changes", map[string]json.RawMessage{}, "有误", "changes notice.invalid"},
		{"no reason", map[string]json.RawMessage{"title": raw(`"乙"`)}, " ", "reason field.required"},
		{"501 characters", map[string]json.RawMessage{"title": raw(`"乙"`)}, strings.Repeat("字", 501), "reason text.too_long"},
	}
	for _, tt := range tests {
		if _, err := noticeIn(t, "published").Correction(tt.changes, tt.reason); faultsOf(err) != tt.faults || codeOf(err) != CodeInvalid {
			t.Errorf("%s: Correction() = %v, want %q", tt.name, err, tt.faults)
		}
	}
	if _, err := noticeIn(t, "published").Termination(""); faultsOf(err) != "reason field.required" {
		t.Errorf("Termination(no reason) = %v, want reason field.required", err)
	}
}

// Whatever type and however long a title, the drafts can be stored and pass the
// review: nobody has to fill in anything.
func TestAmendmentDraftsAreComplete(t *testing.T) {
	c := sharedCatalog(t)
	for _, typ := range c.Types {
		n := Notice{ID: "n1", Code: "10000012", Rev: 1, Status: StatusPublished, Content: exampleContent(t, typ.Code)}
		n.Title = strings.Repeat("字", maxTitle)
		correction, err := n.Correction(map[string]json.RawMessage{"title": raw(`"乙"`)}, "名称有误\n请以本公告为准")
		if err != nil {
			t.Fatalf("%s: Correction() = %v", typ.Code, err)
		}
		correction.Fields[FieldChanges] = raw(valueJSON(t, ChangeTable([]Difference{{Label: "标题", Was: n.Title, Is: "乙\r\n丙"}})))
		termination, err := n.Termination("项目取消")
		if err != nil {
			t.Fatalf("%s: Termination() = %v", typ.Code, err)
		}
		for _, d := range []Draft{correction, termination} {
			content, err := d.Content(c, testReferences)
			if err != nil {
				t.Errorf("%s: Content(%s) = %v, want no error", typ.Code, d.Type, err)
				continue
			}
			if findings := c.Review(content, testDay); findings != nil {
				t.Errorf("%s: Review(%s) = %v, want nothing", typ.Code, d.Type, findings)
			}
		}
	}
}

func TestAmendGivesTheOriginalANewRevision(t *testing.T) {
	changed := landContent()
	changed.Title = "出让公告（更正）"
	for _, tt := range []struct {
		name   string
		how    RelationType
		title  string
		status Status
		reason string
	}{
		{"a correction changes it", RelationCorrects, "出让公告（更正）", StatusPublished, ""},
		{"a termination leaves it, with the reason", RelationTerminates, "出让公告", StatusTerminated, "项目取消"},
	} {
		tr, err := noticeIn(t, "published").Amend(amending(tt.how, 1), changed, reviewer, testNow)
		n := tr.Notice
		if err != nil || n.Title != tt.title || n.Status != tt.status || n.Reason != tt.reason || n.Rev != 2 || n.SupersededBy != "n2" {
			t.Errorf("%s: Amend() = %q, %s, %q, revision %d, superseded by %q, %v", tt.name, n.Title, n.Status, n.Reason, n.Rev, n.SupersededBy, err)
		}
		for _, base := range []int{0, 2} {
			if _, err := noticeIn(t, "published").Amend(amending(tt.how, base), changed, reviewer, testNow); codeOf(err) != CodeStale {
				t.Errorf("%s: Amend(written against revision %d) = %v, want code %q", tt.name, base, err, CodeStale)
			}
		}
		if _, err := noticeIn(t, "published").Amend(amending(tt.how, 1), changed, System, testNow); err != nil {
			t.Errorf("%s: Amend(by the system, when scheduled) = %v, want no error", tt.name, err)
		}
		twice := must(t)(noticeIn(t, "published").Amend(amending(RelationCorrects, 1), changed, reviewer, testNow))
		if _, err := twice.Amend(amending(tt.how, 1), changed, reviewer, testNow); codeOf(err) != CodeStale {
			t.Errorf("%s: Amend(after another correction) = %v, want code %q", tt.name, err, CodeStale)
		}
	}
}

func TestChangedContent(t *testing.T) {
	full := func() Content {
		c := exampleContent(t, tender)
		c.Summary, c.Region, c.FormedAt, c.DecidedAt = "摘要", "320902", testDay, testDay
		c.Source.URL, c.Project = "https://example.com/1", &Project{Code: "TH2026-001", Name: "道路"}
		c.Attachments = []Attachment{testReferences.Files["f1"]}
		return c
	}
	tests := []struct {
		name    string
		changes string
		want    string // the differences
	}{
		{"nothing", `{}`, ""},
		{"title", `{"title":"乙"}`, "title=乙"},
		{"title removed is refused", `{"title":null}`, "notice.invalid title field.required"},
		{"summary removed", `{"summary":null}`, "summary="},
		{"text", `{"body_html":"<p>乙</p>"}`, "body_html=乙"},
		{"text removed", `{"body_html":null}`, "body_html="},
		{"text that acts", `{"body_html":"<script>"}`, "notice.invalid body_html html.active"},
		{"one member of the source", `{"source":{"url":"https://example.com/2"}}`, "source.url=https://example.com/2"},
		{"source removed is refused", `{"source":null}`, "notice.invalid source field.required"},
		{"one member of the project", `{"project":{"name":"桥梁"}}`, "project.name=桥梁"},
		{"project removed", `{"project":null}`, "project.code= project.name="},
		{"dates and region", `{"formed_at":"2026-11-20","decided_at":null,"region":null}`, "region= formed_at=2026-11-20 decided_at="},
		{"items", `{"items":["A1-05"]}`, "items=A1-05"},
		{"files", `{"attachments":["f2",{"id":"f1"}]}`, "attachments=图纸.zip（2b2b2b2b）、招标文件.pdf（1a1a1a1a）"},
		{"files removed", `{"attachments":null}`, "attachments="},
		{"a field", `{"duration":90}`, "fields.duration=90日历天"},
		{"a field by its path", `{"fields.duration":90}`, "fields.duration=90日历天"},
		{"fields as an object", `{"fields":{"duration":90,"quality":"优良"}}`, "fields.duration=90日历天 fields.quality=优良"},
		{"the path wins over the object", `{"fields.duration":90,"fields":{"duration":60}}`, "fields.duration=90日历天"},
		{"a field removed", `{"quality":null,"fields.duration":null,"fields":{"bid_bond":null}}`,
			"fields.duration= fields.quality= fields.bid_bond="},
		{"a wrong value", `{"duration":"90"}`, "notice.invalid fields.duration field.type"},
		{"fields that are no object", `{"fields":[]}`, "notice.invalid changes.fields field.type"},
		{"an unknown field by its path", `{"fields.nope":1}`, "request.unknown fields.nope field.unknown"},
		{"an unknown member", `{"nope":1,"also":2}`, "request.unknown changes.also field.unknown; changes.nope field.unknown"},
		{"the publisher", `{"body":"x"}`, "request.unknown changes.body field.unknown"},
		{"the type", `{"type":"x"}`, "request.unknown changes.type field.unknown"},
		{"the relations", `{"relations":[]}`, "request.unknown changes.relations field.unknown"},
		{"a member of a wrong type", `{"title":5}`, "request.json title request.json"},
		{"an unknown member of the source", `{"source":{"nme":"乙"}}`, "request.unknown source.nme request.unknown"},
	}
	for _, tt := range tests {
		var changes map[string]json.RawMessage
		if err := json.Unmarshal([]byte(tt.changes), &changes); err != nil {
			t.Fatal(err)
		}
		original := full()
		got, err := sharedCatalog(t).ChangedContent(original, changes, testReferences)
		if !reflect.DeepEqual(original, full()) {
			t.Errorf("%s: ChangedContent(%s) changed the original to %+v", tt.name, tt.changes, original)
		}
		if text := outcome(t, full(), got, err); text != tt.want {
			t.Errorf("%s: ChangedContent(%s) = %q, want %q", tt.name, tt.changes, text, tt.want)
		}
	}
}

// outcome writes what a correction came to: its error, or the differences.
func outcome(t *testing.T, from, to Content, err error) string {
	t.Helper()
	if err != nil {
		return string(codeOf(err)) + " " + faultsOf(err)
	}
	diffs, err := Differences(sharedCatalog(t), from, to)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, d := range diffs {
		list = append(list, d.Field+"="+d.Is)
	}
	return strings.Join(list, " ")
}

// A notice stays with the version of the type it was written by, so that a type
// which drops a field does not make its old notices uncorrectable.
func TestChangedContentKeepsTheTypeVersion(t *testing.T) {
	c := twoVersions(t)
	original := Content{Type: "land.notice", TypeVersion: 1, Title: "甲", Fields: Values{"price": "1.00"}}
	d, err := c.ChangedDraft(original, map[string]json.RawMessage{"price": raw(`"2.00"`)})
	if err != nil || string(d.Fields["price"]) != `"2.00"` {
		t.Errorf("ChangedDraft(a field of version 1) = %s, %v, want the new price", d.Fields, err)
	}
	if _, err := c.ChangedDraft(original, map[string]json.RawMessage{"area": raw(`5`)}); codeOf(err) != CodeUnknown {
		t.Errorf("ChangedDraft(a field of version 2) = %v, want code %q", err, CodeUnknown)
	}
	if _, err := c.ChangedDraft(Content{Type: "land.nope"}, nil); codeOf(err) != CodeNoItem {
		t.Errorf("ChangedDraft(unknown type) = %v, want code %q", err, CodeNoItem)
	}
}

func TestChangeTable(t *testing.T) {
	long := strings.Repeat("字", maxLongText+1)
	tests := []struct {
		name string
		in   Difference
		want map[string]any
	}{
		{"changed", Difference{Label: "标题", Was: "甲", Is: "乙"}, map[string]any{"item": "标题", "before": "甲", "after": "乙"}},
		{"added", Difference{Label: "摘要", Is: "乙"}, map[string]any{"item": "摘要", "after": "乙"}},
		{"removed", Difference{Label: "摘要", Was: "甲"}, map[string]any{"item": "摘要", "before": "甲", "after": "（删除）"}},
		{"too long for a cell", Difference{Label: "正文", Was: long, Is: "乙"},
			map[string]any{"item": "正文", "before": strings.Repeat("字", maxLongText-1) + "…", "after": "乙"}},
	}
	for _, tt := range tests {
		if got := ChangeTable([]Difference{tt.in}); !slices.EqualFunc(got, []any{tt.want}, reflect.DeepEqual) {
			t.Errorf("%s: ChangeTable() = %.200v, want %.200v", tt.name, got, tt.want)
		}
	}
	if got := ChangeTable(nil); got == nil || len(got) != 0 {
		t.Errorf("ChangeTable(nil) = %v, want an empty table", got)
	}
}
