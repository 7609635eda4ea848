package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// outgoing is every message as WeChat reads it; what is empty is left out, for
// WeChat takes an empty object for a wish.
type outgoing struct {
	To          string                `json:"touser"`
	Template    string                `json:"template_id,omitempty"`
	URL         string                `json:"url,omitempty"`  // of a template message
	Page        string                `json:"page,omitempty"` // of a subscribe message
	MiniProgram *miniTarget           `json:"miniprogram,omitempty"`
	State       string                `json:"miniprogram_state,omitempty"`
	Language    string                `json:"lang,omitempty"`
	Key         string                `json:"client_msg_id,omitempty"`
	Data        map[string]fieldValue `json:"data,omitempty"`
	Type        string                `json:"msgtype,omitempty"`
	Text        *textContent          `json:"text,omitempty"`
}

type miniTarget struct {
	AppID string `json:"appid"`
	Page  string `json:"pagepath"`
}

type fieldValue struct {
	Value string `json:"value"`
}

type textContent struct {
	Content string `json:"content"`
}

// Send implements Sender.
func (w *WeChat) Send(ctx context.Context, m Message) (string, error) {
	a, err := w.account(m.App)
	if err != nil {
		return "", err
	}
	out := outgoing{To: m.OpenID, Template: m.Template, Data: map[string]fieldValue{}}
	for _, f := range m.Fields {
		out.Data[f.Key] = fieldValue{f.Text}
	}
	switch m.Channel {
	case disclosure.ChannelTemplate:
		out.URL, out.Key = m.URL, m.Key
		if mini, ok := w.apps["mini"]; ok && m.Page != "" {
			out.MiniProgram = &miniTarget{mini.AppID, m.Page}
		}
	case disclosure.ChannelOfficial:
		out.Page = m.URL
	case disclosure.ChannelMini:
		out.Page, out.State, out.Language = m.Page, "formal", "zh_CN"
	case disclosure.ChannelService:
		out = outgoing{To: m.OpenID, Type: "text", Text: &textContent{m.Text}}
	}
	var answer struct {
		Code *int `json:"errcode"`
		ID   text `json:"msgid"`
	}
	if err := w.post(ctx, a, paths[m.Channel], out, &answer); err != nil {
		return "", err
	}
	if answer.Code == nil {
		return "", &SendError{Path: paths[m.Channel], Class: disclosure.ClassAmbiguous, Text: "the answer is not WeChat's"}
	}
	return string(answer.ID), nil
}

// post calls an API of the account through the guard.
func (w *WeChat) post(ctx context.Context, a *account, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	target := url.URL{Scheme: "https", Host: "api.weixin.qq.com", Path: path, RawQuery: url.Values{"access_token": {a.ticket}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return w.read(req, path, out)
}

// get asks with the parameters of query, which it completes.
func (w *WeChat) get(ctx context.Context, a *account, path string, query url.Values, out any) error {
	query.Set("access_token", a.ticket)
	target := url.URL{Scheme: "https", Host: "api.weixin.qq.com", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return err
	}
	return w.read(req, path, out)
}

func (w *WeChat) read(req *http.Request, path string, out any) error {
	res, err := w.client.Do(req)
	if err != nil {
		if refusal := new(SendError); errors.As(err, &refusal) {
			return refusal
		}
		return &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "no answer"}
	}
	defer func() { _ = res.Body.Close() }()
	if json.NewDecoder(res.Body).Decode(out) != nil {
		return &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "the answer cannot be read"}
	}
	return nil
}

// Quota returns what WeChat says is left of a channel's day. Errors: *SendError.
func (w *WeChat) Quota(ctx context.Context, app string, channel disclosure.Channel) (disclosure.Quota, error) {
	a, err := w.account(app)
	if err != nil {
		return disclosure.Quota{}, err
	}
	var answer struct {
		Quota struct {
			Limit int `json:"daily_limit"`
			Used  int `json:"used"`
		} `json:"quota"`
	}
	err = w.post(ctx, a, "/cgi-bin/openapi/quota/get", map[string]string{"cgi_path": paths[channel]}, &answer)
	return disclosure.Quota{App: a.AppID, Path: paths[channel], Day: workday.DateOf(w.now()).String(), Used: answer.Quota.Used, Limit: answer.Quota.Limit}, err
}

var placeholder = regexp.MustCompile(`\{\{([a-z_]+\d+)\.DATA\}\}`)

// CheckTemplate compares a configured template with what the account has: every
// field of it must be bound, and nothing else. Errors: CodeTemplate, *SendError.
func (w *WeChat) CheckTemplate(ctx context.Context, t disclosure.CardTemplate) error {
	if t.Channel == disclosure.ChannelService {
		return nil
	}
	content, err := w.templateContent(ctx, t)
	if err != nil {
		return err
	}
	bound := map[string]bool{}
	for _, f := range t.Fields {
		if err := disclosure.BindField(f.Key, f.Value); err != nil {
			return err
		}
		bound[f.Key] = true
	}
	var missing []string
	for _, m := range placeholder.FindAllStringSubmatch(content, -1) {
		if !bound[m[1]] {
			missing = append(missing, m[1])
		}
		delete(bound, m[1])
	}
	var extra []string
	for key := range bound {
		extra = append(extra, key)
	}
	if len(missing)+len(extra) > 0 {
		return disclosure.Errorf(disclosure.CodeTemplate, "模板 %s：没有绑定的字段 [%s]，模板中没有的字段 [%s]", t.ID, strings.Join(missing, " "), strings.Join(extra, " "))
	}
	return nil
}

// templateContent finds the account's own text of a template.
func (w *WeChat) templateContent(ctx context.Context, t disclosure.CardTemplate) (string, error) {
	a, err := w.account(t.App)
	if err != nil {
		return "", err
	}
	if t.Channel == disclosure.ChannelTemplate {
		list, err := a.template.List()
		if err != nil {
			return "", clean(err, "/cgi-bin/template/get_all_private_template")
		}
		for _, item := range list {
			if item.TemplateID == t.ID {
				return item.Content, nil
			}
		}
		return "", disclosure.Errorf(disclosure.CodeTemplate, "公众号中没有模板 %s", t.ID)
	}
	var answer struct {
		Data []struct {
			ID      string `json:"priTmplId"`
			Content string `json:"content"`
		} `json:"data"`
	}
	if err := w.get(ctx, a, "/wxaapi/newtmpl/gettemplate", url.Values{}, &answer); err != nil {
		return "", err
	}
	for _, item := range answer.Data {
		if item.ID == t.ID {
			return item.Content, nil
		}
	}
	return "", disclosure.Errorf(disclosure.CodeTemplate, "账号中没有订阅消息模板 %s", t.ID)
}

// CheckToken fetches an access token, which also tries the secret and the list
// of addresses. Errors: *SendError.
func (w *WeChat) CheckToken(ctx context.Context, app string) error {
	a, err := w.account(app)
	if err != nil {
		return err
	}
	_, _, err = a.tokens.ask(ctx, false)
	return err
}
