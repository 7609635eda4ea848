package handlers

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"gongkai/internal/speech"
	"gongkai/internal/workday"
)

// HotlineConfig is how the telephone hotline (热线) speaks and where it hands
// callers over. The zero value works: it has usual words, keys and numbers.
type HotlineConfig struct {
	// Keys sign the state a call carries; the first signs, all verify, so a new
	// key is put in front and the old one dropped half an hour later. Each has 16
	// bytes or more. None: one is made up, and calls end with the process.
	Keys        [][]byte
	Name        string                // of the hotline, as greeted
	Operator    string                // number of the operators
	AfterHours  string                // number to turn to out of office hours
	Supervision string                // number for complaints (监督电话)
	Departments map[string]Department // by sector code: who answers for it
	Sectors     []string              // codes in the order of the menu; the rest follows
	OfficeHours []HourSpan            // of working days; none: always open
	AlwaysOpen  bool
	Workdays    Workdays // nil: the published calendar
	Keymap      Keymap
	Wording     Wording
	NoCallbacks bool   // callers are not offered a call back
	TurnRate    int    // turns a minute from one caller; 0: 600
	Voice       Voice  // reads prompts aloud; nil: the engine on the line does
	VoiceID     string // what Voice is set up as: with another, prompts are read anew
	AudioDir    string
	SpeakEngine string // of FreeSWITCH's <speak>; "" is tts_commandline
	SpeakVoice  string // "" is cmn
}

// Department is who answers for a sector (责任部门).
type Department struct{ Name, Number string }

// HourSpan is a span of a day in minutes from midnight.
type HourSpan struct{ From, To int }

// ParseHourSpan reads "09:00-12:00".
func ParseHourSpan(s string) (HourSpan, error) {
	var fh, fm, th, tm int
	n, err := fmt.Sscanf(s+"\n", "%2d:%2d-%2d:%2d\n", &fh, &fm, &th, &tm)
	span := HourSpan{fh*60 + fm, th*60 + tm}
	if err != nil || n != 4 || fm > 59 || tm > 59 || fh < 0 || span.To > 24*60 || span.From >= span.To {
		return HourSpan{}, fmt.Errorf("handlers: %q is no span of hours such as 09:00-12:00", s)
	}
	return span, nil
}

// Workdays knows which days are worked.
type Workdays interface {
	IsWorkday(d workday.Date) bool
}

// Voice reads text aloud: it returns a WAV file of 16-bit PCM, of any rate.
type Voice interface {
	Speak(ctx context.Context, text string) ([]byte, error)
}

// Keymap says which key does what, one of 0–9, * and # each; an empty member
// keeps the usual key.
type Keymap struct {
	Operator string // 0
	Back     string // *
	More     string // #
	Repeat   string // 9
	Handoff  string // 8
}

// Wording replaces phrases; an empty member keeps the usual one. {name},
// {hours}, {number} and {when} stand for the hotline, its hours, the number
// dialled and an instant.
type Wording struct {
	Greeting   string
	Operator   string
	AfterHours string
	Failure    string
	Goodbye    string
	Handoff    string
	Callback   string // after a number was left; {when} is by when the call comes
}

const (
	defaultName        = "亭湖区公共资源信息公开热线"
	defaultNumber      = "12345" // 政务服务便民热线
	defaultTurnRate    = 600
	turnTimeout        = 800 * time.Millisecond
	defaultSpeakEngine = "tts_commandline"
	defaultSpeakVoice  = "cmn"
)

var usualWording = Wording{
	Greeting:   "您好，这里是{name}。自助查询，请按一；不按键，将为您转接人工。",
	Operator:   "正在为您转接人工，请稍候。",
	AfterHours: "现在是非工作时间，人工服务时间是工作日{hours}。正在为您转接{number}，请稍候。",
	Failure:    "系统繁忙，正在为您转接人工，请稍候。",
	Goodbye:    "感谢来电，再见。",
	Callback:   "号码已经记下，工作人员将在{when}前回电。",
	Handoff:    "请在微信公众号、大厅自助终端或者网站输入这个编号，查看全文。",
}

// Check says, for who configures it, what of c cannot work.
func (c HotlineConfig) Check() error {
	_, err := c.complete()
	return err
}

// complete fills in what is usual and refuses what cannot work.
func (c HotlineConfig) complete() (HotlineConfig, error) {
	c.Name, c.Operator, c.AfterHours = or(c.Name, defaultName), or(c.Operator, defaultNumber), or(c.AfterHours, defaultNumber)
	c.Supervision = or(c.Supervision, defaultNumber)
	c.SpeakEngine, c.SpeakVoice = or(c.SpeakEngine, defaultSpeakEngine), or(c.SpeakVoice, defaultSpeakVoice)
	if c.TurnRate == 0 {
		c.TurnRate = defaultTurnRate
	}
	if c.Workdays == nil {
		c.Workdays = workday.Published()
	}
	if len(c.Sectors) == 0 {
		c.Sectors = []string{"housing", "construction", "procurement", "land"} // those asked for most
	}
	if len(c.OfficeHours) == 0 {
		c.AlwaysOpen = true
	}
	if len(c.Keys) == 0 {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return c, fmt.Errorf("handlers: hotline key: %w", err)
		}
		c.Keys = [][]byte{key}
	}
	for _, key := range c.Keys {
		if len(key) < 16 {
			return c, fmt.Errorf("热线的签名密钥只有 %d 个字节，至少 16 个", len(key))
		}
	}
	for _, number := range []string{c.Operator, c.AfterHours, c.Supervision} {
		if !dialable(number) {
			return c, fmt.Errorf("热线的号码“%s”应为数字，最多 20 位", number)
		}
	}
	for sector, d := range c.Departments {
		if !dialable(d.Number) || speech.Text(d.Name) == "" {
			return c, fmt.Errorf("领域 %s 的责任部门没有名称，或者号码“%s”不是数字", sector, d.Number)
		}
	}
	if err := c.Keymap.complete(); err != nil {
		return c, err
	}
	return c, c.Wording.complete()
}

func or(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}

// dialable reports whether s is digits, as every engine can dial.
func dialable(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

func (k *Keymap) complete() error {
	seen := map[string]bool{"1": true, "2": true, "3": true, "4": true}
	for _, key := range []struct {
		key   *string
		usual string
	}{{&k.Operator, "0"}, {&k.Back, "*"}, {&k.More, "#"}, {&k.Repeat, "9"}, {&k.Handoff, "8"}} {
		*key.key = or(*key.key, key.usual)
		if len(*key.key) != 1 || !strings.Contains("0123456789*#", *key.key) || seen[*key.key] {
			return fmt.Errorf("热线的键“%s”不能用：1–4 是菜单的选项，其余的键每个一种用途，写一个字符", *key.key)
		}
		seen[*key.key] = true
	}
	return nil
}

func (w *Wording) complete() error {
	for _, p := range []struct {
		phrase *string
		usual  string
	}{{&w.Greeting, usualWording.Greeting}, {&w.Operator, usualWording.Operator}, {&w.AfterHours, usualWording.AfterHours},
		{&w.Failure, usualWording.Failure}, {&w.Goodbye, usualWording.Goodbye}, {&w.Handoff, usualWording.Handoff},
		{&w.Callback, usualWording.Callback}} {
		*p.phrase = or(*p.phrase, p.usual)
		text := strings.NewReplacer("{name}", "", "{hours}", "", "{number}", "").Replace(*p.phrase)
		if p.phrase == &w.Callback {
			text = strings.ReplaceAll(text, "{when}", "")
		}
		if n := speech.Len(speech.Text(text)); n == 0 || n > pageLimit || strings.ContainsAny(text, "{}") {
			return fmt.Errorf("热线的话“%s”应有 1–%d 个念得出的字，只能用 {name}、{hours} 和 {number}，回电的话还有 {when}", *p.phrase, pageLimit)
		}
	}
	return nil
}

// open reports whether people answer at the instant.
func (c *HotlineConfig) open(now time.Time) bool {
	if c.AlwaysOpen {
		return true
	}
	now = now.In(workday.Shanghai)
	if !c.Workdays.IsWorkday(workday.DateOf(now)) {
		return false
	}
	minute := now.Hour()*60 + now.Minute()
	for _, span := range c.OfficeHours {
		if minute >= span.From && minute < span.To {
			return true
		}
	}
	return false
}

// person is the number of who answers at the instant.
func (c *HotlineConfig) person(now time.Time) string {
	if c.open(now) {
		return c.Operator
	}
	return c.AfterHours
}

// hours says the office hours: 九点至十二点、十四点至十七点三十分.
func (c *HotlineConfig) hours() string {
	spans := make([]string, len(c.OfficeHours))
	for i, s := range c.OfficeHours {
		spans[i] = speech.Clock(s.From/60, s.From%60) + "至" + speech.Clock(s.To/60, s.To%60)
	}
	if len(spans) == 0 {
		return "全天"
	}
	return strings.Join(spans, "、")
}

// words fills a phrase.
func (c *HotlineConfig) words(phrase, number string) string {
	return speech.Text(strings.NewReplacer("{name}", c.Name, "{hours}", c.hours(), "{number}", speech.Digits(number)).Replace(phrase))
}
