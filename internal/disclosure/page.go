package disclosure

import (
	"time"

	"gongkai/internal/workday"
)

// Reading says what a read model was read at: Position is that of the change
// feed in the same snapshot of the database, Catalog the catalogue of that
// moment, by whose labels the rows are to be shown. Epoch names the database's
// history: it changes when a backup is restored, and positions of two epochs do
// not compare.
type Reading struct {
	Position int64
	Epoch    string
	Catalog  *Catalog
}

// Summary is a public notice in a list.
type Summary struct {
	ID           string
	Code         string
	Rev          int
	Title        string
	Type         string
	TypeVersion  int
	Status       Status
	Body         string // id
	Source       Source
	Project      string // code, "" when of no project
	Region       string
	PublishedAt  time.Time
	UpdatedAt    time.Time // of its revision
	DeadlineAt   time.Time // zero when the type names none
	Amount       Money
	HasAmount    bool
	Summary      string
	Relations    []Relation // those it declares
	SupersededBy string
	Seq          int64
}

// Sector returns the code of the notice's sector.
func (s Summary) Sector() string { return sectorOf(s.Type) }

// OpenUntil is the instant until which people may act on the notice, or zero.
func (s Summary) OpenUntil() time.Time { return s.Status.OpenUntil(s.DeadlineAt) }

// NoticePage is one page of a list.
type NoticePage struct {
	Reading
	Items       []Summary
	Next        *Cursor // nil on the last page
	Total       int     // exact up to MaxTotal
	TotalCapped bool    // there are more than Total
	Until       time.Time
}

// Linked is another public notice this one is related to.
type Linked struct {
	Type  RelationType
	ID    string
	Code  string
	Title string
}

// NoticeDetail is a public notice in full.
type NoticeDetail struct {
	Reading
	Notice
	Links         []Linked
	Deadlines     []Deadline
	Timeliness    *Timeliness // nil when the notice does not say from when the limit ran
	Revisions     int         // public revisions
	ContentSHA256 string
}

// NoticeHead answers whether what a reader holds is still current.
type NoticeHead struct {
	Rev          int
	Status       Status
	SupersededBy string // code of the newest correction or termination, or ""
}

// Revision is one public revision of a notice.
type Revision struct {
	Rev           int
	Status        Status // of the notice when this revision was current
	At            time.Time
	Cause         Action // publish, correct or terminate
	CauseCode     string // code of the correction or termination, or ""
	ContentSHA256 string
	Content       Content // empty in a list
}

// RevisionPage lists the public revisions of a notice, newest first.
type RevisionPage struct {
	Reading
	Notice    Summary
	Revisions []Revision
}

// NoticeDeadline is a time limit of a public notice in a list.
type NoticeDeadline struct {
	Deadline
	Notice Summary
}

// DeadlineQuery asks for a list of deadlines, the earliest first. Empty members
// do not filter.
type DeadlineQuery struct {
	Sector string
	From   workday.Date // due on this day or later
	To     workday.Date // due on this day or earlier
	Limit  int
	After  *Cursor // A: position of the notice and of its deadline, B: due, Unix milliseconds
}

// Canonical writes the query without its page, as NoticeQuery.Canonical does.
func (q DeadlineQuery) Canonical() string {
	return "sector=" + q.Sector + "&from=" + q.From.String() + "&to=" + q.To.String()
}

// DeadlinePage is one page of such a list.
type DeadlinePage struct {
	Reading
	Items       []NoticeDeadline
	Next        *Cursor
	Total       int
	TotalCapped bool
}

// CoverageRow says what was published of a catalogue item by one body in
// notices of one type in one year.
type CoverageRow struct {
	Item, Body, Type string
	Year             int
	Published        int
	Timed            int // of these, with a known time limit
	Late             int // of the timed, after the limit
	FirstAt, LastAt  time.Time
}

// Coverage is what was published of every catalogue item, by item, body, type
// and year.
type Coverage struct {
	Overview
	Rows []CoverageRow
}

// ProjectTimeline is a project with its public notices (全流程), oldest first.
type ProjectTimeline struct {
	Reading
	Project
	Notices   []Summary
	Deadlines []NoticeDeadline // of all its notices, the earliest first
	Codes     []string         // other official codes among its notices, folded
}

// ProjectCandidate is one project that an inquiry may mean.
type ProjectCandidate struct {
	Project
	Sector  string
	Newest  Summary // its newest notice
	Notices int
}

// ProjectPage answers an inquiry after projects (进度查询): those whose code is
// asked for, or else whose name holds the words, the most recent first.
type ProjectPage struct {
	Reading
	Items  []ProjectCandidate
	ByCode bool // found by a code, not by words
	More   bool // there are more than Items
}

// SectorCount says how much of a sector is public.
type SectorCount struct {
	Published  int
	Last30Days int // published in the last 30 civil days, today included
	LastAt     time.Time
	Newest     *Summary
}

// ItemCount says how much fulfils a catalogue item.
type ItemCount struct {
	Published int
	LastAt    time.Time
}

// Overview counts the public notices.
type Overview struct {
	Reading
	Sectors map[string]SectorCount
	Items   map[string]ItemCount
}

// Change is one row of the change feed.
type Change struct {
	Seq      int64
	Kind     FeedKind
	NoticeID string // "" for FeedCatalog
	Rev      int
	At       time.Time
}

// ChangePage is a gap-free piece of the change feed, in commit order.
type ChangePage struct {
	Items   []Change
	LastSeq int64 // newest position of the whole feed
}

// AttachmentState says whether a file may be handed out.
type AttachmentState struct {
	Attachment
	Personal bool // a notice of class P carries it
}

// StaffNotice is a notice in any status, for the people who work on it.
type StaffNotice struct {
	Reading
	Notice
	ContentSHA256 string
	Purged        []PurgedPlace // the receipt of its erasure
}

// StaffQuery asks for a list of notices in any status.
type StaffQuery struct {
	Status Status // "" for all
	Mine   string // name of a contributor, "" for all
	Bodies []string
	Limit  int
	After  *Cursor // A: Unix milliseconds of the last change, B: the code as a number
}

// StaffPage is one page of such a list, last changed first.
type StaffPage struct {
	Reading
	Items       []Notice
	Total       int
	TotalCapped bool
	More        bool
}

// AuditPage is a piece of the audit trail, newest first.
type AuditPage struct {
	Items       []AuditRow
	Total       int
	TotalCapped bool
}

// AuditRow is one line of the audit trail (审计日志). It holds hashes, never
// content; see AuditHash for the chain.
type AuditRow struct {
	Seq     int64
	At      time.Time
	Actor   string
	Role    Role
	Token   string // id of the token, "" for the system
	Action  string
	Subject string // "notice", "attachment", "token", "sectors", …
	ID      string // of the subject
	Rev     int
	Digest  string // hash of the content or comment concerned, or ""
	Detail  string // words of ours: statuses, versions; never what a person wrote
	Prev    string // hash of the row before
	Hash    string
}
