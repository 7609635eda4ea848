package disclosure

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gongkai/internal/workday"
)

// Draft is a notice as an editor or an import file sends it. A member that is
// null or absent is unknown; field values are read by the type's definition.
type Draft struct {
	Type        string                     `json:"type"`
	Title       string                     `json:"title"`
	Summary     *string                    `json:"summary"`
	BodyHTML    string                     `json:"body_html"`
	Body        string                     `json:"body"`
	Source      *DraftSource               `json:"source"`
	Fields      map[string]json.RawMessage `json:"fields"`
	Project     *Project                   `json:"project"`
	Region      *string                    `json:"region"`
	FormedAt    *string                    `json:"formed_at"`
	DecidedAt   *string                    `json:"decided_at"`
	Items       []string                   `json:"items"` // nil: those the type fulfils
	Attachments []AttachmentRef            `json:"attachments"`
	Relations   []Relation                 `json:"relations"` // ids or codes
	Changes     map[string]json.RawMessage `json:"changes"`   // of a correction, see ChangedContent
}

// DraftSource is the source of a draft; first_published_at is an instant or a
// date.
type DraftSource struct {
	Name             string  `json:"name"`
	URL              *string `json:"url"`
	FirstPublishedAt *string `json:"first_published_at"`
}

// AttachmentRef names an uploaded file: the upload's id as a string, or an
// object with it, as the upload answered.
type AttachmentRef struct{ ID string }

// UnmarshalJSON reads either form.
func (r *AttachmentRef) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &r.ID) == nil {
		return nil
	}
	var o map[string]json.RawMessage // a struct would take {"ID"} too
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	if o["id"] == nil {
		return nil // names no file, and is refused as such with its place
	}
	return json.Unmarshal(o["id"], &r.ID)
}

// ParseDraft reads a draft's JSON strictly; see DecodeStrict for the errors.
func ParseDraft(data []byte) (Draft, error) {
	var d Draft
	err := DecodeStrict(data, &d)
	return d, err
}

// References are the things a draft points to, looked up before it is read.
type References struct {
	Files   map[string]Attachment // by upload id
	Notices map[string]string     // id by id or code
}

var regionForm = regexp.MustCompile(`^[0-9]{6}([0-9]{3}){0,2}$`)

// RegionMessage says what a region code 行政区划代码 (GB/T 2260, GB/T 10114) is.
const RegionMessage = "行政区划代码应为 6、9 或 12 位数字"

// IsRegion reports whether s has the form of a region code: 6 digits for a
// district, 9 for a town, 12 for a village.
func IsRegion(s string) bool { return regionForm.MatchString(s) }

// The limits of a notice.
const (
	maxTitle     = 200     // characters
	maxSummary   = 300     // characters
	maxBodyHTML  = 600_000 // bytes
	maxFiles     = 50
	maxRelations = 20
)

// Content reads the draft by the type's definition in the catalogue. What is
// there must be of the right form; a required field may still be missing, as
// unfinished drafts are kept, but type, title, body and source may not (R25).
// All faults are returned in one CodeInvalid, or CodeUnknown for field keys the
// type does not have.
func (d Draft) Content(c *Catalog, refs References) (Content, error) {
	t, err := c.Type(d.Type)
	if err != nil {
		return Content{}, Errorf(CodeInvalid, "目录中没有公告类型“%s”", d.Type).On("type")
	}
	return d.ContentAs(c, t, refs)
}

// ContentAs is Content by a given version of the type: what corrects a notice
// is read as the notice was.
func (d Draft) ContentAs(c *Catalog, t *NoticeType, refs References) (Content, error) {
	var l faultList
	out := Content{
		Type: t.Code, TypeVersion: t.Version, Title: oneLine(d.Title), Body: d.Body, Items: d.Items,
		Summary: oneLine(deref(d.Summary)), Region: deref(d.Region), Project: d.Project,
		FormedAt:  l.date("formed_at", d.FormedAt),
		DecidedAt: l.date("decided_at", d.DecidedAt),
	}
	l.length("title", out.Title, 1, maxTitle, "标题")
	l.length("summary", out.Summary, 0, maxSummary, "摘要")
	l.known(c.bodies[d.Body] != nil, "body", d.Body)
	l.add(out.Region == "" || IsRegion(out.Region), "region", "region.invalid", RegionMessage)
	out.Source = l.source(d.Source)
	out.BodyHTML = l.html(d.BodyHTML)
	out.Project = l.project(d.Project)
	out.Items = l.items(c, t, d.Items)
	out.Attachments = l.files(d.Attachments, refs.Files)
	out.Relations = l.relations(d.Relations, refs.Notices)
	fields, faults := parseObject(optional(t.Fields), d.Fields, "fields.")
	out.Fields = fields
	l = append(l, faults...)
	if d.Changes != nil {
		_, how := out.Amends()
		l.add(how == RelationCorrects, "changes", "changes.alone", "只有关联了原公告（corrects）的更正才写 changes")
		changes, err := json.Marshal(d.Changes)
		if err != nil {
			return Content{}, fmt.Errorf("disclosure: changes of a draft: %w", err)
		}
		out.Changes = changes
	}
	return out, l.err()
}

// err sorts unknown keys from faults of value: the first are the sender's
// mistake in the request (400), the second in the content (422).
func (l faultList) err() error {
	unknown := slices.DeleteFunc(slices.Clone(l), func(f FieldError) bool { return f.Code != "field.unknown" })
	if len(unknown) > 0 {
		return invalid(CodeUnknown, unknown)
	}
	return invalid(CodeInvalid, l)
}

// optional returns the definitions with nothing required, for unfinished drafts;
// rows that are there must be whole.
func optional(defs []Field) []Field {
	out := slices.Clone(defs)
	for i := range out {
		out[i].Required = false
	}
	return out
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(*s)
}

// oneLine trims and joins lines and drops characters that only steer the
// display: titles are pasted from documents with breaks, and a reversed or
// hidden word is a way to mislead.
func oneLine(s string) string { return strings.Join(strings.Fields(visible(s)), " ") }

// visible drops format characters (Cf), such as bidirectional marks and
// zero-width blanks, except the joiner that some pictographs need.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 || r >= 0x4e00 && r <= 0x9fff { // most
			return r
		}
		if steers(r) {
			return -1
		}
		return r
	}, s)
}

// steers reports whether a character only steers the display.
func steers(r rune) bool { return unicode.Is(unicode.Cf, r) && r != '\u200d' }

// Unseen reports whether a character is a control or only steers the display:
// a name that staff read on one line holds none.
func Unseen(r rune) bool { return unicode.IsControl(r) || steers(r) }

func (l *faultList) length(field, s string, low, high int, label string) {
	n := utf8.RuneCountInString(s)
	l.add(n >= low, field, "field.required", "请填写"+label)
	l.add(n <= high, field, "text.too_long", fmt.Sprintf("%s有 %d 个字，最多 %d 个", label, n, high))
	l.add(!strings.ContainsFunc(s, unicode.IsControl), field, "text.control", label+"含有不可见字符")
}

func (l *faultList) date(field string, s *string) workday.Date {
	text := deref(s)
	if text == "" {
		return workday.Date{}
	}
	d, err := workday.ParseDate(text)
	l.add(err == nil, field, "date.invalid", "请写成 2026-11-23 这样的日期")
	return d
}

func (l *faultList) source(s *DraftSource) Source {
	if s == nil {
		l.add(false, "source", "field.required", "请注明信息来源")
		return Source{}
	}
	out := Source{Name: oneLine(s.Name), URL: deref(s.URL)}
	l.length("source.name", out.Name, 1, maxTitle, "信息来源名称")
	l.add(out.URL == "" || len(out.URL) <= 2000 && validURL(out.URL), "source.url", "url.invalid", "请填写以 http:// 或 https:// 开头的网址")
	if text := deref(s.FirstPublishedAt); text != "" {
		at, err := ParseInstant(text)
		if d, derr := workday.ParseDate(text); derr == nil {
			at, err = d.Start(), nil
		}
		l.add(err == nil, "source.first_published_at", "datetime.invalid", "请写成 2026-11-23 或 2026-11-23T09:30:00+08:00")
		out.FirstPublishedAt = at
	}
	return out
}

func (l *faultList) html(s string) string {
	clean := SanitizeHTML(s)
	l.add(max(len(s), len(clean)) <= maxBodyHTML, "body_html", "text.too_long", "正文过长，最多 600 KB；大的表格请放在附件中")
	if bad := ActiveHTML(s); bad != "" {
		l.add(false, "body_html", "html.active", fmt.Sprintf("正文含有不能发布的活动内容（%s），请删除后重试", bad))
	}
	return clean
}

func (l *faultList) project(p *Project) *Project {
	if p == nil || p.Code == "" && p.Name == "" {
		return nil
	}
	out := &Project{Code: oneLine(p.Code), Name: oneLine(p.Name)}
	l.length("project.code", out.Code, 1, 100, "项目编号")
	l.length("project.name", out.Name, 1, maxTitle, "项目名称")
	return out
}

func (l *faultList) items(c *Catalog, t *NoticeType, items []string) []string {
	if items == nil {
		items = t.Items
	}
	for i, id := range items {
		l.known(c.items[id] != nil, fmt.Sprintf("items[%d]", i), id)
	}
	return sortedSet(items)
}

func (l *faultList) files(refs []AttachmentRef, found map[string]Attachment) []Attachment {
	l.add(len(refs) <= maxFiles, "attachments", "list.too_long", fmt.Sprintf("附件最多 %d 个", maxFiles))
	out := []Attachment{}
	for i, ref := range refs {
		a, ok := found[ref.ID]
		l.add(ok, fmt.Sprintf("attachments[%d]", i), "attachment.unknown", "没有找到这个上传的文件，请重新上传")
		if ok && !slices.ContainsFunc(out, func(b Attachment) bool { return a.ID == b.ID }) {
			out = append(out, a)
		}
	}
	return out
}

func (l *faultList) relations(rels []Relation, found map[string]string) []Relation {
	l.add(len(rels) <= maxRelations, "relations", "list.too_long", fmt.Sprintf("关联最多 %d 条", maxRelations))
	out, amends := []Relation{}, 0
	for i, r := range rels {
		at := fmt.Sprintf("relations[%d]", i)
		declarable := slices.Contains([]RelationType{RelationCorrects, RelationTerminates, RelationFollows}, r.Type)
		l.add(declarable, at+".type", "enum.invalid", "关联类型应为 corrects、terminates 或 follows")
		id, ok := found[r.ID]
		l.add(ok, at+".id", "reference.unknown", "没有找到被关联的公告")
		if r.Type == RelationCorrects || r.Type == RelationTerminates {
			amends++
		}
		out = append(out, Relation{Type: r.Type, ID: id})
	}
	l.add(amends <= 1, "relations", "relation.many", "一份公告只能更正或终止一份公告")
	return out
}

// Draft returns the content in the form an editor sends, so that a stored
// notice can be read by a newer version of its type.
func (c Content) Draft() (Draft, error) {
	d := Draft{Type: c.Type, Title: c.Title, Summary: &c.Summary, BodyHTML: c.BodyHTML, Body: c.Body, Region: &c.Region,
		Items: slices.Clone(c.Items), Relations: slices.Clone(c.Relations), Fields: map[string]json.RawMessage{},
		Source: &DraftSource{Name: c.Source.Name, URL: &c.Source.URL}}
	if !c.Source.FirstPublishedAt.IsZero() {
		at := c.Source.FirstPublishedAt.UTC().Format(time.RFC3339Nano)
		d.Source.FirstPublishedAt = &at
	}
	if c.Project != nil {
		project := *c.Project
		d.Project = &project
	}
	if len(c.Changes) > 0 {
		if err := json.Unmarshal(c.Changes, &d.Changes); err != nil {
			return Draft{}, fmt.Errorf("disclosure: changes of a content: %w", err)
		}
	}
	formed, decided := c.FormedAt.String(), c.DecidedAt.String()
	d.FormedAt, d.DecidedAt = &formed, &decided
	for _, key := range slices.Sorted(maps.Keys(c.Fields)) {
		raw, err := json.Marshal(c.Fields[key])
		if err != nil {
			return Draft{}, fmt.Errorf("disclosure: field %s: %w", key, err)
		}
		d.Fields[key] = raw
	}
	for _, a := range c.Attachments {
		d.Attachments = append(d.Attachments, AttachmentRef{ID: a.ID})
	}
	return d, nil
}
