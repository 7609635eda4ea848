package disclosure

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gongkai/internal/workday"
)

// ImportState says where an import (批量导入) stands.
type ImportState string

// The states. Only a checked import can be committed, only a committed one
// undone; what was neither committed nor corrected within a day expires.
const (
	ImportFaulty    ImportState = "faulty"    // 有错误，一条也不写
	ImportChecked   ImportState = "checked"   // 检查通过，待提交
	ImportCommitted ImportState = "committed" // 已提交核验
	ImportUndone    ImportState = "undone"    // 已撤销
	ImportExpired   ImportState = "expired"   // 过期，内容已清除
)

// Name returns the Chinese name of the state.
func (s ImportState) Name() string {
	switch s {
	case ImportFaulty:
		return "有错误"
	case ImportChecked:
		return "检查通过"
	case ImportCommitted:
		return "已提交"
	case ImportUndone:
		return "已撤销"
	case ImportExpired:
		return "已过期"
	}
	return string(s)
}

// Severity says what an issue of an import asks for.
type Severity string

// The severities: an error blocks the whole file, a warning must be acknowledged
// with a reason when the import is committed, a note only tells what was made of
// a cell.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// ImportIssue is one thing wrong with one cell or row of a file. Value is what
// stands there, cut short and with ID and telephone numbers masked.
type ImportIssue struct {
	Severity Severity `json:"severity"`
	Sheet    string   `json:"sheet"` // "" in CSV and JSON Lines
	Row      int      `json:"row"`   // as the spreadsheet counts, from 1; 0 for the whole file
	Col      string   `json:"col"`   // "D"; "" for the whole row
	Field    string   `json:"field"` // path as in a draft; "" for the whole row
	Code     string   `json:"code"`
	Value    string   `json:"value"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint"` // what to do; may be ""
	Rule     string   `json:"rule,omitempty"`
}

// Cell names the place for people: "填报!D12", "D12", "第 12 行" or "文件".
func (i ImportIssue) Cell() string {
	at := i.Col + strconv.Itoa(i.Row)
	switch {
	case i.Row == 0:
		at = "文件"
	case i.Col == "":
		at = "第 " + strconv.Itoa(i.Row) + " 行"
	}
	if i.Sheet != "" {
		return i.Sheet + "!" + at
	}
	return at
}

// Settle returns CodeWarnings unless the warnings among the findings are
// acknowledged with a reason, CodeInvalid when there are errors among them.
func (k Acknowledgement) Settle(findings []Finding) error { return k.settle(findings) }

// ImportRows counts the notices of a file.
type ImportRows struct {
	Total    int `json:"total"`
	New      int `json:"new"`
	Changed  int `json:"changed"` // known by source and number, with another content: the draft is replaced
	Same     int `json:"same"`    // imported before, nothing to do
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

// MaxImportIssues bounds the issues that are listed; all are counted.
const MaxImportIssues = 10_000

// Import is one file on its way to submitted drafts. The file and the issues,
// which quote it, are kept until the import is committed, or for a day; after
// that the record holds counts and hashes only.
type Import struct {
	ID          string // UUIDv7
	State       ImportState
	Format      string // "xlsx", "csv" or "jsonl"
	Name        string // of the file; "" once purged
	Type        string // code of the notice type; "" in JSON Lines
	SHA256      string // of the file
	Size        int64  // bytes
	By          Actor  // who sent it; only Name, Role and Token are kept
	At          time.Time
	ClosedAt    time.Time // committed, undone or expired
	Rows        ImportRows
	IssueCounts map[Severity]int // all that were found
	Issues      []ImportIssue    // the first MaxImportIssues, by sheet and row
	Notices     []string         // codes of what was committed, in the file's order
	Purged      bool             // file and issues are gone
}

// ImportEntry is one notice of an import with the hashes that tell whether it
// was imported before.
type ImportEntry struct {
	Key    string // of source, number in the source, and type
	Digest string // of the content
	Draft  Draft
}

// ImportedNotice is what an earlier import made of a key.
type ImportedNotice struct {
	Digest   string
	NoticeID string
	Code     string
	Status   Status
}

// ImportTTL is how long the content of an import is kept that nobody commits.
const ImportTTL = 24 * time.Hour

// MaxImportNotices bounds what one import commits: it is one transaction, and
// nothing else can be published while it runs.
const MaxImportNotices = 2_000

// MaxTableRows bounds the rows of one table of one notice.
const MaxTableRows = maxTableRows

// Undo decides on taking back a notice that an import made: it is removed while
// nobody has worked on it since. made is the revision the import wrote. Errors:
// CodeRole, CodeScope, CodeState, CodeStale.
func (n Notice) Undo(made int, a Actor, now time.Time) (Transition, error) {
	if err := n.undoable(made, a); err != nil {
		return Transition{}, err
	}
	return n.step(ActionDelete, a, now, ""), nil
}

// Retract decides on taking back the submission of a draft that an import
// replaced: its content stays, as a draft. Errors as of Undo.
func (n Notice) Retract(made int, a Actor, now time.Time) (Transition, error) {
	if err := n.undoable(made, a); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionReject, a, now, "撤销导入")
	t.Notice.Status = StatusDraft
	return t, nil
}

func (n Notice) undoable(made int, a Actor) error {
	if err := a.requireFor(n.Body, authors...); err != nil {
		return err
	}
	if err := n.requireStatus("撤销导入", StatusDraft, StatusSubmitted); err != nil {
		return err
	}
	if n.Rev != made {
		return Errorf(CodeStale, "公告 %s 导入后又被修改过，不能随导入撤销", n.Code)
	}
	return nil
}

var (
	// secretForm finds runs that may be an ID number (15 or 18 characters), a
	// bank card or a mobile number, however they are spaced or how wide.
	secretForm = regexp.MustCompile(`[0-9０-９](?:[ \x{00a0}\x{3000}\-－—]?[0-9０-９]){9,24}[xXｘＸ]?`)
	dateForm   = regexp.MustCompile(`^(18|19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$`)
	shortForm  = regexp.MustCompile(`^\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$`)
)

// MaskNumbers keeps the ends of what looks like an ID number, a mobile or a bank
// card number, mistyped and however it is spaced, in text that quotes what a
// person sent: a report of its faults does not spread them, and still shows which
// one is meant. It errs on hiding; StrikeLeaks shows nothing of what it finds.
func MaskNumbers(s string) string {
	return secretForm.ReplaceAllStringFunc(s, func(run string) string {
		digits := strings.Map(func(r rune) rune {
			switch {
			case r >= '0' && r <= '9':
				return r
			case r >= '０' && r <= '９':
				return '0' + r - '０'
			case strings.ContainsRune("xXｘＸ", r):
				return 'X'
			}
			return -1
		}, run)
		switch {
		case hasIDNumber(digits):
			return keepEnds(digits, 4, 2)
		case len(digits) == 11 && digits[0] == '1' && digits[1] >= '3':
			return digits[:3] + "****" + digits[7:]
		case len(digits) >= 16 && len(digits) <= 19:
			return keepEnds(digits, 0, 4)
		}
		return run
	})
}

// hasIDNumber reports whether an ID number may stand anywhere in a run of
// digits: a birth date in its place is enough, the check digit may be mistyped.
func hasIDNumber(digits string) bool {
	for i := 0; i+15 <= len(digits); i++ {
		if i+18 <= len(digits) && dateForm.MatchString(digits[i+6:i+14]) {
			return true
		}
		if len(digits) == 15 && shortForm.MatchString(digits[i+6:i+12]) {
			return true
		}
	}
	return false
}

// Quote is MaskNumbers for one line of a report, of 80 characters at most.
func Quote(s string) string {
	s = MaskNumbers(oneLine(s))
	if utf8.RuneCountInString(s) > 80 {
		s = string([]rune(s)[:79]) + "…"
	}
	return s
}

// ExamplesAt is Examples of all fields on the civil day of now.
func (t *NoticeType) ExamplesAt(now time.Time) (map[string]any, error) {
	return t.Examples(workday.DateOf(now), false)
}

// BodiesAt returns the bodies in force on the civil day of now, by id.
func (c *Catalog) BodiesAt(now time.Time) []Body {
	var out []Body
	for _, b := range c.Bodies {
		if b.On(workday.DateOf(now)) {
			out = append(out, b)
		}
	}
	return out
}

// ImportKey ties a key to the notice an import wrote under it.
type ImportKey struct {
	Key      string
	Digest   string
	NoticeID string
	Was      string // id of the notice the key stood for before, or ""
	Rev      int    // that the import wrote
	Created  bool   // the notice is new; otherwise it is a draft that was replaced
}
