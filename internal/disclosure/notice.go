package disclosure

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// Status is where a notice stands.
type Status string

// The statuses. Only StatusPublished and StatusTerminated are public.
const (
	StatusDraft      Status = "draft"      // 草稿
	StatusSubmitted  Status = "submitted"  // 待核验
	StatusScheduled  Status = "scheduled"  // 已核验，定时发布
	StatusPublished  Status = "published"  // 已发布
	StatusTerminated Status = "terminated" // 已终止
	StatusWithdrawn  Status = "withdrawn"  // 已撤回
)

// Public reports whether the content may be read by anybody.
func (s Status) Public() bool { return s == StatusPublished || s == StatusTerminated }

// Name returns the Chinese name of the status.
func (s Status) Name() string {
	switch s {
	case StatusDraft:
		return "草稿"
	case StatusSubmitted:
		return "待核验"
	case StatusScheduled:
		return "待定时发布"
	case StatusPublished:
		return "已发布"
	case StatusTerminated:
		return "已终止"
	case StatusWithdrawn:
		return "已撤回"
	}
	return string(s)
}

// OpenUntil is the instant until which people may act on a notice of the status
// whose type names the deadline; zero for none, and once it is terminated: what
// has been called off closes no more.
func (s Status) OpenUntil(deadline time.Time) time.Time {
	if s == StatusTerminated {
		return time.Time{}
	}
	return deadline
}

// Source says where the information comes from (注明信息来源): without a name no
// notice is published.
type Source struct {
	Name             string    `json:"name"`
	URL              string    `json:"url"` // "" when it was not on the web before
	FirstPublishedAt time.Time `json:"first_published_at,omitzero"`
}

// Project is what a notice is part of (项目). Code is free text: the official
// number, as printed.
type Project struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Attachment is a file of a notice. ID names the upload, SHA256 the content.
type Attachment struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Type   string `json:"type"` // media type, told from the content
}

// RelationType says how one notice stands to another.
type RelationType string

// The relations a draft may declare, and their inverses, which only readers see.
const (
	RelationCorrects     RelationType = "corrects"      // 更正
	RelationTerminates   RelationType = "terminates"    // 终止
	RelationFollows      RelationType = "follows"       // 承接，如中标结果承接候选人公示
	RelationCorrectedBy  RelationType = "corrected_by"  // 被更正
	RelationTerminatedBy RelationType = "terminated_by" // 被终止
	RelationFollowedBy   RelationType = "followed_by"   // 后续
)

// Inverse returns how the other notice sees the relation.
func (t RelationType) Inverse() RelationType {
	switch t {
	case RelationCorrects:
		return RelationCorrectedBy
	case RelationTerminates:
		return RelationTerminatedBy
	}
	return RelationFollowedBy
}

// Relation points from one notice to another by its id.
type Relation struct {
	Type RelationType `json:"type"`
	ID   string       `json:"id"`
}

// Content is what a revision (版本) of a notice says. Its JSON is what the store
// keeps and what ContentSHA256 is taken of.
type Content struct {
	Type        string          `json:"type"`
	TypeVersion int             `json:"type_version"`
	Title       string          `json:"title"`
	Summary     string          `json:"summary"` // as entered; "" leaves it to Abstract
	BodyHTML    string          `json:"body_html"`
	Body        string          `json:"body"` // id of the publisher
	Source      Source          `json:"source"`
	Fields      Values          `json:"fields"`
	Project     *Project        `json:"project"`
	Region      string          `json:"region"` // 行政区划代码, "" when unknown
	FormedAt    workday.Date    `json:"formed_at"`
	DecidedAt   workday.Date    `json:"decided_at"`
	Items       []string        `json:"items"`
	Attachments []Attachment    `json:"attachments"`
	Relations   []Relation      `json:"relations"`
	Changes     json.RawMessage `json:"changes,omitempty"` // of a correction: what it changes in the original
}

// ContentSHA256 is the hash, in hex, of what the public reads: equal on every
// channel, and kept when the content itself is erased.
func (c Content) ContentSHA256() (string, error) {
	c.Changes = nil
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// DecodeContent reads the JSON of a Content as the store keeps it. Numbers keep
// their digits: they stay json.Number.
func DecodeContent(doc []byte) (Content, error) {
	var c Content
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&c); err != nil {
		return Content{}, fmt.Errorf("disclosure: content: %w", err)
	}
	return c, nil
}

// SectorCode returns the sector, the first part of the type code.
func (c Content) SectorCode() string { return sectorOf(c.Type) }

// ProjectCode returns the project's code, or "".
func (c Content) ProjectCode() string {
	if c.Project == nil {
		return ""
	}
	return c.Project.Code
}

// Amends returns the id of the notice this one corrects or terminates, and
// which, or "".
func (c Content) Amends() (id string, how RelationType) {
	for _, r := range c.Relations {
		if r.Type == RelationCorrects || r.Type == RelationTerminates {
			return r.ID, r.Type
		}
	}
	return "", ""
}

// DeadlineAt returns the instant until which the field that the type names as
// its deadline is open, or zero: a date and the end of a period count to the
// last second of the day.
func (c Content) DeadlineAt(t *NoticeType) time.Time {
	f, ok := t.Field(t.DeadlineField)
	if !ok {
		return time.Time{}
	}
	return c.endOf(f)
}

// endOf is the last instant of what a date, datetime or period field says.
func (c Content) endOf(f Field) time.Time {
	switch v := c.Fields[f.Key].(type) {
	case string:
		if f.Kind == FieldDatetime {
			at, err := ParseInstant(v)
			if err == nil {
				return at
			}
		}
		if d, err := workday.ParseDate(v); err == nil {
			return d.End()
		}
	case map[string]any:
		to, _ := v["to"].(string)
		if d, err := workday.ParseDate(to); err == nil {
			return d.End()
		}
	}
	return time.Time{}
}

// movesDeadline reports whether a correction made now moves the deadline of a
// notice that people act on, or another date of it that is still ahead: whoever
// is late with the deposit (保证金) has lost as surely as whoever bids late.
func (c Content) movesDeadline(was Content, t *NoticeType, now time.Time) bool {
	if !c.DeadlineAt(t).Equal(was.DeadlineAt(t)) {
		return true
	}
	return t.DeadlineField != "" && slices.ContainsFunc(t.Fields, func(f Field) bool {
		if f.Kind != FieldDate && f.Kind != FieldDatetime && f.Kind != FieldPeriod {
			return false
		}
		before, after := was.endOf(f), c.endOf(f)
		return !before.Equal(after) && (before.After(now) || after.After(now))
	})
}

// Amount returns the value of the money field that the type names, and whether
// there is one.
func (c Content) Amount(t *NoticeType) (Money, bool) {
	s, ok := c.Fields[t.AmountField].(string)
	if !ok {
		return 0, false
	}
	m, err := ParseMoney(s)
	return m, err == nil
}

// Notice is one announcement (公告) with its state.
type Notice struct {
	ID     string // UUIDv7
	Code   string // 8 digits, the last a check digit: for keypads and paper slips
	Rev    int    // counts contents from 1; a step that changes no content keeps it
	Status Status
	Content

	Author       string   // name of the person who entered it
	Contributors []string // everybody who changed the content, the author included
	Reviewer     string   // name of the person who checked it, "" before
	Secrecy      Secrecy  // recorded at publication
	CreatedAt    time.Time
	UpdatedAt    time.Time
	PublishAt    time.Time // when a scheduled notice is due
	PublishedAt  time.Time // first publication
	WithdrawnAt  time.Time
	Reason       string // of the withdrawal or termination
	Erased       bool   // withdrawn, and the content purged
	Seq          int64  // position in publishing order, 0 before
	SupersededBy string // id of the newest correction or termination, or ""
	BaseRev      int    // of a correction: the revision of the original it was written against
	Steps        []Step // what happened so far, oldest first
}

// Secrecy is the review before publication (公开前保密审查, 政府信息公开条例
// 第十七条): who reviewed, with which result and why.
type Secrecy struct {
	By     string    `json:"by"`
	Result string    `json:"result"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at,omitzero"`
}

// Step is one entry of the notice's history, for staff only.
type Step struct {
	Action  Action
	At      time.Time
	By      string
	Comment string
	Rev     int
}

// Abstract returns the summary as entered, or the beginning of the text, or the
// first fields; at most 120 characters. Give it masked content only.
func (c Content) Abstract(t *NoticeType) string {
	if c.Summary != "" {
		return c.Summary
	}
	text := oneLine(PlainText(c.BodyHTML))
	if text == "" {
		var parts []string
		for _, f := range t.Fields {
			if v := f.Display(c.Fields[f.Key]); v != "" && f.Kind != FieldTable && f.Mask == MaskNone && len(parts) < 4 {
				parts = append(parts, f.Label+"："+oneLine(v))
			}
		}
		text = strings.Join(parts, "；")
	}
	if r := []rune(text); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return text
}
