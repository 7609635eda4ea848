package disclosure

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// Sort is the order of a list of notices.
type Sort string

// The orders.
const (
	SortPublished Sort = "published" // newest first
	SortDeadline  Sort = "deadline"  // those with a deadline, the earliest first
	SortRelevance Sort = "relevance" // the newest 200 hits, words in the title first
)

// The limits of a list.
const (
	DefaultLimit   = 20
	MaxLimit       = 100
	MaxTotal       = 1_000 // totals are exact up to here
	RelevanceDepth = 200   // hits that SortRelevance ranks
)

// NoticeQuery asks for a list of public notices. Empty members do not filter.
type NoticeQuery struct {
	Sectors   []string
	Types     []string
	Stage     Stage
	Item      string
	Body      string
	Project   string
	Region    string
	Q         string       // what a person typed
	Since     workday.Date // published on this day or later
	Until     workday.Date // published on this day or earlier
	AmountMin *Money
	AmountMax *Money
	Open      bool // its deadline is not over at the instant of the query
	Sort      Sort
	Limit     int
	After     *Cursor
}

// Canonical writes the query in one form for one meaning, without its page
// (Limit and After): what a cursor is bound to and, with the page, the cache's
// key.
func (q NoticeQuery) Canonical() string {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	v["sector"] = sortedSet(q.Sectors)
	v["type"] = sortedSet(q.Types)
	set("stage", string(q.Stage))
	set("item", q.Item)
	set("body", q.Body)
	set("project", q.Project)
	set("region", q.Region)
	set("q", Normalize(q.Q))
	set("since", q.Since.String())
	set("until", q.Until.String())
	if q.AmountMin != nil {
		set("amount_min", FormatMoney(*q.AmountMin))
	}
	if q.AmountMax != nil {
		set("amount_max", FormatMoney(*q.AmountMax))
	}
	if q.Open {
		set("open", "true")
	}
	if q.Sort != SortPublished {
		set("sort", string(q.Sort))
	}
	return v.Encode()
}

func sortedSet(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}

// Terms returns the query's words and filters as tokens of the index. Several
// sectors or types are alternatives and come as groups.
func (q NoticeQuery) Terms() (t Terms, anyOf [][]string) {
	t = ParseTerms(q.Q)
	for _, f := range []struct{ property, value string }{
		{"stage", string(q.Stage)}, {"item", q.Item}, {"body", q.Body}, {"region", q.Region},
	} {
		if f.value != "" {
			t.Tokens = append(t.Tokens, filterToken(f.property, f.value))
		}
	}
	for property, values := range map[string][]string{"sector": sortedSet(q.Sectors), "type": sortedSet(q.Types)} {
		group := make([]string, len(values))
		for i, v := range values {
			group[i] = filterToken(property, v)
		}
		switch len(group) {
		case 0:
		case 1:
			t.Tokens = append(t.Tokens, group[0])
		default:
			anyOf = append(anyOf, group)
		}
	}
	slices.SortFunc(anyOf, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	slices.Sort(t.Tokens)
	return t, anyOf
}

// Cursor is the key of the last row of a page: where the next one begins.
// A is the position in publishing order, or the rank under SortRelevance; B is
// the deadline in Unix milliseconds under SortDeadline, the newest position of
// the ranked set under SortRelevance, else 0.
type Cursor struct{ A, B int64 }

// Encode writes the cursor for the list it belongs to, named by its canonical
// query. It is not secret; a checksum ties it to the list and shows tampering.
func (c Cursor) Encode(list string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(c.A))
	binary.BigEndian.PutUint64(b[8:], uint64(c.B))
	return base64.RawURLEncoding.EncodeToString(append(cursorSum(b[:], list), b[:]...))
}

func cursorSum(payload []byte, list string) []byte {
	sum := sha256.Sum256([]byte("gongkai cursor\x00" + list + "\x00" + string(payload)))
	return sum[:8]
}

// ParseCursor reads what Encode wrote for the same list. Anything else is
// CodeCursor, a place before the first row too: no list gives that out.
func ParseCursor(s, list string) (*Cursor, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	// The decoder skips line breaks, hence both lengths.
	if err == nil && len(s) == 32 && len(b) == 24 && string(cursorSum(b[8:], list)) == string(b[:8]) {
		c := &Cursor{A: int64(binary.BigEndian.Uint64(b[8:16])), B: int64(binary.BigEndian.Uint64(b[16:]))}
		if c.A >= 0 {
			return c, nil
		}
	}
	return nil, Errorf(CodeCursor, "翻页标记无效，或不属于这次查询").On("cursor")
}

// NoticeRef names a notice by its id or its code; exactly one is set.
type NoticeRef struct{ ID, Code string }

// ParseNoticeRef reads a UUID or an eight-digit code. A code whose check digit
// is wrong, and anything else, is CodeNotFound with advice: that is what a
// mistyped number deserves.
func ParseNoticeRef(s string) (NoticeRef, error) {
	switch {
	case ValidCode(s):
		return NoticeRef{Code: strings.Clone(s)}, nil
	case len(s) == 8 && strings.Trim(s, "0123456789") == "":
		return NoticeRef{}, Errorf(CodeNotFound, "公告编号 %s 的校验位不对，请核对是否输错了数字", s)
	case validUUID(s):
		return NoticeRef{ID: strings.ToLower(s)}, nil
	}
	return NoticeRef{}, Errorf(CodeNotFound, "没有找到这条公告：编号应为 8 位数字")
}

// String returns the id or the code.
func (r NoticeRef) String() string { return r.ID + r.Code }

func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (s[i] == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(s[i])) {
			return false
		}
	}
	return true
}

// ProjectKey folds a project code for lookup: width, case and blanks do not
// matter.
func ProjectKey(code string) string {
	return strings.ReplaceAll(strings.ToUpper(Normalize(code)), " ", "")
}

// Milliseconds returns t as the store keeps instants: Unix milliseconds, 0 for
// the zero time.
func Milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMilliseconds is the inverse of Milliseconds.
func FromMilliseconds(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).In(workday.Shanghai)
}

// ParseRev reads a revision number, 1 or more, without sign or leading zeros.
func ParseRev(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1_000_000 || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("disclosure: %q is not a revision", s)
	}
	return n, nil
}
