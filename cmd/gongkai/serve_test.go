package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

func readSheet(t *testing.T, dir string) demoSheet {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, demoFile))
	if err != nil {
		t.Fatal(err)
	}
	var s demoSheet
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// The demo is the program as a newcomer meets it.
func TestDemoTellsAndDoesTheMainJob(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir, "--demo")
	eventually(t, "the tour's end", func() bool { return strings.Contains(p.out.String(), "按 Ctrl+C 结束") })
	sheet := readSheet(t, dir)
	checkDemoWeChat(t, p, sheet)
	checkDemoPhone(t, p)
	if out, code := cli(t, "push", "doctor", "--data", dir); code != exitOK || strings.Count(out, "字段齐全") != 5 {
		t.Errorf("push doctor on the demo's accounts: exit %d, %s", code, out)
	}
	for _, role := range []string{"editor", "reviewer", "admin", "auditor", "ivr"} {
		if sheet.Tokens[role] == "" {
			t.Errorf("demo.json has no token for %s", role)
		}
	}
	status, sectors := p.call("GET", "/api/v1/sectors", "", nil)
	items, _ := sectors["items"].([]any)
	if status != 200 || len(items) != 7 {
		t.Fatalf("sectors: %d, %v", status, sectors)
	}
	for _, item := range items {
		counts := item.(map[string]any)["counts"].(map[string]any)
		if counts["published"].(float64) < 1 {
			t.Errorf("no demo notice in %v", item.(map[string]any)["code"])
		}
	}
	_, types := p.call("GET", "/api/v1/notice-types", "", nil)
	for _, typ := range types["items"].([]any) {
		code := typ.(map[string]any)["code"].(string)
		if strings.HasSuffix(code, ".correction") || strings.HasSuffix(code, ".termination") {
			continue
		}
		if _, list := p.call("GET", "/api/v1/notices?limit=1&type="+code, "", nil); list["total"].(float64) < 1 {
			t.Errorf("no demo notice of type %s", code)
		}
	}
	if _, list := p.call("GET", "/api/v1/notices?q=%E7%9B%90%E4%B8%9C%E9%95%87+%E9%81%93%E8%B7%AF", "", nil); list["total"].(float64) < 2 {
		t.Errorf("盐东镇 道路 finds %v notices", list["total"])
	}
	_, project := p.call("GET", "/api/v1/projects/"+storyProject, "", nil)
	if stages, _ := project["stages"].([]any); len(stages) < 3 {
		t.Errorf("the demo project has %d stages", len(stages))
	}
	for _, status := range []string{"terminated", "withdrawn"} {
		if _, list := p.call("GET", "/api/v1/staff/notices?status="+status, sheet.Tokens["auditor"], nil); list["total"].(float64) < 1 {
			t.Errorf("no demo notice is %s", status)
		}
	}
	// What is optional over HTTP is so on the command line.
	s := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	_, draft := p.call("POST", "/api/v1/staff/notices", sheet.Tokens["editor"], storetest.Draft(t, s.Catalog(), "land.transfer_notice", "亭土挂告字〔2026〕1号地块出让公告"))
	code, _ := draft["code"].(string)
	if status, out := p.call("POST", "/api/v1/staff/notices/"+code+"/submit", sheet.Tokens["editor"], nil); status != 200 {
		t.Fatalf("submit: %d %v", status, out)
	}
	if out, exit := cli(t, "notice", "publish", code, "--as", sheet.Tokens["reviewer"], "--data", dir); exit != exitOK {
		t.Errorf("publish from the command line: exit %d, %s", exit, out)
	}
	checkMetricsAreTold(t, p)
	p.stop(syscall.SIGINT)
}

// checkMetricsAreTold compares what a running server counts with what operators
// are told that it means.
func checkMetricsAreTold(t *testing.T, p *process) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(p.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	scrape, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	families := regexp.MustCompile(`(?m)^# TYPE (gongkai_\w+) `).FindAllSubmatch(scrape, -1)
	for _, family := range families {
		if !bytes.Contains(page, append([]byte("`"), family[1]...)) {
			t.Errorf("docs/operations.md does not say what %s is", family[1])
		}
	}
	if len(families) < 20 {
		t.Errorf("only %d families", len(families))
	}
}

// checkDemoPhone copies the telephone conversation that the demo prints into a
// shell, and hears what it says there.
func checkDemoPhone(t *testing.T, p *process) {
	t.Helper()
	_, talk, _ := strings.Cut(p.out.String(), "打热线")
	talk, _, _ = strings.Cut(talk, "\n\n")
	var script, want []string
	for line := range strings.SplitSeq(talk, "\n") {
		if said, found := strings.CutPrefix(line, "    "); found && len(want) < strings.Count(strings.Join(script, "\n"), "\n  press ") {
			want = append(want, said)
		} else if strings.HasPrefix(line, "  ") {
			script = append(script, line)
		}
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", strings.Join(script, "\n")).CombinedOutput()
	if got := strings.TrimSpace(string(out)); err != nil || got != strings.Join(want, "\n") || len(want) != len(demoKeys) {
		t.Errorf("%v: the printed conversation is\n%s\nand copied says\n%s", err, talk, got)
	}
	if !strings.Contains(talk, "东闸路道路改造工程") || !strings.Contains(talk, "公告编号是") || !strings.Contains(talk, "转接人工") {
		t.Errorf("the conversation misses its point:\n%s", talk)
	}
}

// A started demo goes on where it was, and its data is for nothing else.
func TestDemoDataIsKeptApart(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir, "--demo")
	before := readSheet(t, dir)
	person := meetSomebody(t, p)
	p.stop(syscall.SIGTERM)
	p = serve(t, dir, "--demo")
	knowAgain(t, p, readSheet(t, dir), person)
	if after := readSheet(t, dir); after.Tokens["editor"] != before.Tokens["editor"] {
		t.Error("a second start of the demo made new tokens")
	}
	p.stop(syscall.SIGTERM)
	if out, code := cli(t, "serve", "--data", dir); code != exitUsage || !strings.Contains(out, "演示数据") {
		t.Errorf("serve on demo data: exit %d, %s", code, out)
	}
	real := t.TempDir()
	if out, code := cli(t, "token", "create", "--name", "甲", "--role", "admin", "--data", real); code != exitOK {
		t.Fatal(out)
	}
	if out, code := cli(t, "serve", "--demo", "--data", real); code != exitUsage || !strings.Contains(out, "真实数据") {
		t.Errorf("demo on real data: exit %d, %s", code, out)
	}
	if out, code := cli(t, "serve", "--demo", "--data", dir, "--database", "sqlite:"+filepath.Join(real, databaseFile)); code != exitUsage || !strings.Contains(out, "不是这次演示的") {
		t.Errorf("demo on another's database: exit %d, %s", code, out)
	}
}

func newToken1(t *testing.T, data, name, role string, more ...string) string {
	t.Helper()
	out, code := cli(t, append([]string{"token", "create", "--name", name, "--role", role, "--data", data, "--json"}, more...)...)
	var made struct{ ID, Token, Role string }
	if err := json.Unmarshal([]byte(out), &made); code != exitOK || err != nil || made.Role != role || made.ID == "" {
		t.Fatalf("token create: exit %d, %v, %s", code, err, out)
	}
	return made.Token
}

// One server a file; commands beside it are seen within a second.
func TestCommandsBesideARunningServer(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	if out, code := cli(t, "serve", "--data", dir, "--listen", freeAddr(t), "--ops-listen", freeAddr(t)); code != exitFailed || !strings.Contains(out, "另一个 gongkai serve") {
		t.Errorf("a second serve: exit %d, %s", code, out)
	}
	editor, reviewer := newToken1(t, dir, "李录入", "editor"), newToken1(t, dir, "王核验", "reviewer")
	s := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	draft, err := storetest.Content(t, s.Catalog(), "land.transfer_notice", "亭土挂告字〔2026〕1号地块出让公告").Draft()
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(draft)
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, "drafts.jsonl", string(line)+"\n\n")
	out, code := cli(t, "notice", "import", file, "--as", editor, "--data", dir, "--submit", "--json")
	var report struct{ Created []string }
	if err := json.Unmarshal([]byte(out), &report); code != exitOK || err != nil || len(report.Created) != 1 {
		t.Fatalf("import: exit %d, %v, %s", code, err, out)
	}
	notice := report.Created[0]
	if out, code := cli(t, "notice", "publish", notice, "--as", editor, "--data", dir); code != exitFailed || !strings.Contains(out, "核验") {
		t.Errorf("publish by the author: exit %d, %s", code, out)
	}
	if out, code := cli(t, "notice", "publish", notice, "--as", reviewer, "--data", dir); code != exitFailed || !strings.Contains(out, "保密审查") {
		t.Errorf("publish without the secrecy review: exit %d, %s", code, out)
	}
	if out, code := cli(t, "notice", "publish", notice, "--as", reviewer, "--data", dir, "--secrecy-result", "不涉密"); code != exitOK {
		t.Fatalf("publish: exit %d, %s", code, out)
	}
	published := time.Now()
	eventually(t, "the notice on the running server", func() bool {
		status, _ := p.call("GET", "/api/v1/notices/"+notice, "", nil)
		return status == 200
	})
	if took := time.Since(published); took > 2*time.Second { // a second, and the machine's own slowness
		t.Errorf("visible only after %s", took)
	}
	if out, code := cli(t, "notice", "withdraw", notice, "--as", reviewer, "--data", dir, "--reason", "信息有误"); code != exitOK {
		t.Fatalf("withdraw: exit %d, %s", code, out)
	}
	eventually(t, "the withdrawal on the running server", func() bool {
		status, problem := p.call("GET", "/api/v1/notices/"+notice, "", nil)
		return status == 410 && strings.Contains(problem["detail"].(string), "信息有误")
	})
	for _, args := range [][]string{{"audit", "verify"}, {"doctor"}, {"notice", "list"}, {"notice", "show", notice}, {"token", "list"},
		{"catalog", "list", "bodies"}, {"migrate"}, {"backup", "create"}} {
		if out, code := cli(t, append(args, "--data", dir)...); code != exitOK {
			t.Errorf("%v: exit %d, %s", args, code, out)
		}
	}
	p.stop(syscall.SIGTERM)
}

// A successor takes over the sockets; not one request fails, kept alive or not.
func TestUpgradeFailsNoRequest(t *testing.T) {
	dir := t.TempDir()
	p := serve(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	for i := range 8 {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: i%2 == 0}, Timeout: 20 * time.Second}
		clients.Go(func() {
			for ctx.Err() == nil {
				req, _ := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, fmt.Sprintf("%s/api/v1/notices?limit=%d", p.url, 1+asked.Add(1)%100), nil)
				res, err := client.Do(req)
				if err != nil {
					failed.Add(1)
					t.Logf("failed: %v", err)
					continue
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusTooManyRequests {
					failed.Add(1)
					t.Logf("status %d", res.StatusCode)
				}
			}
		})
	}
	for generation := range 3 {
		pid := p.pid()
		if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
			t.Fatal(err)
		}
		eventually(t, fmt.Sprintf("successor %d", generation+1), func() bool {
			return strings.Count(p.out.String(), `"msg":"serving"`) == generation+2 && p.pid() != pid && syscall.Kill(pid, 0) != nil
		})
	}
	stop()
	clients.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	if err := syscall.Kill(p.pid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last successor's end", func() bool {
		_, code := cli(t, "healthcheck", "--ops-listen", strings.TrimPrefix(p.ops, "http://"))
		return code != exitOK
	})
}

// pid returns the process that serves now: the one whose line stands last.
func (p *process) pid() int {
	pid := p.cmd.Process.Pid
	for line := range strings.SplitSeq(p.out.String(), "\n") {
		var entry struct {
			Msg string
			PID int
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			pid = entry.PID
		}
	}
	return pid
}

// The server answers what it can when the disk is full, and loses nothing.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("no tmpfs without root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	p := serve(t, dir)
	editor := newToken1(t, dir, "李录入", "editor")
	s := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	draft := storetest.Draft(t, s.Catalog(), "construction.tender_notice", "占满磁盘的公告")
	draft.BodyHTML = "<p>" + strings.Repeat("公告正文。", 30_000) + "</p>"
	var kept []string
	full := false
	for range 200 {
		status, out := p.call("POST", "/api/v1/staff/notices", editor, draft)
		if status == http.StatusCreated {
			kept = append(kept, out["id"].(string))
			continue
		}
		if status != http.StatusInsufficientStorage || out["code"] != string(disclosure.CodeStoreFull) {
			t.Fatalf("on a full disk: %d %v", status, out)
		}
		full = true
		break
	}
	if !full || len(kept) == 0 {
		t.Fatalf("the disk did not fill up after %d drafts", len(kept))
	}
	for _, id := range kept {
		if status, _ := p.call("GET", "/api/v1/staff/notices/"+id, editor, nil); status != http.StatusOK {
			t.Errorf("acknowledged draft %s: %d", id, status)
		}
	}
	if status, _ := p.call("GET", "/api/v1/catalog", "", nil); status != http.StatusOK {
		t.Errorf("catalogue on a full disk: %d", status)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if status, out := p.call("POST", "/api/v1/staff/notices", editor, draft); status != http.StatusCreated {
		t.Errorf("with space again: %d %v", status, out)
	}
	p.stop(syscall.SIGTERM)
	if out, code := cli(t, "audit", "verify", "--data", dir); code != exitOK {
		t.Errorf("audit verify: exit %d, %s", code, out)
	}
}
