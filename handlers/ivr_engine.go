package handlers

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/throttled/throttled/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
)

// hotline is the telephone hotline's turn engine: a key in, a sentence out. All
// a call needs travels in its signed state; what is kept here only makes
// repeats equal and abuse slow.
type hotline struct {
	HotlineConfig
	server  *Server
	nodes   map[string]node
	log     *slog.Logger
	now     func() time.Time
	index   *projectIndex
	audio   *audioStore // nil without a voice
	metrics *hotlineMetrics
	rate    *throttled.GCRARateLimiterCtx
	seen    *otter.Cache[string, *answered] // request → its answer
	missed  *otter.Cache[string, missed]    // caller → failed look-ups
	trusted *otter.Cache[string, time.Time] // token hash → when it was last good
	slots   chan struct{}

	callbacks *throttled.GCRARateLimiterCtx // requests of one caller
}

const (
	repeatWindow   = time.Minute // in which the same request is a retry
	maxAnswerBytes = 16 << 20    // of answers kept for that
	maxRemembered  = 20_000
	maxSilent      = 2 // silences in a row: once repeated, then a person
	maxWrong       = 3 // keys in a row that make no sense, then a person
	maxTries       = 3 // failed look-ups, then a person
	lockTime       = 30 * time.Minute
	maxTurns       = 512 // turns under way at once; more go to a person
)

// missed counts failed look-ups of one caller.
type missed struct {
	n    int
	last time.Time
}

func newHotline(s *Server, c HotlineConfig) (*hotline, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	h := &hotline{HotlineConfig: c, server: s, nodes: dialogue(), log: s.log, now: s.Now, metrics: newHotlineMetrics(), slots: make(chan struct{}, maxTurns),
		index: &projectIndex{reader: s.Reader, now: s.Now},
		seen: otter.Must(&otter.Options[string, *answered]{MaximumWeight: maxAnswerBytes, Weigher: weighAnswer,
			ExpiryCalculator: otter.ExpiryWriting[string, *answered](repeatWindow)}),
		missed:  otter.Must(&otter.Options[string, missed]{MaximumSize: maxRemembered}),
		trusted: otter.Must(&otter.Options[string, time.Time]{MaximumSize: 256}),
	}
	quota := throttled.RateQuota{MaxRate: throttled.PerMin(c.TurnRate), MaxBurst: c.TurnRate}
	if h.rate, err = newLimiter(quota, s.Now); err != nil {
		return nil, err
	}
	if h.callbacks, err = newLimiter(callbackQuota, s.Now); err != nil {
		return nil, err
	}
	s.metrics.more = append(s.metrics.more, h.metrics.collectors()...)
	if c.Voice != nil {
		h.audio, err = newAudioStore(c, s)
	}
	return h, err
}

// Actions of a turn.
const (
	actionCollect  = "collect"
	actionTransfer = "transfer"
	actionHangup   = "hangup"
)

// turn is one answer of the hotline before it is written in a format.
type turn struct {
	action   string
	prompt   string
	options  []choice // numbered
	input    turnKeys
	transfer transferTo
	handoff  string // code of the notice to take along, or ""
	state    string
	audio    string // path of the prompt as a WAV file, or ""
	node     string
	notices  []string // codes of the notices the prompt says
	again    bool     // the answer to a retry
}

type choice struct{ key, label string }

// turnKeys says which keys to wait for. timeout is to the first key in seconds,
// interdigit between keys. all is for the whole entry, for engines that know
// only that.
type turnKeys struct {
	min, max                 int
	keys                     string
	timeout, interdigit, all int
}

// transferTo is where the call goes.
type transferTo struct{ to, dept, number string }

// call is one turn being worked out.
type call struct {
	*hotline
	callState
	in    turnInput
	now   time.Time
	again bool   // a retry of a request already answered: nothing is counted
	note  string // said before the prompt
	out   *turn  // set when the turn ends elsewhere than in a node's prompt
}

// answer works out one turn. Its error is an outage or a bug, never the
// caller's.
func (h *hotline) answer(ctx context.Context, in turnInput) (turn, error) {
	c := &call{hotline: h, in: in, now: h.now()}
	if in.event != eventHangup && h.tooFast(ctx, in) {
		c.toOperator("limited")
		return *c.out, nil
	}
	before := c.recall()
	var t turn
	var err error
	if before != nil && before.turn != nil {
		t, err = c.repeat(ctx, before)
	} else {
		t, err = c.advance(ctx)
	}
	if err != nil {
		return turn{}, err
	}
	t.again = c.again
	return t, nil
}

// advance moves the call on by what the caller did and says where it is then.
func (c *call) advance(ctx context.Context) (turn, error) {
	if c.in.event == eventHangup {
		t := turn{action: actionHangup, prompt: c.words(c.Wording.Goodbye, ""), node: nodeBye}
		c.keep(c.callState, "", t)
		return t, nil
	}
	var valid bool
	c.callState, valid = c.unseal(c.in.state, c.in.call, c.now)
	if !valid {
		c.callState = callState{node: nodeGreet, at: c.now.Truncate(time.Minute)}
	}
	if c.now.Sub(c.at) > tokenRenewal {
		c.at = c.now.Truncate(time.Minute)
	}
	before := c.callState
	if err := c.press(ctx, valid); err != nil {
		return turn{}, err
	}
	c.remember(before)
	pressed := c.callState
	pressed.ids = slices.Clone(c.ids) // showing a node may pin others
	note := c.note
	t, err := c.render(ctx)
	if err == nil {
		c.keep(pressed, note, t)
	}
	return t, err
}

// tooFast reports whether a caller keys faster than people do.
func (h *hotline) tooFast(ctx context.Context, in turnInput) bool {
	limited, _, err := h.rate.RateLimitCtx(ctx, or(in.caller, h.hash("call", in.call)), 1)
	return err == nil && limited
}

// press moves the call on by what the caller did.
func (c *call) press(ctx context.Context, valid bool) error {
	key := c.command(c.in.digits)
	n := c.nodes[c.node]
	switch {
	case key == keyOperator:
		c.toOperator("asked")
	case !valid && c.in.state != "": // tampered with, expired, or of another call
		c.note = "请重新选择。"
	case c.in.event == eventStart || !valid:
		c.callState = callState{node: nodeGreet, at: c.at}
	case c.in.event == eventTimeout:
		c.hearSilence()
	case key == keyRepeat:
		c.silent, c.wrong = 0, 0
	case key == keyBack:
		c.silent, c.wrong = 0, 0
		return n.back(ctx, c)
	default:
		c.silent = 0
		before := c.callState
		if err := n.press(ctx, c, key); err != nil {
			return err
		}
		if c.node != before.node || c.page != before.page || c.note == "" {
			c.wrong = 0
		}
	}
	return nil
}

// The commands, under their usual keys.
const (
	keyOperator = "0"
	keyBack     = "*"
	keyMore     = "#"
	keyRepeat   = "9"
	keyHandoff  = "8"
)

// command translates the configured key to the usual one. Several digits are an
// entry and stay as they are; an empty entry is #.
func (c *call) command(digits string) string {
	if len(digits) > 1 && strings.HasSuffix(digits, "#") && digits != "##" {
		digits = strings.TrimSuffix(digits, "#")
	}
	if c.in.event == eventDigits && digits == "" {
		digits = "#"
	}
	if len(digits) != 1 {
		return digits
	}
	k := c.Keymap
	for _, m := range []struct{ key, usual string }{{k.Operator, keyOperator}, {k.Back, keyBack}, {k.More, keyMore},
		{k.Repeat, keyRepeat}, {k.Handoff, keyHandoff}} {
		if digits == m.key {
			return m.usual
		}
	}
	if strings.Contains("089*#", digits) { // moved elsewhere
		return "x"
	}
	return digits
}

// hearSilence repeats once, slower; then a person answers. At the greeting the
// first silence says that the caller wants one.
func (c *call) hearSilence() {
	c.silent++
	if c.silent >= maxSilent || c.node == nodeGreet {
		c.toOperator("silence")
	}
}

// refuse answers a key that makes no sense here; the third in a row leads to a
// person.
func (c *call) refuse(note string) {
	c.wrong++
	c.note = note
	if c.wrong >= maxWrong {
		c.toOperator("wrong")
	}
}

// toOperator hands the call over: to the sector's department or the operators,
// out of office hours to the number for those.
func (c *call) toOperator(reason string) {
	t := turn{action: actionTransfer, node: nodeOperator, transfer: transferTo{"operator", "", c.Operator}}
	if d, ok := c.Departments[c.sector]; ok {
		t.transfer.dept, t.transfer.number = speech.Text(d.Name), d.Number
	}
	phrase := c.Wording.Operator
	switch {
	case !c.open(c.now):
		t.transfer = transferTo{"after_hours", "", c.AfterHours}
		phrase = c.Wording.AfterHours
	case reason == "failure":
		phrase = c.Wording.Failure
	}
	t.prompt = c.words(phrase, t.transfer.number)
	if d, ok := c.Departments[c.sector]; ok && reason == "department" { // asked for, so it can be noted down
		t.prompt = speech.Text(d.Name) + "的电话是，" + speech.Digits(d.Number) + "。" + t.prompt
	}
	if !c.again {
		c.metrics.transfers.WithLabelValues(reason).Inc()
	}
	c.out = &t
}

// degraded is the turn when nothing else works: a person.
func (h *hotline) degraded(in turnInput) turn {
	c := &call{hotline: h, in: in, now: h.now()}
	c.toOperator("failure")
	return *c.out
}

// render says the node's prompt and which keys it waits for.
func (c *call) render(ctx context.Context) (turn, error) {
	s := screen{}
	if c.out == nil {
		if err := c.nodes[c.node].show(ctx, c, &s); err != nil {
			return turn{}, err
		}
	}
	if c.out != nil { // pressing the key or showing the node found that a person has to answer
		c.out.state = c.seal(c.callState, c.in.call)
		return *c.out, nil
	}
	t := turn{action: actionCollect, node: c.node, options: s.options, handoff: s.handoff, notices: s.notices, state: c.seal(c.callState, c.in.call)}
	t.prompt = c.note + s.prompt
	t.input = turnKeys{min: 1, max: 1, timeout: 6, interdigit: 4, keys: c.keysOf(s)}
	entry := c.nodes[c.node].entry // showing may have led elsewhere
	if entry > 0 {
		t.input.max, t.input.timeout, t.input.keys = maxTypedBytes, 8, "0123456789*"
	}
	pace := 1
	if c.silent > 0 || c.in.slow {
		pace = 2
	}
	t.input.timeout, t.input.interdigit = t.input.timeout*pace, t.input.interdigit*pace
	t.input.all = t.input.timeout + entry*pace // a second or two for each key
	return t, nil
}

// keysOf lists the keys that do something here, digits first.
func (c *call) keysOf(s screen) string {
	keys := []string{c.Keymap.Operator, c.Keymap.Repeat, c.Keymap.Back}
	for _, o := range s.options {
		keys = append(keys, o.key)
	}
	if s.more {
		keys = append(keys, c.Keymap.More)
	}
	if s.handoff != "" {
		keys = append(keys, c.Keymap.Handoff)
	}
	slices.Sort(keys)
	var digits strings.Builder
	digits.WriteString(strings.Trim(strings.Join(slices.Compact(keys), ""), "*#"))
	for _, sign := range []string{"*", "#"} {
		if slices.Contains(keys, sign) {
			digits.WriteString(sign)
		}
	}
	return digits.String()
}

// screen is what a node has to say.
type screen struct {
	prompt  string
	options []choice
	more    bool     // # goes on
	handoff string   // code of the notice open
	notices []string // codes of the notices said
}

// press phrases: function before key, as the ear keeps the last word.
func pressFor(label, key string) string { return label + "，请按" + speech.Key(key) }

// menu numbers the labels and says them, then the words that follow.
func (s *screen) menu(intro string, labels []string, tail ...string) {
	said := []string{}
	for i, label := range labels {
		key := string(rune('1' + i))
		s.options = append(s.options, choice{key, label})
		said = append(said, pressFor(label, key))
	}
	s.prompt = intro + strings.Join(append(said, tail...), "；") + "。"
}

// pick returns which of n numbered choices a key means, from 0.
func pick(key string, n int) (int, bool) {
	if len(key) != 1 || key[0] < '1' || int(key[0]-'1') >= n {
		return 0, false
	}
	return int(key[0] - '1'), true
}

const wrongKey = "按键无效，请重新选择。"

// brief is what the hotline says of a notice in a list.
type brief struct {
	Title    string `json:"title"` // spoken, at most titleLimit characters
	Type     string `json:"type"`  // spoken name of the type
	Sector   string `json:"sector"`
	Project  string `json:"project"` // code, "" for none
	Batch    string `json:"batch"`   // of a housing notice, spoken
	Personal bool   `json:"personal"`
}

const titleLimit = 24

// brief reads a notice through the read model.
func (c *call) brief(ctx context.Context, code string) (brief, error) {
	var b brief
	a, _, err := c.server.Cache.Get(ctx, "brief/"+code, func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := c.server.Reader.Notice(ctx, disclosure.NoticeRef{Code: code})
		if err != nil {
			return nil, err
		}
		t := typeOf(d.Catalog, d.Type, d.TypeVersion)
		batch, _ := d.Fields["batch"].(string)
		a, err := jsonAnswer(brief{spokenTitle(d.Title, t.Name), speech.Text(t.Name), d.SectorCode(), d.ProjectCode(), speech.Text(batch), t.Personal}, d.Reading)
		return c.server.classed(a, d.Catalog, d.Type, d.TypeVersion), err
	})
	if err == nil {
		err = decodeAnswer(a, &b)
	}
	return b, err
}

// spokenTitle says a title in at most titleLimit characters. Of a longer one the
// beginning is said, and what kind of notice it is.
func spokenTitle(title, typeName string) string {
	said := strings.Trim(speech.Text(title), "，。；、：")
	if speech.Len(said) <= titleLimit {
		return said
	}
	kind := speech.Shorten(speech.Text(typeName), titleLimit/2)
	head := strings.TrimRight(speech.Shorten(said, titleLimit-speech.Len(kind)-1), "，。；、：")
	return head + "等，" + kind
}
