package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// office is the staff: one person enters, another checks.
type office struct {
	editor, reviewer string // tokens
	client           *http.Client
	templates        map[string]json.RawMessage // example values of the fields, by type
	serial           atomic.Int64
}

// notice is a published one, as its readers name it.
type notice struct{ id, code, title string }

// hire issues tokens on the data that args name, and reads the types from a
// running instance.
func (l *lab) hire(ctx context.Context, n *node, args ...string) (*office, error) {
	o := &office{client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		templates: map[string]json.RawMessage{}}
	for _, p := range []struct {
		token      *string
		name, role string
	}{{&o.editor, "李录入", "editor"}, {&o.reviewer, "王核验", "reviewer"}} {
		out, err := l.cli(ctx, append([]string{"token", "create", "--name", p.name, "--role", p.role, "--json"}, args...)...)
		if err != nil {
			return nil, err
		}
		var t struct{ Token string }
		if err := json.Unmarshal(out, &t); err != nil {
			return nil, err
		}
		*p.token = t.Token
	}
	return o, o.learn(ctx, n, l.person)
}

// learn reads the types and their examples, which are of the day. person takes
// the place of the examples' ID number, "" none.
func (o *office) learn(ctx context.Context, n *node, person string) error {
	var types struct {
		Items []struct {
			Code   string
			Fields []struct {
				Key      string
				Required bool
				Example  json.RawMessage
			}
		}
	}
	if err := o.call(ctx, n, "GET", "/api/v1/notice-types?limit=100", "", nil, http.StatusOK, &types); err != nil {
		return err
	}
	for _, t := range types.Items {
		fields := map[string]json.RawMessage{}
		for _, f := range t.Fields {
			if f.Required {
				fields[f.Key] = f.Example
			}
		}
		b, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		o.templates[t.Code] = b
		if person != "" {
			o.templates[t.Code] = bytes.ReplaceAll(b, []byte(exampleID), []byte(person))
		}
	}
	return nil
}

// call asks an instance; out may be nil.
func (o *office) call(ctx context.Context, n *node, method, path, token string, in any, want int, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %.600s", method, path, res.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

const tender, allocation = "construction.tender_notice", "housing.allocation_result"

type object = map[string]any

// draft is a valid draft of the type, made of the types' own examples.
func (o *office) draft(typ, title string) object {
	return object{"type": typ, "title": title, "body_html": "<p>" + title + "</p>", "body": "resource-trading-centre",
		"source": object{"name": "亭湖区公共资源交易平台"}, "fields": o.templates[typ], "region": "320902"}
}

// publish takes a notice through all steps at one instance.
func (o *office) publish(ctx context.Context, n *node, draft object) (notice, error) {
	var made struct{ ID, Code, Title string }
	if err := o.call(ctx, n, "POST", "/api/v1/staff/notices", o.editor, draft, http.StatusCreated, &made); err != nil {
		return notice{}, err
	}
	return notice{made.ID, made.Code, made.Title}, o.release(ctx, n, made.ID)
}

// release submits and publishes a draft.
func (o *office) release(ctx context.Context, n *node, id string) error {
	if err := o.call(ctx, n, "POST", "/api/v1/staff/notices/"+id+"/submit", o.editor, object{}, http.StatusOK, nil); err != nil {
		return err
	}
	return o.call(ctx, n, "POST", "/api/v1/staff/notices/"+id+"/publish", o.reviewer,
		object{"secrecy_review": object{"result": "不涉密", "reason": "已审"}}, http.StatusOK, nil)
}

// publishTender publishes a tender with a title of its own.
func (o *office) publishTender(ctx context.Context, n *node) (notice, error) {
	return o.publish(ctx, n, o.draft(tender, fmt.Sprintf("第%d号道路工程招标公告", o.serial.Add(1))))
}

func (o *office) withdraw(ctx context.Context, n *node, id string, erase bool) error {
	return o.call(ctx, n, "POST", "/api/v1/staff/notices/"+id+"/withdraw", o.reviewer,
		object{"reason": "信息有误", "erase": erase}, http.StatusOK, nil)
}
