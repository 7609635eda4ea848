package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// exampleID is the ID number in the types' own examples, which are public.
const exampleID = "320902199001010006"

// madeUpID is an ID number with a valid check digit (GB 11643).
func (l *lab) madeUpID() string {
	id := fmt.Sprintf("320902%04d%02d%02d%03d", 1950+l.rand.IntN(50), 1+l.rand.IntN(12), 1+l.rand.IntN(28), l.rand.IntN(1000))
	sum := 0
	for i, weight := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(id[i]-'0') * weight
	}
	return id + string("10X98765432"[sum%11])
}

// everywhere are the public documents a reader can ask for; %s is a code.
var everywhere = []string{"/api/v1/notices", "/api/v1/notices/%s", "/api/v1/notices/%s/revisions", "/api/v1/notices/%s/revisions/1",
	"/api/v1/notices/%s/head", "/api/v1/home", "/api/v1/changes", "/api/v1/catalog", "/api/v1/catalog.csv", "/api/v1/feed",
	"/api/v1/notices?q=%%E5%%85%%AC", "/api/v1/notice-types?limit=100"}

// leave has a caller of the hotline leave a number to be called back at, and
// returns all that answered: the turns with their states, and the list of staff.
func (l *lab) leave(ctx context.Context, c *cluster, number string) ([]byte, error) {
	out, err := l.cli(ctx, "token", "create", "--name", "热线", "--role", "ivr", "--json", "--database", c.url)
	if err != nil {
		return nil, err
	}
	var token struct{ Token string }
	if err := json.Unmarshal(out, &token); err != nil {
		return nil, err
	}
	var answers []byte
	var turn struct{ State, Prompt string }
	for _, keys := range []string{"", "1", "4", "4", number + "#", "1"} {
		var raw json.RawMessage
		in := object{"call_id": "prove", "state": turn.State, "digits": keys, "caller": number}
		if err := c.office.call(ctx, c.nodes[0], "POST", "/api/v1/ivr/turn", token.Token, in, http.StatusOK, &raw); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &turn); err != nil {
			return nil, err
		}
		answers = append(answers, raw...)
	}
	if !strings.Contains(turn.Prompt, "号码已经记下") {
		return nil, fmt.Errorf("the hotline took no number: %s", turn.Prompt)
	}
	var list json.RawMessage
	err = c.office.call(ctx, c.nodes[1], "GET", "/api/v1/staff/callbacks", c.office.editor, nil, http.StatusOK, &list)
	if err == nil && !bytes.Contains(list, []byte("****"+number[7:])) {
		err = fmt.Errorf("staff do not see who waits: %s", list)
	}
	return append(answers, list...), err
}

// personalData publishes what holds an ID number, has a caller leave a telephone
// number, and looks for both in all that leaves the office: public answers, logs,
// metrics and Redis.
func personalData(ctx context.Context, l *lab) (outcome, error) {
	c, err := l.cluster(ctx, 2)
	if err != nil {
		return outcome{}, err
	}
	drafts, id, number := 0, l.person, fmt.Sprintf("199%08d", l.rand.IntN(1e8))
	var found []string
	look := func(where string, b []byte) {
		if bytes.Contains(b, []byte(id)) || bytes.Contains(b, []byte(number)) {
			found = append(found, where)
		}
	}
	turns, err := l.leave(ctx, c, number)
	if err != nil {
		return outcome{}, err
	}
	look("turns and the list of staff", turns)
	for typ, fields := range c.office.templates {
		if !bytes.Contains(fields, []byte(id)) {
			continue
		}
		drafts++
		made, err := c.office.publish(ctx, c.nodes[0], c.office.draft(typ, "公示名单"))
		if err != nil {
			return outcome{}, fmt.Errorf("%s: %w", typ, err)
		}
		for _, n := range c.nodes {
			for _, path := range everywhere {
				if strings.Contains(path, "%s") {
					path = fmt.Sprintf(path, made.code)
				}
				look(path, (load{}).get(http.DefaultClient, n, path).body)
			}
		}
	}
	for i, n := range c.nodes {
		look(fmt.Sprintf("log %d", i), n.log.bytes())
		res, err := http.Get(n.ops + "/metrics")
		if err != nil {
			return outcome{}, err
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return outcome{}, err
		}
		look("metrics", b)
	}
	dump, err := l.redisDump(ctx)
	if err != nil {
		return outcome{}, err
	}
	look("Redis", dump)
	found = append(found, l.sampled.found...)
	return outcome{figure: fmt.Sprintf("%d types with an ID number, a caller's number; of the whole run %s; found in: %s", drafts, &l.sampled, listed(found)), mark: "nowhere",
		passed: len(found) == 0 && drafts > 0}, nil
}

func listed(places []string) string {
	if len(places) == 0 {
		return "nowhere"
	}
	return strings.Join(places, ", ")
}

// redisDump returns all that Redis holds, uncompressed.
func (l *lab) redisDump(ctx context.Context) ([]byte, error) {
	// Without the delay, in which Redis waits for more who want the same.
	if err := l.redisDo(ctx, "CONFIG", "SET", "rdbcompression", "no", "repl-diskless-sync-delay", "0"); err != nil {
		return nil, err
	}
	file := filepath.Join(l.dir, "dump.rdb")
	out, err := exec.CommandContext(ctx, "redis-cli", "-u", l.redisURL(), "--rdb", file).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("redis-cli --rdb: %w: %s", err, out)
	}
	return os.ReadFile(file)
}

// purged erases a notice and looks for every word of it on the disk.
func purged(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx, "--redis", l.redisURL())
	if err != nil {
		return outcome{}, err
	}
	secret := fmt.Sprintf("QXJZ%012d", l.rand.Int64N(1e12))
	file, err := o.upload(ctx, n, "%PDF-1.4\n"+secret+"附件\n%%EOF\n")
	if err != nil {
		return outcome{}, err
	}
	for range 20 { // so that the secret does not lie alone on its pages
		if _, err := o.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	draft := o.draft(tender, secret+"号工程招标公告")
	draft["project"] = object{"code": secret, "name": secret}
	draft["attachments"] = []string{file}
	made, err := o.publish(ctx, n, draft)
	if err != nil {
		return outcome{}, err
	}
	var correction struct{ ID string }
	err = o.call(ctx, n, "POST", "/api/v1/staff/notices/"+made.id+"/correct", o.editor,
		object{"reason": secret, "changes": object{"summary": secret + "摘要"}}, http.StatusCreated, &correction)
	if err != nil {
		return outcome{}, err
	}
	if err := o.release(ctx, n, correction.ID); err != nil {
		return outcome{}, err
	}
	for _, path := range []string{"/api/v1/notices", "/api/v1/notices/" + made.code, "/api/v1/notices?q=" + secret} {
		load{}.get(http.DefaultClient, n, path) // so that it is in every cache
	}
	if err := o.withdraw(ctx, n, made.id, true); err != nil {
		return outcome{}, err
	}
	load{}.get(http.DefaultClient, n, "/api/v1/notices")
	wait(ctx, time.Second)
	dump, err := l.redisDump(ctx)
	if err != nil {
		return outcome{}, err
	}
	var found []string
	if bytes.Contains(dump, []byte(secret)) {
		found = append(found, "Redis")
	}
	if bytes.Contains(n.log.bytes(), []byte(secret)) {
		found = append(found, "log")
	}
	backup := filepath.Join(dir, "after.db")
	if _, err := l.cli(ctx, "backup", "create", backup, "--data", dir); err != nil {
		return outcome{}, err
	}
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, word := range []string{secret, strings.ToLower(secret)} { // the index keeps lower case
			if bytes.Contains(b, []byte(word)) {
				found = append(found, d.Name())
			}
		}
		return err
	})
	return outcome{figure: "the erased words are in: " + listed(found), mark: "nowhere", passed: len(found) == 0}, err
}

// upload keeps a file and returns its number.
func (o *office) upload(ctx context.Context, n *node, data string) (string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "附件.pdf")
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(part, data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.url+"/api/v1/staff/attachments", &b)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+o.editor)
	res, err := o.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var made struct{ ID string }
	return made.ID, decode(res, http.StatusCreated, &made)
}
