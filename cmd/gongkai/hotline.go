package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

// hotlineConfig is the configuration of the telephone hotline.
type hotlineConfig struct {
	SigningKeys string   `koanf:"signing_keys"`
	Name        string   `koanf:"name"`
	Operator    string   `koanf:"operator"`
	AfterHours  string   `koanf:"after_hours"`
	Supervision string   `koanf:"supervision"`
	Departments []string `koanf:"departments"`
	Sectors     []string `koanf:"sectors"`
	OfficeHours []string `koanf:"office_hours"`
	AlwaysOpen  bool     `koanf:"always_open"`
	TurnRate    int      `koanf:"turn_rate"`

	Callback     bool   `koanf:"callback"`
	CallbackDays int    `koanf:"callback_days"`
	CallbackKeys string `koanf:"callback_keys"`

	KeyOperator string `koanf:"key_operator"`
	KeyBack     string `koanf:"key_back"`
	KeyMore     string `koanf:"key_more"`
	KeyRepeat   string `koanf:"key_repeat"`
	KeyHandoff  string `koanf:"key_handoff"`

	WordsGreeting   string `koanf:"words_greeting"`
	WordsOperator   string `koanf:"words_operator"`
	WordsAfterHours string `koanf:"words_after_hours"`
	WordsFailure    string `koanf:"words_failure"`
	WordsGoodbye    string `koanf:"words_goodbye"`
	WordsHandoff    string `koanf:"words_handoff"`
	WordsCallback   string `koanf:"words_callback"`

	TTSCommand string `koanf:"tts_command"`
	TTSURL     string `koanf:"tts_url"`
	TTSEngine  string `koanf:"tts_engine"`
	TTSVoice   string `koanf:"tts_voice"`
}

// hotlineOptions are its settings, among all others.
var hotlineOptions = []option{
	{"ivr.signing_keys", "", "热线通话状态的签名密钥，多个用逗号隔开，第一个用于签名；留空则在数据目录中生成", true},
	{"ivr.name", "", "热线的名称，用于问候语", false},
	{"ivr.operator", "", "人工坐席的号码，只用数字；留空为 12345", false},
	{"ivr.after_hours", "", "非工作时间转接的号码；留空为 12345", false},
	{"ivr.supervision", "", "监督电话；留空为 12345", false},
	{"ivr.departments", []string{}, "各领域的责任部门，如 housing=区住建局=051588880001", false},
	{"ivr.sectors", []string{}, "菜单中领域的顺序，如 housing；没有列出的按目录排在后面，留空则以常查的在前", false},
	{"ivr.office_hours", []string{"09:00-12:00", "14:00-17:30"}, "人工服务时间（工作日）", false},
	{"ivr.always_open", false, "人工服务不分时间", false},
	{"ivr.turn_rate", 600, "每个来电每分钟的按键数，超过则转人工", false},
	{"ivr.callback", true, "咨询菜单中可以留下号码，等候回电", false},
	{"ivr.callback_days", 7, "回电办结后号码保留的天数，此后清除；0 为办结即清除", false},
	{"ivr.callback_keys", "", "加密回电号码的密钥，每个至少 16 个字符，多个用逗号隔开，第一个用于加密；留空则自动生成，存在数据库中", true},
	{"ivr.key_operator", "0", "转人工的键", false},
	{"ivr.key_back", "*", "返回的键", false},
	{"ivr.key_more", "#", "更多、继续的键", false},
	{"ivr.key_repeat", "9", "重听的键", false},
	{"ivr.key_handoff", "8", "发到微信的键", false},
	{"ivr.words_greeting", "", "问候语；{name} 代表热线名称", false},
	{"ivr.words_operator", "", "转人工时的话", false},
	{"ivr.words_after_hours", "", "非工作时间转接时的话；{hours} 代表人工服务时间，{number} 代表转接的号码", false},
	{"ivr.words_failure", "", "系统故障转人工时的话", false},
	{"ivr.words_goodbye", "", "结束语", false},
	{"ivr.words_handoff", "", "报公告编号之后的话", false},
	{"ivr.words_callback", "", "留下回电号码之后的话；{when} 代表最迟何时回电", false},
	{"ivr.tts_command", "", "语音合成命令，按空白拆成程序和参数，不经过 shell：标准输入是文本，标准输出是 WAV，如 espeak-ng -v cmn-latn-pinyin -s 160 --stdin --stdout", false},
	{"ivr.tts_url", "", "语音合成服务：POST 文本（text/plain），返回 WAV", true},
	{"ivr.tts_engine", "", "没有语音合成时，FreeSWITCH 自己朗读所用的引擎", false},
	{"ivr.tts_voice", "", "同上，所用的声音", false},
}

// check refuses settings of the hotline that cannot work.
func (c *hotlineConfig) check() error {
	for _, d := range c.Departments {
		if len(strings.Split(d, "=")) != 3 {
			return usage("ivr.departments 中的“%s”应写成 领域代码=部门名称=电话", d)
		}
	}
	if strings.ContainsAny(c.TTSCommand, `"'`) || c.TTSCommand != "" && strings.TrimSpace(c.TTSCommand) == "" {
		return usage("ivr.tts_command 按空白拆成程序和参数，不经过 shell，引号不起作用；参数中有空白时，请写成脚本，这里写脚本的路径")
	}
	if c.TTSCommand != "" && c.TTSURL != "" {
		return usage("ivr.tts_command 和 ivr.tts_url 只能用一个")
	}
	if u, err := url.Parse(c.TTSURL); err != nil || c.TTSURL != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return usage("ivr.tts_url 应为 http:// 或 https:// 开头的网址")
	}
	if c.CallbackDays < 0 || c.CallbackDays > 365 {
		return usage("ivr.callback_days 应在 0 到 365 之间，现在是 %d", c.CallbackDays)
	}
	for _, key := range splitKeys(c.CallbackKeys) {
		if len(key) < 16 {
			return usage("ivr.callback_keys 的每个密钥至少 16 个字符，有一个是 %d 个", len(key))
		}
	}
	if c.TurnRate < 0 {
		return usage("ivr.turn_rate 不能为负")
	}
	edge, err := c.edge()
	if err == nil {
		err = edge.Check()
	}
	if err != nil {
		return usage("ivr：%s", err)
	}
	return nil
}

// unknownSectors lists the sectors in the settings that the catalogue does not
// have: nothing comes of them. check cannot tell, as the catalogue is in the
// database.
func (c *hotlineConfig) unknownSectors(catalog *disclosure.Catalog) []string {
	var unknown []string
	look := func(setting, code string) {
		if !slices.ContainsFunc(catalog.Sectors, func(s disclosure.Sector) bool { return s.Code == code }) {
			unknown = append(unknown, setting+" 中的 "+code)
		}
	}
	for _, d := range c.Departments {
		code, _, _ := strings.Cut(d, "=")
		look("ivr.departments", code)
	}
	for _, code := range c.Sectors {
		look("ivr.sectors", code)
	}
	return unknown
}

// checkHotline is what doctor says of the hotline's settings.
func checkHotline(ctx context.Context, c *config) (string, error) {
	s, err := c.lookAt(ctx)
	if err != nil {
		return "", err
	}
	if s == nil {
		return "数据库还没有建立，领域代码未核对", nil
	}
	defer func() { _ = s.Close() }()
	head, err := s.Head(ctx)
	if err != nil {
		return "", err
	}
	if unknown := c.IVR.unknownSectors(head.Catalog); len(unknown) > 0 {
		return "", fmt.Errorf("目录中没有这些领域，配置不起作用：%s", strings.Join(unknown, "、"))
	}
	return "责任部门和菜单顺序中的领域都在目录中", nil
}

// splitKeys reads keys joined by commas.
func splitKeys(list string) [][]byte {
	var keys [][]byte
	for key := range strings.SplitSeq(list, ",") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, []byte(key))
		}
	}
	return keys
}

// edge is the configuration as the edge takes it, without what needs the
// machine: a voice and a kept key.
func (c *hotlineConfig) edge() (handlers.HotlineConfig, error) {
	out := handlers.HotlineConfig{Keys: splitKeys(c.SigningKeys), Name: c.Name, Operator: c.Operator, AfterHours: c.AfterHours, Supervision: c.Supervision,
		Departments: map[string]handlers.Department{}, Sectors: c.Sectors, AlwaysOpen: c.AlwaysOpen, NoCallbacks: !c.Callback, TurnRate: c.TurnRate,
		Keymap: handlers.Keymap{Operator: c.KeyOperator, Back: c.KeyBack, More: c.KeyMore, Repeat: c.KeyRepeat, Handoff: c.KeyHandoff},
		Wording: handlers.Wording{Greeting: c.WordsGreeting, Operator: c.WordsOperator, AfterHours: c.WordsAfterHours,
			Failure: c.WordsFailure, Goodbye: c.WordsGoodbye, Handoff: c.WordsHandoff, Callback: c.WordsCallback},
		SpeakEngine: c.TTSEngine, SpeakVoice: c.TTSVoice}
	for _, d := range c.Departments {
		part := strings.Split(d, "=")
		out.Departments[part[0]] = handlers.Department{Name: part[1], Number: part[2]}
	}
	for _, text := range c.OfficeHours {
		span, err := handlers.ParseHourSpan(text)
		if err != nil {
			return out, fmt.Errorf("office_hours 中的“%s”应写成 09:00-12:00", text)
		}
		out.OfficeHours = append(out.OfficeHours, span)
	}
	return out, nil
}

// hotline makes the edge's configuration of the hotline. Without keys one is made
// up and kept in the data directory; several processes need a common one.
func (p *program) hotline(a *app) (handlers.HotlineConfig, error) {
	c := a.config.IVR
	out, err := c.edge()
	if err != nil {
		return out, err
	}
	if unknown := c.unknownSectors(a.cache.Catalog()); len(unknown) > 0 {
		a.log.Warn("the catalogue has no such sectors; these settings of the hotline have no effect", "settings", unknown)
	}
	out.AlwaysOpen = out.AlwaysOpen || a.config.Demo
	out.AudioDir, out.VoiceID = filepath.Join(a.config.Data, "ivr-audio"), c.TTSCommand+c.TTSURL // one of them is empty
	switch {
	case c.TTSCommand != "":
		words := strings.Fields(c.TTSCommand)
		if _, err := exec.LookPath(words[0]); err != nil {
			return out, fmt.Errorf("ivr.tts_command：没有程序“%s”", words[0])
		}
		out.Voice = commandVoice(words)
	case c.TTSURL != "":
		out.Voice = httpVoice(c.TTSURL)
	}
	if len(out.Keys) > 0 {
		return out, nil
	}
	if a.config.sqliteFile() == "" {
		a.log.Warn("the hotline's signing key is made up by this process; set ivr.signing_keys so that several processes share one")
	}
	key, err := keptKey(filepath.Join(a.config.Data, "ivr.key"))
	out.Keys = [][]byte{key}
	return out, err
}

// keptKey reads the key in the file, or makes one up and keeps it there.
func keptKey(path string) ([]byte, error) {
	if b, err := os.ReadFile(path); err == nil && len(bytes.TrimSpace(b)) >= 16 {
		return bytes.TrimSpace(b), nil
	}
	key := []byte(newSecret())
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("热线密钥：%w", err)
	}
	if err := os.WriteFile(path, append(key, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("热线密钥：%w", err)
	}
	return key, nil
}

const maxVoiceBytes = 32 << 20

// commandVoice runs a program that reads standard input aloud. The text never
// passes through a shell.
type commandVoice []string

// Speak implements handlers.Voice.
func (v commandVoice) Speak(ctx context.Context, text string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, v[0], v[1:]...)
	cmd.Stdin = strings.NewReader(text)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v[0], err)
	}
	return out, nil
}

// httpVoice posts text to a service that returns a WAV file.
type httpVoice string

// Speak implements handlers.Voice.
func (v httpVoice) Speak(ctx context.Context, text string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(v), strings.NewReader(text))
	if err != nil {
		return nil, errors.New("the address of the voice service is wrong")
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
		req.URL.User = nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		if cause, ok := errors.AsType[*url.Error](err); ok {
			err = cause.Err // without the address, which may hold a key
		}
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the voice service answers %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxVoiceBytes))
}
