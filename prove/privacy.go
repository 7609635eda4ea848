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
	"slices"
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

// everywhere are the public documents a reader can ask for; {} is a code.
var everywhere = []string{"/api/v1/notices", "/api/v1/notices/{}", "/api/v1/notices/{}/revisions", "/api/v1/notices/{}/revisions/1",
	"/api/v1/notices/{}/head", "/api/v1/home", "/api/v1/changes", "/api/v1/catalog", "/api/v1/catalog.csv", "/api/v1/feeds/all.atom",
	"/api/v1/feeds/all.json", "/api/v1/deadlines.ics", "/api/v1/notices?q=%E5%85%AC", "/api/v1/notice-types?limit=100"}

// hunt looks for words in what leaves the office.
type hunt struct {
	words          []string
	found, refused []string // where
}

func (h *hunt) look(where string, b []byte) {
	if slices.ContainsFunc(h.words, func(w string) bool { return bytes.Contains(b, []byte(w)) }) {
		h.found = append(h.found, where)
	}
}

// documents looks at all public documents of an instance. One that is refused
// shows nothing, and is no proof.
func (h *hunt) documents(n *node, code string) {
	for _, path := range everywhere {
		path = strings.ReplaceAll(path, "{}", code)
		a := load{}.get(http.DefaultClient, n, path)
		if a.status != http.StatusOK || a.err != nil {
			h.refused = append(h.refused, fmt.Sprintf("%s: %d", path, a.status))
		}
		h.look(path, a.body)
	}
}

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
	h := &hunt{words: []string{id, number}}
	turns, err := l.leave(ctx, c, number)
	if err != nil {
		return outcome{}, err
	}
	h.look("turns and the list of staff", turns)
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
			h.documents(n, made.code)
		}
	}
	for i, n := range c.nodes {
		h.look(fmt.Sprintf("log %d", i), n.log.bytes())
		res, err := http.Get(n.ops + "/metrics")
		if err != nil {
			return outcome{}, err
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return outcome{}, err
		}
		h.look("metrics", b)
	}
	dump, err := l.redisDump(ctx)
	if err != nil {
		return outcome{}, err
	}
	h.look("Redis", dump)
	h.found = append(h.found, l.sampled.found...)
	return outcome{figure: fmt.Sprintf("%d types with an ID number, a caller's number; of the whole run %s; found in: %s; documents refused: %s",
		drafts, &l.sampled, listed(h.found), listed(h.refused)), mark: "nowhere; nothing refused",
		passed: len(h.found)+len(h.refused) == 0 && drafts > 0}, nil
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

// purged erases a notice and looks for every word of it on the disk, where each
// was found before.
func purged(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx, "--redis", l.redisURL())
	if err != nil {
		return outcome{}, err
	}
	secret := fmt.Sprintf("QXJZ%012d", l.rand.Int64N(1e12))
	for range 20 { // so that the secret does not lie alone on its pages
		if _, err := o.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	made, words, err := o.publishSecret(ctx, n, secret)
	if err != nil {
		return outcome{}, err
	}
	before := map[string][]string{}
	for _, path := range []string{"/api/v1/notices", "/api/v1/notices/" + made.code, "/api/v1/notices?q=" + secret} {
		if a := (load{}).get(http.DefaultClient, n, path); bytes.Contains(a.body, []byte(secret)) { // now it is in every cache
			before[path] = []string{path}
		} else {
			before[path] = nil
		}
	}
	for _, word := range words {
		if before[word], err = l.traces(ctx, dir, n, word); err != nil {
			return outcome{}, err
		}
	}
	if blind := unfound(before); len(blind) > 0 {
		return outcome{figure: "before the erasure nowhere to be found: " + listed(blind), mark: "found before, then nowhere"}, nil
	}
	if err := o.withdraw(ctx, n, made.id, true); err != nil {
		return outcome{}, err
	}
	load{}.get(http.DefaultClient, n, "/api/v1/notices")
	wait(ctx, time.Second)
	if _, err := l.cli(ctx, "backup", "create", filepath.Join(dir, "after.db"), "--data", dir); err != nil {
		return outcome{}, err
	}
	var left []string
	for _, word := range []string{secret, strings.ToLower(secret)} { // the index keeps lower case
		found, err := l.traces(ctx, dir, n, word)
		if err != nil {
			return outcome{}, err
		}
		left = append(left, found...)
	}
	return outcome{figure: fmt.Sprintf("%d texts found in public answers, Redis and on the disk before the erasure; after it the erased words are in: %s", len(words), listed(left)),
		mark: "found before, then nowhere", passed: len(left) == 0}, nil
}

// publishSecret publishes and corrects a notice with an attachment, and returns
// its texts, each of which begins with the secret.
func (o *office) publishSecret(ctx context.Context, n *node, secret string) (made notice, words []string, err error) {
	title, reason, summary, attached := secret+"号工程招标公告", secret+"更正", secret+"摘要", secret+"附件"
	file, err := o.upload(ctx, n, "%PDF-1.4\n"+attached+"\n%%EOF\n")
	if err != nil {
		return notice{}, nil, err
	}
	draft := o.draft(tender, title)
	draft["project"] = object{"code": secret, "name": secret}
	draft["attachments"] = []string{file}
	if made, err = o.publish(ctx, n, draft); err != nil {
		return notice{}, nil, err
	}
	var correction struct{ ID string }
	if err := o.call(ctx, n, "POST", "/api/v1/staff/notices/"+made.id+"/correct", o.editor,
		object{"reason": reason, "changes": object{"summary": summary}}, http.StatusCreated, &correction); err != nil {
		return notice{}, nil, err
	}
	return made, []string{title, reason, summary, attached}, o.release(ctx, n, correction.ID)
}

const inRedis = "Redis"

// traces are the places where a word is found: Redis, the log and the files of
// the data directory.
func (l *lab) traces(ctx context.Context, dir string, n *node, word string) (places []string, err error) {
	h := &hunt{words: []string{word}}
	dump, err := l.redisDump(ctx)
	if err != nil {
		return nil, err
	}
	h.look(inRedis, dump)
	h.look("log", n.log.bytes())
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		h.look(d.Name(), b)
		return err
	})
	return h.found, err
}

// unfound are the texts that were nowhere before, and Redis if it had none of
// them: not to find them afterwards would prove nothing.
func unfound(before map[string][]string) (blind []string) {
	redis := false
	for what, places := range before {
		redis = redis || slices.Contains(places, inRedis)
		if len(places) == 0 || !strings.HasPrefix(what, "/") && !slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(p, "gongkai.db") }) {
			blind = append(blind, what)
		}
	}
	if !redis {
		blind = append(blind, "anything in "+inRedis)
	}
	slices.Sort(blind)
	return blind
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
