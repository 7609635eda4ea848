package disclosure

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Priority of an event: the lower, the sooner.
type Priority int

// The priorities.
const (
	PriorityUrgent   Priority = 0 // a deadline moved, or the notice was terminated
	PriorityAmended  Priority = 1 // another correction
	PriorityOrdinary Priority = 2
)

// EventKind says what subscribers are told.
type EventKind string

// The kinds of events.
const (
	EventPublished  EventKind = "published"
	EventCorrected  EventKind = "corrected"
	EventTerminated EventKind = "terminated"
	EventDigest     EventKind = "digest" // many notices in one card
)

// EventState is how far an event has come.
type EventState string

// The states of an event. Pending waits for the recall window, matching is
// being expanded, matched has a delivery for everybody it concerns.
const (
	EventPending    EventState = "pending"
	EventMatching   EventState = "matching"
	EventMatched    EventState = "matched"
	EventCancelled  EventState = "cancelled"  // the notice was withdrawn
	EventSuperseded EventState = "superseded" // a newer revision came first
	EventExpired    EventState = "expired"    // too old to be news
)

// PushEvent is one thing to tell subscribers. It is written in the transaction
// that publishes, so people hear of exactly what is public.
type PushEvent struct {
	N        int64 // the event's number
	Key      string
	NoticeID string // "" for a digest
	Rev      int
	Kind     EventKind
	Priority Priority
	Sector   string
	State    EventState
	Paused   bool
	Why      string // of the pause, in Chinese
	Canary   bool   // the first cards are still on trial
	Released bool   // does not wait for the recall window
	At       time.Time
	Expires  time.Time
}

// FanOut is an event that is being expanded, and how far it is: first the
// subscriptions that match, then those who were told of an older revision, both
// in the order of people.
type FanOut struct {
	PushEvent
	Phase  int
	From   int64 // N of the last person done before this chunk
	To     int64 // N of the last person done with it
	Cursor int64 // where the next chunk begins, in its phase
}

// eventLife is how long an event is worth a card.
const eventLife = 72 * time.Hour

// NewPushEvent decides what subscribers hear of a transition. was is the public
// content that a correction replaces, t the type that the new one is written by.
// ok is false for what is no news: a correction's own publication is told as the
// original's new revision.
func NewPushEvent(tr Transition, was Content, t *NoticeType) (e PushEvent, ok bool) {
	e = PushEvent{NoticeID: tr.Notice.ID, Rev: tr.Notice.Rev, Sector: tr.Notice.SectorCode(), State: EventPending, Canary: true,
		Kind: EventPublished, Priority: PriorityOrdinary, At: tr.At, Expires: tr.At.Add(eventLife)}
	switch tr.Action {
	case ActionPublish:
		if original, _ := tr.Notice.Amends(); original != "" {
			return PushEvent{}, false
		}
	case ActionCorrect:
		e.Kind, e.Priority = EventCorrected, PriorityAmended
		if tr.Notice.movesDeadline(was, t, tr.At) {
			e.Priority = PriorityUrgent
		}
	case ActionTerminate:
		e.Kind, e.Priority = EventTerminated, PriorityUrgent
	default:
		return PushEvent{}, false
	}
	return e, true
}

// Channel is a way to a person.
type Channel string

// The channels.
const (
	ChannelMini     Channel = "mini_subscribe"     // 小程序订阅消息
	ChannelOfficial Channel = "official_subscribe" // 服务号订阅通知
	ChannelTemplate Channel = "template"           // 类目模板消息
	ChannelService  Channel = "customer_service"   // 客服消息, while its window is open
)

// Channels lists every channel with its Chinese name.
var Channels = []struct {
	Channel Channel
	Name    string
}{
	{ChannelMini, "小程序订阅消息"}, {ChannelOfficial, "服务号订阅通知"}, {ChannelTemplate, "模板消息"}, {ChannelService, "客服消息"},
}

// Keyed reports whether WeChat itself refuses to deliver one key twice.
func (c Channel) Keyed() bool { return c == ChannelTemplate }

// DeliveryState is where one card for one person stands.
type DeliveryState string

// The states of a delivery. Leased is taken and not yet called; sending has
// been called or is about to be, as the database knows before the call.
const (
	DeliveryQueued     DeliveryState = "queued"
	DeliveryLeased     DeliveryState = "leased"
	DeliverySending    DeliveryState = "sending"
	DeliveryDigest     DeliveryState = "digest"     // waits for the daily digest
	DeliveryAccepted   DeliveryState = "accepted"   // WeChat took it
	DeliveryDelivered  DeliveryState = "delivered"  // WeChat says the person has it
	DeliveryFailed     DeliveryState = "failed"     // for a reason that will not pass
	DeliveryUnknown    DeliveryState = "unknown"    // nobody knows whether the person has it
	DeliveryDead       DeliveryState = "dead"       // tried too often, or too late
	DeliveryCancelled  DeliveryState = "cancelled"  // the notice was withdrawn
	DeliverySuperseded DeliveryState = "superseded" // a newer revision is told instead
	DeliverySuppressed DeliveryState = "suppressed" // no channel the person agreed to: inbox only
	DeliveryDigested   DeliveryState = "digested"   // told by a digest
)

// DeliveryStates lists all of them in the order of a funnel.
var DeliveryStates = []DeliveryState{DeliveryQueued, DeliveryLeased, DeliverySending, DeliveryDigest, DeliveryAccepted, DeliveryDelivered,
	DeliveryFailed, DeliveryUnknown, DeliveryDead, DeliveryCancelled, DeliverySuperseded, DeliverySuppressed, DeliveryDigested}

// StateNames tells each state to operators.
var StateNames = map[DeliveryState]string{
	DeliveryQueued: "排队", DeliveryLeased: "准备发送", DeliverySending: "发送中", DeliveryDigest: "等每日汇总", DeliveryAccepted: "微信已收下",
	DeliveryDelivered: "已送达", DeliveryFailed: "失败", DeliveryUnknown: "结果不明", DeliveryDead: "已放弃", DeliveryCancelled: "随撤回取消",
	DeliverySuperseded: "由新版代替", DeliverySuppressed: "只进收件箱", DeliveryDigested: "已汇总",
}

// EventStateNames tells each state of an event to operators.
var EventStateNames = map[EventState]string{
	EventPending: "等待", EventMatching: "匹配中", EventMatched: "已匹配", EventCancelled: "已撤回", EventSuperseded: "由新版代替", EventExpired: "已过时效",
}

// Terminal reports whether nothing more happens by itself.
func (s DeliveryState) Terminal() bool {
	return !slices.Contains([]DeliveryState{DeliveryQueued, DeliveryLeased, DeliverySending, DeliveryDigest}, s)
}

// Class is a kind of failure, with one reaction each.
type Class string

// The classes of failures (reference: the error table of the WeChat adapter).
const (
	ClassToken      Class = "token"      // the access token was taken away twice
	ClassConfig     Class = "config"     // secret, appid or IP whitelist: nothing can be sent
	ClassRetry      Class = "retry"      // a passing fault
	ClassAmbiguous  Class = "ambiguous"  // the call may have been carried out
	ClassPace       Class = "pace"       // this minute's share is used up
	ClassPacePerson Class = "pace_user"  // too much for this person
	ClassSerialise  Class = "serialise"  // another message to the person is under way
	ClassDuplicate  Class = "duplicate"  // WeChat has it already
	ClassQuota      Class = "quota"      // today's share is used up
	ClassConsent    Class = "consent"    // no consent, or none left
	ClassUnfollowed Class = "unfollowed" // does not follow the account
	ClassMuted      Class = "muted"      // the person blocks the account
	ClassIdentity   Class = "identity"   // unknown openid
	ClassTemplate   Class = "template"   // template, field or page is wrong
	ClassContent    Class = "content"    // a sensitive word
	ClassBanned     Class = "banned"     // WeChat has taken the capability away
	ClassWindow     Class = "window"     // the customer-service window is closed
	ClassNoChannel  Class = "no_channel" // there is no way to the person
	ClassPaused     Class = "paused"     // the person paused everything
	ClassUnwanted   Class = "unwanted"   // the subscription is gone or paused
	ClassExpired    Class = "expired"    // no news any more
)

// ClassNames tells each class to a person.
var ClassNames = map[Class]string{
	ClassToken: "访问令牌被其他程序换掉", ClassConfig: "公众号配置有误", ClassRetry: "微信系统繁忙", ClassAmbiguous: "结果不明",
	ClassPace: "超过每分钟限额", ClassPacePerson: "对该用户发送过于频繁", ClassSerialise: "对该用户同时发送", ClassDuplicate: "重复消息",
	ClassQuota: "当日限额用完", ClassConsent: "用户没有授权", ClassUnfollowed: "用户没有关注", ClassMuted: "用户拒收", ClassIdentity: "用户标识无效",
	ClassTemplate: "模板或字段有误", ClassContent: "内容被拦截", ClassBanned: "接口能力被封禁", ClassWindow: "客服窗口已关闭",
	ClassNoChannel: "没有可用的推送渠道，只进收件箱", ClassPaused: "用户已暂停推送", ClassUnwanted: "用户已退订或暂停这个订阅", ClassExpired: "已过时效",
}

// Delivery is one event for one person: the card that is sent and the row of
// their inbox.
type Delivery struct {
	N         int64
	Event     int64
	Kind      EventKind
	NoticeID  string
	Rev       int
	Person    int64 // N of the person
	Sub       int64 // N of the subscription, 0 for none
	Priority  Priority
	State     DeliveryState
	Attempt   int
	Channel   Channel
	App       string
	Template  string
	Owner     string
	LeaseEnd  time.Time
	FirstCall time.Time // of which a card may be there already; zero for none, as before it was taken
	NotBefore time.Time
	Expires   time.Time
	Canary    bool
	Quiet     *Quiet // of the subscription
	Unwanted  bool   // the subscription is gone or paused
	MaybeDup  bool   // sent again although it may have arrived
	Neutral   bool   // the event's own words were refused
}

// ContentRefused is why an event is paused whose words WeChat refuses. It stays
// when the event is resumed: its cards then carry NeutralTitle.
const ContentRefused = "微信拦截了卡片中的词；恢复后改用中性标题"

// Recipient is a person as the planner of deliveries sees them.
type Recipient struct {
	Person
	Consents []ConsentBalance
	SentDay  int // cards accepted since midnight
}

// Due is one look at the queue: what may be sent now, and to whom.
type Due struct {
	Deliveries []Delivery // one a person at most
	People     map[int64]Recipient
	Tried      []int64 // events whose trial is over
}

// Planned is what the planner decided for a delivery that is due.
type Planned struct {
	Delivery         // with Channel, App and Template when it is to be sent
	Path      string // of the API, for its quota; "" when nothing is sent
	Class     Class  // why it is not sent
	NotBefore time.Time
}

// Settled is how a call for a delivery ended.
type Settled struct {
	Delivery
	State     DeliveryState
	Class     Class
	Code      int    // WeChat's errcode, 0 for none
	Detail    string // for operators; never an openid or a token
	MsgID     string
	NotBefore time.Time
	At        time.Time
	Called    bool   // a call was made
	Refund    bool   // the consent that was taken is given back
	Path      string // of the API whose share of the day was taken for no call; "" for none
	Account   AccountChange
	OpenID    string // whose account changes
}

// AccountChange is what a failure says about an account.
type AccountChange string

// The changes.
const (
	AccountSame       AccountChange = ""
	AccountUnfollowed AccountChange = "unfollowed"
	AccountMuted      AccountChange = "muted"
	AccountUnknown    AccountChange = "unknown"   // WeChat does not know the openid
	AccountNoConsent  AccountChange = "consent"   // what consents we counted are gone
	AccountNoWindow   AccountChange = "no_window" // the customer-service window is closed
)

// Recovery counts what became of deliveries whose worker went away.
type Recovery struct {
	Requeued int64 // never called, or WeChat refuses the repetition itself
	Again    int64 // sent again once, perhaps for the second time
	Unknown  int64 // nobody knows
}

// How long WeChat surely refuses a key it has seen, and how long its own report
// of a keyless card is waited for.
const (
	KeyedLife   = 9 * time.Minute
	KeylessWait = 2 * time.Minute
)

// MaxAttempts is how often a card is tried, and PersonPatience how long one waits of
// which WeChat says that its person has had too many, where the next digest would be
// too late. It is longer than WeChat remembers a key.
const (
	MaxAttempts    = 8
	PersonPatience = 11 * time.Minute
)

// Gate is what was forbidden when it was read.
type Gate struct {
	Generation int64
	Events     map[int64]bool // stopped, paused or withdrawn
	Scopes     map[string]bool
}

// The scopes of kill switches.
const (
	ScopeGlobal   = "global"
	ScopeApp      = "app:"
	ScopeChannel  = "channel:"
	ScopeTemplate = "template:"
)

// Allows reports whether a delivery may be sent as far as the gate knows.
func (g *Gate) Allows(d Delivery) bool {
	return !g.Events[d.Event] && !g.Scopes[ScopeGlobal] && !g.Scopes[ScopeApp+d.App] &&
		!g.Scopes[ScopeChannel+string(d.Channel)] && !g.Scopes[ScopeTemplate+d.Template]
}

// InboxItem is one row of a person's inbox (收件箱).
type InboxItem struct {
	ID           string
	Kind         EventKind
	State        DeliveryState
	At           time.Time
	ReadAt       time.Time
	Notice       *Summary // nil when withdrawn, or for a digest
	Withdrawn    bool
	Subscription string // id, "" when gone
	Count        int    // of a digest
	// Bundle is what a digest is about and is still public, newest first. It is
	// read only with one item by itself.
	Bundle []Summary
}

// InboxPage is one page of an inbox, newest first.
type InboxPage struct {
	Reading
	Items  []InboxItem
	More   bool
	Total  int
	Capped bool
	Unread int
}

// StateCount is how many deliveries of an event stand there.
type StateCount struct {
	State   DeliveryState
	Class   Class // "" where none
	Channel Channel
	Count   int
}

// PushFunnel is an event with where its deliveries stand (漏斗).
type PushFunnel struct {
	PushEvent
	NoticeCode string
	Title      string
	Counts     []StateCount
}

// PushPage is one page of events, newest first.
type PushPage struct {
	Items  []PushFunnel
	More   bool
	Total  int
	Capped bool
}

// Quota is one API's share of a day.
type Quota struct {
	App         string
	Path        string
	Day         string
	Used        int
	Limit       int
	ParkedUntil time.Time // WeChat said there is no more
}

// Switch is a kill switch (停发开关) that is on.
type Switch struct {
	Scope  string // "global", "app:<appid>", "channel:<channel>", "template:<id>"
	Why    string
	By     string
	At     time.Time
	Seeded bool // by the program itself
}

// PushStatus is how the push stands as a whole.
type PushStatus struct {
	Queue    map[DeliveryState]int
	Pending  int // events that wait or are being matched
	Switches []Switch
	OldestAt time.Time // of what is queued and due
}

// Backlog is what the push has not come to yet; an instant is zero where nothing
// waits.
type Backlog struct {
	Event    time.Time // since when the oldest event (推送) waits to be matched; its recall window counts
	Card     time.Time // since when the oldest card that is due waits to be sent
	Switches int       // kill switches that are on
}

// Resend says what is to be sent again (补发).
type Resend struct {
	Event  int64 // 0: every event that is still news
	States []DeliveryState
	Force  bool // with a new key: WeChat will deliver it again to those who have it
	Dry    bool // only count
}

// ResendStates are what a resend takes unless it says otherwise.
var ResendStates = []DeliveryState{DeliveryFailed, DeliveryDead, DeliveryUnknown}

// ParseResendStates reads the states of a resend; none means ResendStates.
// Errors: CodeParam.
func ParseResendStates(words []string) ([]DeliveryState, error) {
	if len(words) == 0 {
		return ResendStates, nil
	}
	var out []DeliveryState
	for _, w := range words {
		state := DeliveryState(w)
		if !slices.Contains([]DeliveryState{DeliveryFailed, DeliveryDead, DeliveryUnknown, DeliverySuppressed}, state) {
			return nil, Errorf(CodeParam, "states 可以是 failed、dead、unknown 或 suppressed").On("states")
		}
		out = append(out, state)
	}
	return out, nil
}

// StopReason reads why something is stopped, which may be empty. Errors: CodeParam.
func StopReason(text string) (string, error) {
	text = oneLine(text)
	if utf8.RuneCountInString(text) > 200 {
		return "", Errorf(CodeParam, "原因最多 200 个字").On("reason")
	}
	return text, nil
}

// CheckScope returns CodeParam unless the scope has the form of one of a kill
// switch.
func CheckScope(scope string) error {
	if scope == ScopeGlobal {
		return nil
	}
	for _, prefix := range []string{ScopeApp, ScopeTemplate} {
		if rest, ok := strings.CutPrefix(scope, prefix); ok && rest != "" && len(rest) <= 64 {
			return nil
		}
	}
	for _, c := range Channels {
		if scope == ScopeChannel+string(c.Channel) {
			return nil
		}
	}
	return Errorf(CodeParam, "范围应为 global、app:appid、template:模板 id，或 channel: 加 mini_subscribe、official_subscribe、template、customer_service").On("scope")
}
