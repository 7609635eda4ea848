package push

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/silenceper/wechat/v2/miniprogram"
	"github.com/silenceper/wechat/v2/miniprogram/auth"
	miniconfig "github.com/silenceper/wechat/v2/miniprogram/config"
	"github.com/silenceper/wechat/v2/officialaccount"
	"github.com/silenceper/wechat/v2/officialaccount/basic"
	officialconfig "github.com/silenceper/wechat/v2/officialaccount/config"
	officialmessage "github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/officialaccount/oauth"
	"github.com/silenceper/wechat/v2/officialaccount/user"
	"github.com/silenceper/wechat/v2/util"

	"gongkai/internal/disclosure"
)

// MessageMode is how WeChat sends callbacks, as set in its console.
type MessageMode string

// The modes.
const (
	ModePlain  MessageMode = "plain"  // 明文模式
	ModeCompat MessageMode = "compat" // 兼容模式: only the encrypted part is believed
	ModeSafe   MessageMode = "safe"   // 安全模式
)

// WeChatApp is one account of ours: a service account or a mini-program.
type WeChatApp struct {
	Name           string // "official" or "mini": as in our URLs
	Kind           disclosure.AppKind
	AppID          string
	Secret         string
	Token          string // of callbacks
	AESKey         string // 43 characters; needed unless Mode is ModePlain
	PreviousAESKey string // still accepted while WeChat changes over
	Mode           MessageMode
}

// Check refuses settings that cannot work, in Chinese and by the names that they
// have in a configuration.
func (a WeChatApp) Check() error {
	switch {
	case a.AppID == "" || a.Secret == "" || a.Token == "":
		return fmt.Errorf("wechat.%s 须写明 appid、secret 和 token；不用这个账号就把 appid 留空", a.Name)
	case !slices.Contains([]MessageMode{ModeSafe, ModeCompat, ModePlain}, a.Mode):
		return fmt.Errorf("wechat.%s.mode 应为 safe、compat 或 plain，现在是“%s”", a.Name, a.Mode)
	case a.Mode != ModePlain && !isAESKey(a.AESKey), a.PreviousAESKey != "" && !isAESKey(a.PreviousAESKey):
		return fmt.Errorf("wechat.%s 的 aes_key（和 aes_key_previous）应为 43 个字符，都是字母或数字；只有 plain 模式可以不写", a.Name)
	}
	return nil
}

// isAESKey reports whether a callback can be opened with the key, an EncodingAESKey.
func isAESKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key + "=")
	return err == nil && len(key) == 43 && len(b) == 32
}

// WeChatConfig is how WeChat is reached.
type WeChatConfig struct {
	APIURL  string // "https://api.weixin.qq.com", or a simulator's
	OpenURL string // "https://open.weixin.qq.com", where people authorise
	Apps    []WeChatApp
}

// WeChat is the adapter. It wraps silenceper/wechat, which never sees a token or
// a secret: it is given a ticket, and the guard below it puts the real one in
// the request and takes it out of every error. It is safe for concurrent use.
type WeChat struct {
	WeChatConfig
	log    *slog.Logger
	now    func() time.Time
	apps   map[string]*account // by name and by appid
	client *http.Client
	tokens *prometheus.CounterVec
}

// account is one configured app with its parts of the library, built once: the
// library's own getters race.
type account struct {
	WeChatApp
	ticket string
	base   *url.URL
	tokens *tokenSource

	login    *auth.Auth
	oauth    *oauth.Oauth
	basic    *basic.Basic
	users    *user.User
	template *officialmessage.Template
}

// registry finds the account of a ticket. It is a variable of the package
// because the library's HTTP client is one: all its accounts share it.
var registry sync.Map

// install puts the guard below the library, once, before any of its calls.
var install = sync.OnceFunc(func() { util.DefaultHTTPClient = guardedClient() })

func guardedClient() *http.Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 100, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 8 * time.Second}
	return &http.Client{Timeout: 10 * time.Second, Transport: &guard{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// NewWeChat makes the adapter. It fails on a configuration that cannot work, and
// on one that would let anybody in, such as an empty token.
func NewWeChat(c WeChatConfig, shared TokenStore, log *slog.Logger, now func() time.Time) (*WeChat, error) {
	install()
	base, err := url.Parse(c.APIURL)
	if err != nil || base.Host == "" {
		return nil, errors.New("push: wechat: the API's address cannot be read")
	}
	w := &WeChat{WeChatConfig: c, log: log, now: now, apps: map[string]*account{}, client: guardedClient(), tokens: newTokenCounter()}
	for _, app := range c.Apps {
		if err := app.Check(); err != nil {
			return nil, err
		}
		a := &account{WeChatApp: app, ticket: newTicket(), base: base}
		a.tokens = &tokenSource{app: app, base: base, client: w.client, shared: shared, now: now, log: log, lock: make(chan struct{}, 1), outcomes: w.tokens}
		w.tokens.WithLabelValues(app.Name, "taken") // what an alarm watches begins at 0
		a.build()
		registry.Store(a.ticket, a)
		w.apps[app.Name], w.apps[app.AppID] = a, a
	}
	return w, nil
}

// Close forgets the accounts.
func (w *WeChat) Close() error {
	for _, a := range w.apps {
		registry.Delete(a.ticket)
	}
	w.client.CloseIdleConnections()
	return nil
}

func newTicket() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return "ticket-" + hex.EncodeToString(b[:])
}

// build makes the parts of the library that the account uses.
func (a *account) build() {
	if a.Kind == disclosure.AppMini {
		mini := miniprogram.NewMiniProgram(&miniconfig.Config{AppID: a.AppID, AppSecret: a.ticket, Cache: noCache{}})
		mini.SetAccessTokenHandle(ticketHandle(a.ticket))
		a.login = mini.GetAuth()
		return
	}
	official := officialaccount.NewOfficialAccount(&officialconfig.Config{AppID: a.AppID, AppSecret: a.ticket, Cache: noCache{}})
	official.SetAccessTokenHandle(ticketHandle(a.ticket))
	a.oauth, a.basic, a.users, a.template = official.GetOauth(), official.GetBasic(), official.GetUser(), official.GetTemplate()
}

// noCache is the cache that the library insists on and, with a token handle of
// ours, never has anything to put in.
type noCache struct{}

// Get implements the library's cache.
func (noCache) Get(string) any { return nil }

// Set implements the library's cache.
func (noCache) Set(string, any, time.Duration) error { return nil }

// IsExist implements the library's cache.
func (noCache) IsExist(string) bool { return false }

// Delete implements the library's cache.
func (noCache) Delete(string) error { return nil }

// ticketHandle gives the library the account's ticket for a token.
type ticketHandle string

// GetAccessToken implements credential.AccessTokenHandle.
func (t ticketHandle) GetAccessToken() (string, error) { return string(t), nil }

// App returns the configured app by its name or appid. Errors: CodeNoApp.
func (w *WeChat) App(name string) (WeChatApp, error) {
	a, err := w.account(name)
	if err != nil {
		return WeChatApp{}, err
	}
	return a.WeChatApp, nil
}

func (w *WeChat) account(name string) (*account, error) {
	if a, ok := w.apps[name]; ok {
		return a, nil
	}
	return nil, disclosure.Errorf(disclosure.CodeNoApp, "没有配置这个公众号或小程序")
}

// codeForm is what a login code looks like. The library puts it into a URL as it
// is: anything else could add parameters.
var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// Identify turns a login code into who it is: of wx.login for a mini-program, of
// web authorisation for a service account. Errors: CodeNoApp, CodeLogin,
// CodeSnapshot, CodeWeChat.
func (w *WeChat) Identify(ctx context.Context, app, code string) (disclosure.Identity, error) {
	a, err := w.account(app)
	if err != nil {
		return disclosure.Identity{}, err
	}
	if !codeForm.MatchString(code) {
		return disclosure.Identity{}, disclosure.Errorf(disclosure.CodeLogin, "登录码的写法不对").On("code")
	}
	who := disclosure.Identity{App: a.AppID, Kind: a.Kind}
	if a.Kind == disclosure.AppMini {
		res, err := a.login.Code2SessionContext(ctx, code)
		who.OpenID, who.UnionID = res.OpenID, res.UnionID
		return who, loginError(err, res.OpenID)
	}
	res, err := a.oauth.GetUserAccessTokenContext(ctx, code)
	if err == nil && res.IsSnapShotUser == 1 {
		return disclosure.Identity{}, disclosure.Errorf(disclosure.CodeSnapshot, "请点击页面上的“使用完整服务”后再登录")
	}
	who.OpenID, who.UnionID = res.OpenID, res.UnionID
	return who, loginError(err, res.OpenID)
}

// loginError tells a bad code from WeChat being away.
func loginError(err error, openid string) error {
	refusal := new(SendError)
	switch {
	case err == nil && openid != "":
		return nil
	case errors.As(err, &refusal) && (refusal.Code == 40029 || refusal.Code == 40163 || refusal.Code == 40226 || refusal.Code == 41008):
		return errors.Join(disclosure.Errorf(disclosure.CodeLogin, "微信没有接受这个登录码").On("code"), refusal)
	case errors.As(err, &refusal):
		return errors.Join(disclosure.Errorf(disclosure.CodeWeChat, "微信登录暂时不可用"), refusal)
	}
	return disclosure.Errorf(disclosure.CodeWeChat, "微信登录暂时不可用")
}

// UnionID returns the unionid of a follower, "" when WeChat tells none.
func (w *WeChat) UnionID(app, openid string) (string, error) {
	a, err := w.account(app)
	if err != nil || a.users == nil || !codeForm.MatchString(openid) {
		return "", err
	}
	info, err := a.users.GetUserInfo(openid)
	if err != nil {
		return "", clean(err, "/cgi-bin/user/info")
	}
	return info.UnionID, nil
}

// AuthorizeURL is where a person in WeChat's browser is sent to say who they are.
// Errors: CodeNoApp.
func (w *WeChat) AuthorizeURL(app, back, state string) (string, error) {
	a, err := w.account(app)
	if err != nil {
		return "", err
	}
	if a.oauth == nil {
		return "", disclosure.Errorf(disclosure.CodeNoApp, "小程序不用网页授权")
	}
	link, err := a.oauth.GetRedirectURL(back, "snsapi_base", url.QueryEscape(state))
	if err != nil {
		return "", err
	}
	return w.OpenURL + link[len("https://open.weixin.qq.com"):], nil
}

// QR returns what a QR code that leads to the service account says, for the
// scene, good for life (at most 30 days). Errors: CodeNoApp, CodeWeChat.
func (w *WeChat) QR(app, scene string, life time.Duration) (string, error) {
	a, err := w.account(app)
	if err != nil {
		return "", err
	}
	if a.basic == nil {
		return "", disclosure.Errorf(disclosure.CodeNoApp, "小程序不用带参数的二维码")
	}
	ticket, err := a.basic.GetQRTicket(basic.NewTmpQrRequest(life, scene)) // string scenes only: the library panics on others
	if err != nil {
		return "", errors.Join(disclosure.Errorf(disclosure.CodeWeChat, "暂时不能生成二维码"), clean(err, "/cgi-bin/qrcode/create"))
	}
	return ticket.URL, nil
}

// clean returns the refusal inside an error of the library, and nothing else of
// it: the library's own words hold URLs with secrets.
func clean(err error, path string) error {
	refusal := new(SendError)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal
	}
	return &SendError{Path: path, Class: disclosure.ClassRetry, Text: "no usable answer"}
}
