package handlers

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

// callState is where a call stands. It travels with the call, signed, so any
// replica answers the next key and nothing is kept.
type callState struct {
	node   string
	sector string   // code of the sector chosen, or ""
	page   int      // of a list or a notice, from 0
	ids    []string // codes of the notices just read out, at most maxPins
	chosen int      // 1-based index into ids of the notice open, 0 for none
	from   string   // the node a notice or project was opened from
	more   bool     // the list goes on
	typed  string   // of the step before: digits typed, a telephone number encrypted, or the sum of one's own row
	silent int      // silences in a row
	wrong  int      // keys in a row that made no sense
	tries  int      // failed look-ups of one's own result
	about  string   // code of the notice heard last or of the sector chosen since, or ""
	at     time.Time
}

const (
	tokenVersion  = "1"
	tokenLife     = 30 * time.Minute
	tokenRenewal  = 5 * time.Minute // older ones are dated anew as the call goes on
	tokenLimit    = 320
	maxPins       = 4
	maxTypedBytes = 20
)

// seal writes the state for the call: fields of [A-Za-z0-9_-] between points,
// the last a MAC, so that it passes through any dialplan unquoted.
func (h *hotline) seal(s callState, call string) string {
	more := "0"
	if s.more {
		more = "1"
	}
	body := strings.Join([]string{tokenVersion, keyID(h.Keys[0]), s.node, dash(s.sector), strconv.Itoa(s.page), dash(strings.Join(s.ids, "-")),
		strconv.Itoa(s.chosen), dash(s.from), more, dash(s.typed), strconv.Itoa(s.silent), strconv.Itoa(s.wrong), strconv.Itoa(s.tries),
		dash(s.about), strconv.FormatInt(s.at.Unix(), 36)}, ".")
	return body + "." + mac(h.Keys[0], body, call)
}

// unseal reads the state of the call; false for anything that seal did not write
// for this call within tokenLife.
func (h *hotline) unseal(token, call string, now time.Time) (callState, bool) {
	body, sum, ok := cutLast(token)
	f := strings.Split(body, ".")
	if !ok || len(token) > tokenLimit || len(f) != 15 || f[0] != tokenVersion {
		return callState{}, false
	}
	for _, key := range h.Keys {
		if keyID(key) != f[1] || !hmac.Equal([]byte(sum), []byte(mac(key, body, call))) {
			continue
		}
		s := callState{node: f[2], sector: undash(f[3]), page: number(f[4]), chosen: number(f[6]), from: undash(f[7]), more: f[8] == "1",
			typed: undash(f[9]), silent: number(f[10]), wrong: number(f[11]), tries: number(f[12]), about: undash(f[13])}
		if ids := undash(f[5]); ids != "" {
			s.ids = strings.Split(ids, "-")
		}
		unix, err := strconv.ParseInt(f[14], 36, 64)
		s.at = time.Unix(unix, 0)
		age := now.Sub(s.at)
		_, known := h.nodes[s.node]
		return s, err == nil && known && age > -tokenRenewal && age <= tokenLife
	}
	return callState{}, false
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// dash stands for an empty field.
func dash(s string) string { return or(s, "-") }

func undash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// number reads a field of a token whose MAC was right.
func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// keyID names a key without telling of it.
func keyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("gongkai ivr key "), key...))
	return hex.EncodeToString(sum[:3])
}

func mac(key []byte, body, call string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(body + "\x00" + call))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// hash hides a caller's number or a call's id; it is what limits count by.
func (h *hotline) hash(kind, s string) string {
	return mac(h.Keys[len(h.Keys)-1], kind, s)
}

// notice returns the reference of the notice that is open.
func (s callState) notice() (disclosure.NoticeRef, bool) {
	if s.chosen < 1 || s.chosen > len(s.ids) {
		return disclosure.NoticeRef{}, false
	}
	return disclosure.NoticeRef{Code: s.ids[s.chosen-1]}, true
}
