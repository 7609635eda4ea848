package handlers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// The public JSON of /api/v1. Members only grow; exact-text tests pin them.
// Members are always present and null when unknown.

// Problem is an RFC 9457 problem document (application/problem+json).
type Problem struct {
	Type      string         `json:"type" example:"/problems/notice.invalid"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Code      string         `json:"code"`
	Detail    string         `json:"detail"`
	RequestID string         `json:"request_id"`
	Errors    []ProblemField `json:"errors"`
}

// ProblemField is one fault of a request.
type ProblemField struct {
	Field   string  `json:"field"`
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Rule    *string `json:"rule" extensions:"x-nullable"`
}

// Named is a reference with its name.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Source says where a notice comes from.
type Source struct {
	Name string  `json:"name"`
	URL  *string `json:"url" extensions:"x-nullable"`
}

// Relation points to another notice.
type Relation struct {
	Type string `json:"type" example:"corrects"`
	ID   string `json:"id"`
}

// Link is a relation with the code and title of the other notice.
type Link struct {
	Type  string `json:"type"`
	ID    string `json:"id"`
	Code  string `json:"code"`
	Title string `json:"title"`
}

// Summary is a notice in a list.
type Summary struct {
	ID          string     `json:"id"`
	Code        string     `json:"code" example:"48201735"`
	Rev         int        `json:"rev"`
	Title       string     `json:"title"`
	Sector      string     `json:"sector"`
	Type        string     `json:"type"`
	TypeName    string     `json:"type_name"`
	Stage       string     `json:"stage"`
	Status      string     `json:"status"`
	Body        Named      `json:"body"`
	Source      Source     `json:"source"`
	ProjectCode *string    `json:"project_code" extensions:"x-nullable"`
	Region      *string    `json:"region" extensions:"x-nullable"`
	PublishedAt *string    `json:"published_at" extensions:"x-nullable"`
	DeadlineAt  *string    `json:"deadline_at" extensions:"x-nullable"`
	Amount      *string    `json:"amount" example:"1234567.00" extensions:"x-nullable"`
	Summary     *string    `json:"summary" extensions:"x-nullable"`
	Relations   []Relation `json:"relations"`
}

// NoticeList is a page of notices.
type NoticeList struct {
	Items       []Summary `json:"items"`
	Next        *string   `json:"next" extensions:"x-nullable"`
	Total       int       `json:"total"`
	TotalCapped bool      `json:"total_capped"`
	AsOf        string    `json:"as_of"`
}

// FieldValue is one typed field of a notice. Value has the JSON type of the
// field's kind; display is how people read it.
type FieldValue struct {
	Key     string `json:"key"`
	Label   string `json:"label"`
	Value   any    `json:"value"`
	Display string `json:"display"`
}

// File is an attachment.
type File struct {
	Name   string `json:"name"`
	URL    string `json:"url"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
}

// Deadline is a time limit of a notice: counted by a rule, or set by the notice
// alone, whose rule is then null.
type Deadline struct {
	Rule        *string `json:"rule" example:"D5" extensions:"x-nullable"`
	Label       string  `json:"label"`
	DueAt       string  `json:"due_at"`
	Provisional bool    `json:"provisional"`
	ExplainURL  *string `json:"explain_url" extensions:"x-nullable"`
}

// Project names what a notice is part of.
type Project struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Notice is a notice in full.
type Notice struct {
	ID             string       `json:"id"`
	Code           string       `json:"code"`
	Rev            int          `json:"rev"`
	Title          string       `json:"title"`
	Sector         string       `json:"sector"`
	Type           string       `json:"type"`
	TypeName       string       `json:"type_name"`
	Stage          string       `json:"stage"`
	Status         string       `json:"status"`
	Body           Named        `json:"body"`
	Source         Source       `json:"source"`
	ProjectCode    *string      `json:"project_code" extensions:"x-nullable"`
	Region         *string      `json:"region" extensions:"x-nullable"`
	PublishedAt    *string      `json:"published_at" extensions:"x-nullable"`
	DeadlineAt     *string      `json:"deadline_at" extensions:"x-nullable"`
	Amount         *string      `json:"amount" extensions:"x-nullable"`
	Summary        *string      `json:"summary" extensions:"x-nullable"`
	BodyHTML       string       `json:"body_html"`
	Fields         []FieldValue `json:"fields"`
	Attachments    []File       `json:"attachments"`
	Deadlines      []Deadline   `json:"deadlines"`
	Relations      []Link       `json:"relations"`
	CatalogItems   []string     `json:"catalog_items"`
	Project        *Project     `json:"project" extensions:"x-nullable"`
	FormedAt       *string      `json:"formed_at" extensions:"x-nullable"`
	DecidedAt      *string      `json:"decided_at" extensions:"x-nullable"`
	FirstPublished *string      `json:"first_published_at" extensions:"x-nullable"`
	Timeliness     *Timeliness  `json:"timeliness" extensions:"x-nullable"`
	RevisionsCount int          `json:"revisions_count"`
	ContentSHA256  string       `json:"content_sha256"`
}

// encode writes JSON without escaping HTML characters.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("handlers: encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := disclosure.FormatInstant(t)
	return &s
}

func civil(d workday.Date) *string { return nullable(d.String()) }

func amount(m disclosure.Money, known bool) *string {
	if !known {
		return nil
	}
	s := disclosure.FormatMoney(m)
	return &s
}

// orEmpty turns a nil list into [].
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func sourceJSON(s disclosure.Source) Source { return Source{Name: s.Name, URL: nullable(s.URL)} }

// typeOf returns the type a notice was written by. A catalogue without it is a
// damaged database; the code then stands for the name.
func typeOf(c *disclosure.Catalog, code string, version int) *disclosure.NoticeType {
	t, err := c.TypeAt(code, version)
	if err != nil {
		return &disclosure.NoticeType{Code: code, Name: code}
	}
	return t
}

func summaryJSON(c *disclosure.Catalog, s disclosure.Summary) Summary {
	t := typeOf(c, s.Type, s.TypeVersion)
	relations := make([]Relation, 0, len(s.Relations)+1)
	for _, r := range s.Relations {
		relations = append(relations, Relation{string(r.Type), r.ID})
	}
	if s.SupersededBy != "" {
		how := disclosure.RelationCorrectedBy
		if s.Status == disclosure.StatusTerminated {
			how = disclosure.RelationTerminatedBy
		}
		relations = append(relations, Relation{string(how), s.SupersededBy})
	}
	return Summary{
		ID: s.ID, Code: s.Code, Rev: s.Rev, Title: s.Title, Sector: s.Sector(), Type: s.Type, TypeName: t.Name,
		Stage: string(t.Stage), Status: string(s.Status), Body: Named{s.Body, c.BodyName(s.Body)},
		Source: sourceJSON(s.Source), ProjectCode: nullable(s.Project), Region: nullable(s.Region),
		PublishedAt: instant(s.PublishedAt), DeadlineAt: instant(s.DeadlineAt), Amount: amount(s.Amount, s.HasAmount),
		Summary: nullable(s.Summary), Relations: relations,
	}
}

func summariesJSON(c *disclosure.Catalog, list []disclosure.Summary) []Summary {
	out := make([]Summary, len(list))
	for i, s := range list {
		out[i] = summaryJSON(c, s)
	}
	return out
}

// noticeJSON writes a notice in full; revisions and links are of the notice as
// it stands.
func noticeJSON(d disclosure.NoticeDetail) Notice {
	t := typeOf(d.Catalog, d.Type, d.TypeVersion)
	n := d.Notice
	value, known := n.Amount(t)
	out := Notice{
		ID: n.ID, Code: n.Code, Rev: n.Rev, Title: n.Title, Sector: n.SectorCode(), Type: n.Type, TypeName: t.Name,
		Stage: string(t.Stage), Status: string(n.Status), Body: Named{n.Body, d.Catalog.BodyName(n.Body)},
		Source: sourceJSON(n.Source), ProjectCode: nullable(n.ProjectCode()), Region: nullable(n.Region),
		PublishedAt: instant(n.PublishedAt), DeadlineAt: instant(n.DeadlineAt(t)), Amount: amount(value, known),
		Summary: nullable(n.Abstract(t)), BodyHTML: n.BodyHTML, Fields: fieldsJSON(t, n.Fields),
		Attachments: filesJSON(n.Attachments), Deadlines: deadlinesJSON(d.Deadlines), Relations: linksJSON(d.Links),
		CatalogItems: orEmpty(n.Items), FormedAt: civil(n.FormedAt), DecidedAt: civil(n.DecidedAt),
		FirstPublished: instant(n.Source.FirstPublishedAt), RevisionsCount: d.Revisions, ContentSHA256: d.ContentSHA256,
		Timeliness: timelinessJSON(d.Timeliness),
	}
	if n.Project != nil {
		out.Project = &Project{n.Project.Code, n.Project.Name}
	}
	return out
}

func fieldsJSON(t *disclosure.NoticeType, values disclosure.Values) []FieldValue {
	out := []FieldValue{}
	for _, f := range t.Fields {
		if v, ok := values[f.Key]; ok {
			out = append(out, FieldValue{f.Key, f.Label, v, f.Display(v)})
		}
	}
	return out
}

func filesJSON(files []disclosure.Attachment) []File {
	out := make([]File, len(files))
	for i, f := range files {
		out[i] = File{f.Name, "/api/v1/attachments/" + f.SHA256, f.Size, f.SHA256, f.Type}
	}
	return out
}

func linksJSON(links []disclosure.Linked) []Link {
	out := make([]Link, len(links))
	for i, l := range links {
		out[i] = Link{string(l.Type), l.ID, l.Code, l.Title}
	}
	return out
}
