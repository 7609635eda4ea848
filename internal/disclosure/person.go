package disclosure

import (
	"crypto/sha256"
	"strings"
	"time"
)

// AppKind tells the two kinds of WeChat account apart: their openids differ.
type AppKind string

// The kinds.
const (
	AppOfficial AppKind = "official" // 服务号
	AppMini     AppKind = "mini"     // 小程序
)

// Identity is a person as one WeChat account sees them. An openid means nothing
// without its app.
type Identity struct {
	App     string // appid
	Kind    AppKind
	OpenID  string
	UnionID string // "" when WeChat tells none
}

// Account is an identity that belongs to a person, with what WeChat told of it.
type Account struct {
	Identity
	Following   bool      // follows the official account
	Muted       bool      // wants nothing over this account until it accepts again
	Quarantined bool      // WeChat does not know the openid
	WindowUntil time.Time // customer-service messages may be sent until then
	WindowLeft  int       // and this many
	LinkedAt    time.Time
}

// Person (订阅人) is one human with their accounts. Nothing else is known of them.
type Person struct {
	ID          string // UUID
	N           int64  // the store's own key
	Paused      bool   // no cards at all; the inbox fills on
	UrgentQuiet bool   // urgent ones may come in quiet hours
	CreatedAt   time.Time
	Accounts    []Account
}

// PersonToken hashes the secret of a person's session, apart from staff tokens.
func PersonToken(secret string) []byte {
	sum := sha256.Sum256([]byte("gongkai person " + secret))
	return sum[:]
}

// SessionLife is how long a person's token is good for.
const SessionLife = 30 * 24 * time.Hour

// LinkLife is how long a one-time code joins two accounts.
const LinkLife = 10 * time.Minute

// ConsentKind says what happened to a consent.
type ConsentKind string

// The kinds of entries in the consent ledger (授权台账).
const (
	ConsentAccept  ConsentKind = "accept"  // WeChat's callback: accepted
	ConsentReject  ConsentKind = "reject"  // WeChat's callback: rejected in a popup
	ConsentRevoke  ConsentKind = "revoke"  // withdrawn in WeChat's settings, or WeChat says there is none left
	ConsentSpend   ConsentKind = "spend"   // one message took one
	ConsentRefund  ConsentKind = "refund"  // the message was not sent after all
	ConsentHint    ConsentKind = "hint"    // a client's report; it counts for nothing
	ConsentFollow  ConsentKind = "follow"  // followed the account
	ConsentBlocked ConsentKind = "blocked" // unfollowed or blocked it
)

// Consent is one entry of the ledger: what is left is the sum of the deltas.
type Consent struct {
	At       time.Time
	Identity Identity
	Template string // "" when it is about the account
	Kind     ConsentKind
	Delta    int
	LongTerm bool   // the template's consent is not used up
	Scene    string // where: a popup's scene, a QR code's
	Evidence string // key of the callback, for audits
}

// ConsentBalance is what is left of one template's consents.
type ConsentBalance struct {
	App      string
	Template string
	LongTerm bool
	Left     int // of a long-term template 1 or 0
	LastAt   time.Time
}

// WeChatCallback (微信回调) is one request of WeChat to our URL, as it came.
type WeChatCallback struct {
	App   string            // name or appid, from the path
	Query map[string]string // the parameters we know
	Body  []byte
}

// WeChatCallbackReply is what WeChat is answered.
type WeChatCallbackReply struct {
	Type string // media type
	Body []byte
}

// CallbackTime is how long a callback may be handled: WeChat waits five seconds for
// an answer, and comes again.
const CallbackTime = 3 * time.Second

// CallbackPending is kept as the answer of a callback while it is handled.
const CallbackPending = "正在处理，请稍候。"

// LinkHash is how a one-time code is kept; blanks and case do not matter.
func LinkHash(code string) []byte {
	sum := sha256.Sum256([]byte("gongkai link " + strings.ToUpper(strings.ReplaceAll(strings.TrimSpace(code), " ", ""))))
	return sum[:]
}

// SignedIn is a new session: the secret is shown this once.
type SignedIn struct {
	Person
	Secret  string
	Expires time.Time
}
