package wechatsim

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
)

// Kind tells the two sorts of accounts apart.
type Kind string

// The kinds of accounts.
const (
	Official Kind = "official" // 公众号（服务号）
	Mini     Kind = "mini"     // 小程序
)

// Mode is how an account's callbacks are written (消息加解密方式).
type Mode string

// The modes of callbacks.
const (
	Plain  Mode = "plain"  // 明文模式
	Compat Mode = "compat" // 兼容模式: in the clear and encrypted at once
	Safe   Mode = "safe"   // 安全模式
)

// Format is the notation of an account's callbacks (数据格式).
type Format string

// The formats of callbacks.
const (
	XML  Format = "xml"
	JSON Format = "json"
)

// Account is a WeChat account as its owner has set it up.
type Account struct {
	App        string // short name, as in the path /wechat/{app}/callback
	Kind       Kind
	Name       string // as people see it
	AppID      string
	Secret     string
	OriginalID string // gh_…, by which callbacks name the account

	CallbackURL    string // "" if callbacks are not switched on
	Token          string // signs callbacks
	AESKey         string // EncodingAESKey, 43 characters; "" only in plain mode
	PreviousAESKey string // the one before, still in use for a while after a change; may be ""
	Mode           Mode
	Format         Format

	AllowedIPs  []netip.Prefix // from where the secret may be used; empty: from anywhere
	OAuthDomain string         // host[:port] that authorisation may lead back to; "" for any
	Templates   []Template
}

// TemplateType says what entitles to a message of a template.
type TemplateType int

// The types of templates; 2 and 3 are WeChat's numbers.
const (
	ByFollowing TemplateType = 0 // 类目模板消息: whoever follows the account
	OneOff      TemplateType = 2 // 一次性订阅: one message for each accept
	LongTerm    TemplateType = 3 // 长期订阅: until it is revoked
)

// Template is a message template that an account has chosen (模板).
type Template struct {
	ID       string
	Title    string
	Type     TemplateType
	Keywords []Keyword
}

// Keyword is one field of a template.
type Keyword struct {
	Key    string // type and number, as thing1
	Label  string
	Sample string
	Enum   []string // what an enum field may hold
}

var (
	appIDForm      = regexp.MustCompile(`^wx[0-9a-f]{16}$`)
	appNameForm    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	templateIDForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	keywordForm    = regexp.MustCompile(`^([a-z_]+)[0-9]{1,3}$`)
)

// check says what of the set-up WeChat would not have accepted.
func (a Account) check() error {
	switch {
	case !appNameForm.MatchString(a.App):
		return fmt.Errorf("wechatsim: account name %q", a.App)
	case !appIDForm.MatchString(a.AppID):
		return fmt.Errorf("wechatsim: %s: an appid is wx and 16 hex digits", a.App)
	case a.Kind != Official && a.Kind != Mini:
		return fmt.Errorf("wechatsim: %s: kind %q", a.App, a.Kind)
	case a.Mode != Plain && a.Mode != Compat && a.Mode != Safe:
		return fmt.Errorf("wechatsim: %s: mode %q", a.App, a.Mode)
	case a.Format != XML && a.Format != JSON:
		return fmt.Errorf("wechatsim: %s: format %q", a.App, a.Format)
	case a.Secret == "" || a.OriginalID == "":
		return fmt.Errorf("wechatsim: %s: secret or original id is empty", a.App)
	}
	if u, err := url.Parse(a.CallbackURL); err != nil || a.CallbackURL != "" && (u.Host == "" || a.Token == "") {
		return fmt.Errorf("wechatsim: %s: a callback needs a whole URL and a token", a.App)
	}
	if err := a.checkKeys(); err != nil {
		return fmt.Errorf("wechatsim: %s: %w", a.App, err)
	}
	for _, t := range a.Templates {
		if err := t.check(); err != nil {
			return fmt.Errorf("wechatsim: %s: %w", a.App, err)
		}
	}
	return nil
}

func (a Account) checkKeys() error {
	if a.AESKey == "" && a.Mode != Plain {
		return errors.New("without an EncodingAESKey only the plain mode is possible")
	}
	for _, key := range []string{a.AESKey, a.PreviousAESKey} {
		if key == "" {
			continue
		}
		if _, err := decodeKey(key); err != nil {
			return err
		}
	}
	return nil
}

func (t Template) check() error {
	if !templateIDForm.MatchString(t.ID) {
		return fmt.Errorf("template id %q: it has 43 characters", t.ID)
	}
	if len(t.Keywords) < 1 || len(t.Keywords) > 5 {
		return fmt.Errorf("template %s: a template has one to five keywords", t.Title)
	}
	for _, k := range t.Keywords {
		if _, ok := fieldRules[k.kind()]; !ok {
			return fmt.Errorf("template %s: keyword %q has no known type", t.Title, k.Key)
		}
	}
	return nil
}

// kind is the keyword's type: its key without the number.
func (k Keyword) kind() string {
	m := keywordForm.FindStringSubmatch(k.Key)
	if m == nil {
		return ""
	}
	return m[1]
}

// keyword finds a field.
func (t Template) keyword(key string) (Keyword, bool) {
	for _, k := range t.Keywords {
		if k.Key == key {
			return k, true
		}
	}
	return Keyword{}, false
}

// content is the template's text in WeChat's notation.
func (t Template) content() (text, sample string) {
	for _, k := range t.Keywords {
		text += k.Label + ":{{" + k.Key + ".DATA}}\n"
		sample += k.Label + ":" + k.Sample + "\n"
	}
	return text, sample
}
