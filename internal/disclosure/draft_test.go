package disclosure

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gongkai/internal/workday"
)

// testNow is the instant at which tests decide, on testDay.
var testNow = time.Date(2026, time.November, 23, 9, 0, 0, 0, workday.Shanghai)

var readCatalog = sync.OnceValues(func() (*Catalog, error) {
	defs, err := Builtin()
	if err != nil {
		return nil, err
	}
	return NewCatalog(defs)
})

// sharedCatalog is the built-in catalogue, read once for all tests and fuzz
// targets: a Catalog does not change.
func sharedCatalog(tb testing.TB) *Catalog {
	tb.Helper()
	c, err := readCatalog()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// exampleDraft is a draft of the type from its fields' examples on testDay.
func exampleDraft(tb testing.TB, code string) Draft {
	tb.Helper()
	typ, err := sharedCatalog(tb).Type(code)
	if err != nil {
		tb.Fatal(err)
	}
	examples, err := typ.Examples(testDay, false)
	if err != nil {
		tb.Fatal(err)
	}
	d := Draft{Type: code, Title: "盐东镇道路改造工程", BodyHTML: "<p>详见附件。</p>", Body: "resource-trading-centre",
		Source: &DraftSource{Name: "亭湖区公共资源交易平台"}, Fields: map[string]json.RawMessage{}}
	for key, v := range examples {
		if d.Fields[key], err = json.Marshal(v); err != nil {
			tb.Fatal(err)
		}
	}
	return d
}

func exampleContent(tb testing.TB, code string) Content {
	tb.Helper()
	c, err := exampleDraft(tb, code).Content(sharedCatalog(tb), testReferences)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

var testReferences = References{
	Files: map[string]Attachment{
		"f1": {ID: "f1", Name: "招标文件.pdf", Size: 3, SHA256: strings.Repeat("1a", 32), Type: "application/pdf"},
		"f2": {ID: "f2", Name: "图纸.zip", Size: 4, SHA256: strings.Repeat("2b", 32), Type: "application/zip"},
	},
	Notices: map[string]string{"n1": "n1", "10000012": "n1", "n2": "n2"},
}

const tender = "construction.tender_notice"

func TestContentOfDraft(t *testing.T) {
	d := exampleDraft(t, tender)
	d.Title, d.Summary, d.Region = " 盐东镇\n道路 改造 ", new(" 一\n二 "), new("320902")
	d.Source = &DraftSource{Name: " 交易\t平台 ", URL: new("https://example.com/1"), FirstPublishedAt: new("2026-11-20")}
	d.Project = &Project{Code: " TH2026-001 ", Name: "道路\n改造"}
	d.FormedAt, d.DecidedAt = new("2026-11-19"), new(" ")
	d.Items = []string{"A1-05", "A1-04", "A1-05"}
	d.Attachments = []AttachmentRef{{ID: "f2"}, {ID: "f1"}, {ID: "f2"}}
	d.Relations = []Relation{{Type: RelationFollows, ID: "10000012"}, {Type: RelationCorrects, ID: "n2"}}
	d.Fields = map[string]json.RawMessage{"control_price": json.RawMessage(`"12.5"`), "quality": json.RawMessage(`""`)}
	got, err := d.Content(sharedCatalog(t), testReferences)
	if err != nil {
		t.Fatalf("Content() = %v, want no error", err)
	}
	want := Content{Type: tender, TypeVersion: 1, Title: "盐东镇 道路 改造", Summary: "一 二", BodyHTML: "<p>详见附件。</p>",
		Body: "resource-trading-centre", Region: "320902", FormedAt: workday.Date{Year: 2026, Month: 11, Day: 19},
		Source: Source{Name: "交易 平台", URL: "https://example.com/1", FirstPublishedAt: time.Date(2026, 11, 20, 0, 0, 0, 0, workday.Shanghai)},
		Fields: Values{"control_price": "12.50"}, Project: &Project{Code: "TH2026-001", Name: "道路 改造"},
		Items: []string{"A1-04", "A1-05"}, Attachments: []Attachment{testReferences.Files["f2"], testReferences.Files["f1"]},
		Relations: []Relation{{Type: RelationFollows, ID: "n1"}, {Type: RelationCorrects, ID: "n2"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Content() = %+v\nwant %+v", got, want)
	}
	if !slices.Equal(d.Items, []string{"A1-05", "A1-04", "A1-05"}) {
		t.Errorf("Content() changed the draft's items to %v", d.Items)
	}
	id, how := got.Amends()
	if id != "n2" || how != RelationCorrects || got.SectorCode() != "construction" || got.ProjectCode() != "TH2026-001" {
		t.Errorf("Amends() = %s, %s; SectorCode() = %s; ProjectCode() = %s", id, how, got.SectorCode(), got.ProjectCode())
	}
}

func TestDraftIsKeptUnfinished(t *testing.T) {
	d := Draft{Type: tender, Title: "甲", Body: "resource-trading-centre", Source: &DraftSource{Name: "乙"}}
	got, err := d.Content(sharedCatalog(t), References{})
	if err != nil {
		t.Fatalf("Content(%+v) = %v, want an unfinished draft to be kept", d, err)
	}
	typ, err := sharedCatalog(t).Type(tender)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Items, typ.Items) || got.Project != nil || len(got.Fields) != 0 || got.Attachments == nil || got.Relations == nil {
		t.Errorf("Content(%+v) = %+v, want the type's items and empty lists", d, got)
	}
	if id, how := got.Amends(); id != "" || how != "" {
		t.Errorf("Amends() = %q, %q, want nothing", id, how)
	}
}

// faultyDrafts change one thing of a good draft; faults is what is said of it.
var faultyDrafts = []struct {
	name   string
	change func(d *Draft)
	code   Code
	faults string
}{
	{"no type", func(d *Draft) { d.Type = "" }, CodeInvalid, "type notice.invalid"},
	{"unknown type", func(d *Draft) { d.Type = "construction.nope" }, CodeInvalid, "type notice.invalid"},
	{"no title", func(d *Draft) { d.Title = "" }, CodeInvalid, "title field.required"},
	{"blank title", func(d *Draft) { d.Title = " \n　" }, CodeInvalid, "title field.required"},
	{"200 characters of title", func(d *Draft) { d.Title = strings.Repeat("字", 200) }, "", ""},
	{"201 characters of title", func(d *Draft) { d.Title = strings.Repeat("字", 201) }, CodeInvalid, "title text.too_long"},
	{"control character in the title", func(d *Draft) { d.Title = "甲\x1b乙" }, CodeInvalid, "title text.control"},
	{"300 characters of summary", func(d *Draft) { d.Summary = new(strings.Repeat("字", 300)) }, "", ""},
	{"301 characters of summary", func(d *Draft) { d.Summary = new(strings.Repeat("字", 301)) }, CodeInvalid, "summary text.too_long"},
	{"no body", func(d *Draft) { d.Body = "" }, CodeInvalid, "body reference.unknown"},
	{"unknown body", func(d *Draft) { d.Body = "nobody" }, CodeInvalid, "body reference.unknown"},
	{"no source", func(d *Draft) { d.Source = nil }, CodeInvalid, "source field.required"},
	{"source without a name", func(d *Draft) { d.Source.Name = " " }, CodeInvalid, "source.name field.required"},
	{"source with a script for a URL", func(d *Draft) { d.Source.URL = new("javascript:alert(1)") }, CodeInvalid, "source.url url.invalid"},
	{"URL of 2,001 bytes", func(d *Draft) { d.Source.URL = new("https://example.com/" + strings.Repeat("a", 1981)) },
		CodeInvalid, "source.url url.invalid"},
	{"first published some day", func(d *Draft) { d.Source.FirstPublishedAt = new("去年") }, CodeInvalid,
		"source.first_published_at datetime.invalid"},
	{"first published on 29 February", func(d *Draft) { d.Source.FirstPublishedAt = new("2026-02-29") }, CodeInvalid,
		"source.first_published_at datetime.invalid"},
	{"first published at an instant", func(d *Draft) { d.Source.FirstPublishedAt = new("2026-11-23T09:30:00.5Z") }, "", ""},
	{"script in the text", func(d *Draft) { d.BodyHTML = "<script>x</script>" }, CodeInvalid, "body_html html.active"},
	{"handler in the text", func(d *Draft) { d.BodyHTML = "<p onclick=x>甲</p>" }, CodeInvalid, "body_html html.active"},
	{"600,000 bytes of text", func(d *Draft) { d.BodyHTML = strings.Repeat("字", 200_000) }, "", ""},
	{"600,003 bytes of text", func(d *Draft) { d.BodyHTML = strings.Repeat("字", 200_001) }, CodeInvalid, "body_html text.too_long"},
	{"too long once it is escaped", func(d *Draft) { d.BodyHTML = strings.Repeat("&", 200_000) }, CodeInvalid, "body_html text.too_long"},
	{"region of 12 digits", func(d *Draft) { d.Region = new("320902001001") }, "", ""},
	{"region of 7 digits", func(d *Draft) { d.Region = new("3209020") }, CodeInvalid, "region region.invalid"},
	{"region by name", func(d *Draft) { d.Region = new("亭湖区") }, CodeInvalid, "region region.invalid"},
	{"empty project", func(d *Draft) { d.Project = &Project{} }, "", ""},
	{"project without a name", func(d *Draft) { d.Project = &Project{Code: "1"} }, CodeInvalid, "project.name field.required"},
	{"project without a code", func(d *Draft) { d.Project = &Project{Name: "甲"} }, CodeInvalid, "project.code field.required"},
	{"project code of 101 characters", func(d *Draft) { d.Project = &Project{strings.Repeat("1", 101), "甲"} }, CodeInvalid,
		"project.code text.too_long"},
	{"formed on no day", func(d *Draft) { d.FormedAt = new("2026-02-29") }, CodeInvalid, "formed_at date.invalid"},
	{"decided at an instant", func(d *Draft) { d.DecidedAt = new("2026-11-23T00:00:00Z") }, CodeInvalid, "decided_at date.invalid"},
	{"no item", func(d *Draft) { d.Items = []string{} }, "", ""},
	{"unknown item", func(d *Draft) { d.Items = []string{"A1-04", "A9-99"} }, CodeInvalid, "items[1] reference.unknown"},
	{"unknown file", func(d *Draft) { d.Attachments = []AttachmentRef{{"f1"}, {"f9"}} }, CodeInvalid, "attachments[1] attachment.unknown"},
	{"51 files", func(d *Draft) { d.Attachments = slices.Repeat([]AttachmentRef{{"f1"}}, 51) }, CodeInvalid, "attachments list.too_long"},
	{"unknown notice", func(d *Draft) { d.Relations = []Relation{{RelationFollows, "n9"}} }, CodeInvalid, "relations[0].id reference.unknown"},
	{"an inverse relation", func(d *Draft) { d.Relations = []Relation{{RelationCorrectedBy, "n1"}} }, CodeInvalid, "relations[0].type enum.invalid"},
	{"corrects two", func(d *Draft) { d.Relations = []Relation{{RelationCorrects, "n1"}, {RelationCorrects, "n2"}} },
		CodeInvalid, "relations relation.many"},
	{"corrects and terminates", func(d *Draft) {
		d.Relations = []Relation{{RelationCorrects, "n1"}, {RelationTerminates,
			"n1"}}
	}, CodeInvalid, "relations relation.many"},
	{"21 relations", func(d *Draft) { d.Relations = slices.Repeat([]Relation{{RelationFollows, "n1"}}, 21) }, CodeInvalid, "relations list.too_long"},
	{"unknown field", func(d *Draft) { d.Fields["nope"] = json.RawMessage(`1`) }, CodeUnknown, "fields.nope field.unknown"},
	{"unknown field and a wrong value", func(d *Draft) { d.Fields["nope"], d.Title = json.RawMessage(`1`), "" }, CodeUnknown,
		"fields.nope field.unknown"},
	{"wrong value of a field", func(d *Draft) { d.Fields["duration"] = json.RawMessage(`"180天"`) }, CodeInvalid, "fields.duration field.type"},
	{"every fault at once", func(d *Draft) { d.Title, d.Source, d.Fields["bid_deadline"] = "", nil, json.RawMessage(`"x"`) },
		CodeInvalid, "title field.required; source field.required; fields.bid_deadline datetime.invalid"},
}

func TestDraftFaults(t *testing.T) {
	for _, tt := range faultyDrafts {
		t.Run(tt.name, func(t *testing.T) {
			d := exampleDraft(t, tender)
			tt.change(&d)
			_, err := d.Content(sharedCatalog(t), testReferences)
			if got := codeOf(err); got != tt.code {
				t.Errorf("Content() = %v, want code %q", err, tt.code)
			}
			if got := faultsOf(err); got != tt.faults {
				t.Errorf("Content() faults = %q, want %q", got, tt.faults)
			}
		})
	}
}

// A published notice is read again when it is corrected: what was accepted, and
// what its masks left, is accepted unchanged.
func TestContentSurvivesBeingDraftedAgain(t *testing.T) {
	c := sharedCatalog(t)
	for _, typ := range c.Types {
		content := exampleContent(t, typ.Code)
		checkSurvives(t, c, content)
		checkSurvives(t, c, content.Masked(typ))
	}
}

func checkSurvives(t *testing.T, c *Catalog, content Content) {
	t.Helper()
	d, err := content.Draft()
	if err != nil {
		t.Fatalf("Draft(%+v) = %v", content, err)
	}
	again, err := d.Content(c, testReferences)
	if err != nil {
		t.Fatalf("%s: Content(Draft(%+v)) = %v, want no error", content.Type, content, err)
	}
	was, is := valueJSON(t, content), valueJSON(t, again)
	if was != is {
		t.Errorf("%s: Content(Draft(c)) = %s", content.Type, firstDifference(is, was))
	}
}

// firstDifference shows where two long texts part.
func firstDifference(got, want string) string {
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	from := max(0, at-40)
	return "…" + got[from:min(len(got), at+80)] + "…, want …" + want[from:min(len(want), at+80)] + "…"
}

// A draft made of a content shares nothing with it that can be changed.
func TestDraftOfContentIsACopy(t *testing.T) {
	content := exampleContent(t, tender)
	content.Project, content.Items = &Project{Code: "1", Name: "甲"}, []string{"A1-05", "A1-04"}
	before := valueJSON(t, content)
	d, err := content.Draft()
	if err != nil {
		t.Fatal(err)
	}
	d.Project.Name, *d.Summary, *d.Region, d.Source.Name = "乙", "乙", "乙", "乙"
	d.Items[0], d.Fields["quality"] = "乙", json.RawMessage(`"乙"`)
	if after := valueJSON(t, content); after != before {
		t.Errorf("changing Draft() made the content %s", firstDifference(after, before))
	}
}

func FuzzParseDraft(f *testing.F) {
	c := sharedCatalog(f)
	for _, code := range []string{tender, "housing.allocation_result", "land.transfer_notice", "procurement.correction"} {
		d := exampleDraft(f, code)
		d.FormedAt, d.Project, d.Items = new("2026-11-20"), &Project{Code: "TH2026-001", Name: "道路"}, []string{"A1-05", "A1-04"}
		d.Attachments, d.Relations = []AttachmentRef{{"f1"}}, []Relation{{RelationCorrects, "10000012"}}
		d.Source.FirstPublishedAt, d.Changes = new("2026-11-20T09:30:00.5-08:00"), map[string]json.RawMessage{"title": json.RawMessage(`"<乙>"`)}
		seed, err := json.Marshal(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte(`{"type":"` + tender + `","title":"甲","body":"resource-trading-centre","source":{"name":"乙","first_published_at":"1988-07-01"},
		"fields":{"document_period":{"from":"2026-11-23","to":"2026-11-30"},"duration":-0,"bid_deadline":"1900-06-01T00:00:00Z"}}`))
	f.Add([]byte(`{"attachments":[{"id":"f1"},"f2"],"relations":[{"type":"follows","id":"n1"}],"x":"\\u0000"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDraft(data)
		if err != nil {
			if code := codeOf(err); !slices.Contains([]Code{CodeText, CodeJSON, CodeUnknown}, code) {
				t.Errorf("ParseDraft(%q) = %v, want a fault of the request", data, err)
			}
			return
		}
		content, err := d.Content(c, testReferences)
		if err == nil {
			checkSurvives(t, c, content)
			return
		}
		if e, ok := errors.AsType[*Error](err); !ok || len(e.Fields) == 0 || e.Code != CodeInvalid && e.Code != CodeUnknown {
			t.Errorf("Content(%q) = %v, want faults with their fields", data, err)
		}
	})
}
