package disclosure

import (
	"crypto/sha256"
	"strings"
	"time"
)

// KioskStatus is where a device stands.
type KioskStatus string

// The statuses of a device.
const (
	KioskPending  KioskStatus = "pending"  // 待批准: shows its pairing code
	KioskApproved KioskStatus = "approved" // 已启用
	KioskRevoked  KioskStatus = "revoked"  // 已停用
)

// PairingLife is how long a pairing code may be approved and claimed.
const PairingLife = 10 * time.Minute

// HeartbeatInterval is how often an approved device reports.
const HeartbeatInterval = time.Minute

// KioskLate and KioskLost are how long after its last report a device counts as
// late, and as offline: one report missed, and three.
const (
	KioskLate = 2*HeartbeatInterval + HeartbeatInterval/4
	KioskLost = 4 * HeartbeatInterval
)

// Kiosk is a lobby terminal (自助终端). Its secrets are kept as hashes only.
type Kiosk struct {
	ID          string
	PairingCode string // six digits, "" once approved
	Status      KioskStatus
	Name        string // as the approver named it
	Location    string // hall and floor
	CreatedAt   time.Time
	ExpiresAt   time.Time // of the pairing
	ApprovedAt  time.Time
	ApprovedBy  string
	RevokedAt   time.Time
	LastSeenAt  time.Time // by the server's clock; zero before the first report
	Report      KioskReport
}

// Health says in one word how the device is at now: its status unless it is
// approved, else online, late, offline, or new before its first report.
func (k Kiosk) Health(now time.Time) string {
	switch {
	case k.Status != KioskApproved:
		return string(k.Status)
	case k.LastSeenAt.IsZero():
		return "new"
	case now.Sub(k.LastSeenAt) >= KioskLost:
		return "offline"
	case now.Sub(k.LastSeenAt) >= KioskLate:
		return "late"
	}
	return "online"
}

// KioskReport is what a device says of itself. Spans are told in seconds, not
// instants, as its clock may be wrong. It never holds what people typed.
type KioskReport struct {
	Revision  string   `json:"ui_rev"`    // of the pages it runs
	Position  int64    `json:"seq"`       // of the change feed it shows
	Uptime    int64    `json:"uptime_s"`  // since the page was loaded
	Offline   int64    `json:"offline_s"` // without the server, since its last report
	Idle      int64    `json:"idle_s"`    // since somebody touched it
	Width     int      `json:"width"`     // CSS pixels
	Height    int      `json:"height"`
	Printer   string   `json:"printer"` // "ok", "out", "none", or "" when it cannot tell
	Errors    []string `json:"errors"`  // names of our own, never text from a page
	ClockSkew int64    `json:"clock_skew_s"`
}

// Check bounds a report; a fault is CodeParam.
func (r KioskReport) Check() error {
	var faults []FieldError
	fault := func(field, message string) {
		faults = append(faults, FieldError{Field: field, Code: "value.range", Message: message})
	}
	for field, n := range map[string]int64{"seq": r.Position, "uptime_s": r.Uptime, "offline_s": r.Offline, "idle_s": r.Idle,
		"width": int64(r.Width), "height": int64(r.Height)} {
		if n < 0 || n > 1<<53 {
			fault(field, "应为不小于 0 的整数")
		}
	}
	if len(r.Revision) > 40 {
		fault("ui_rev", "最多 40 个字符")
	}
	if r.Printer != "" && r.Printer != "ok" && r.Printer != "none" && r.Printer != "out" {
		fault("printer", "应为 ok、out 或 none")
	}
	if len(r.Errors) > 20 {
		fault("errors", "最多 20 项")
	}
	for _, e := range r.Errors {
		if len(e) > 60 || strings.Trim(e, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			fault("errors", "应为小写英文的错误名")
			break
		}
	}
	return invalid(CodeParam, faults)
}

// Pairing starts the life of a device.
type Pairing struct {
	Kiosk
	SecretHash []byte // of what only the device knows
}

// ValidPairingCode reports whether s has the form of a pairing code.
func ValidPairingCode(s string) bool { return len(s) == 6 && strings.Trim(s, "0123456789") == "" }

// KioskHash is how a device's claim secret and token are kept and looked up;
// both have 256 random bits.
func KioskHash(secret string) []byte {
	sum := sha256.Sum256([]byte("gongkai kiosk " + secret))
	return sum[:]
}

// PageSignature lets a page use WeChat's JS-SDK: what wx.config takes, signed
// for the page's address, and the templates of its subscribe button.
type PageSignature struct {
	AppID     string
	Timestamp int64 // Unix seconds
	Nonce     string
	Signature string
	Templates []string // ids
}

// TemplateList joins the ids with commas, as wx-open-subscribe takes them.
func (p PageSignature) TemplateList() string { return strings.Join(p.Templates, ",") }
