package telephone

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is the demo under test.
var server struct {
	URL    string               `json:"url"`
	OpsURL string               `json:"ops_url"`
	Tokens struct{ IVR string } `json:"tokens"`
	code   string               // of a notice in it
}

func TestMain(m *testing.M) {
	flag.Parse()
	// The calls wait for the clock, not for a processor.
	_ = flag.Set("test.parallel", "16")
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for _, program := range []string{"sipp", "espeak-ng"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("GONGKAI_TEST_ALL") != "" {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			fmt.Fprintf(os.Stderr, "no %s: no calls are placed\n", program)
			return 0
		}
	}
	dir, err := os.MkdirTemp("", "gongkai-telephone.")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	stop, err := serve(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stop()
	return m.Run()
}

// serve builds the program and starts its demo with a voice.
func serve(dir string) (stop func(), err error) {
	program := filepath.Join(dir, "gongkai")
	build := exec.Command("go", "build", "-o", program, "./cmd/gongkai")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building: %w: %s", err, out)
	}
	data := filepath.Join(dir, "data")
	cmd := exec.Command(program, "serve", "--demo", "--data", data, "--listen", free(), "--ops-listen", free())
	// Spoken fast: what is heard matters less than when.
	cmd.Env = append(os.Environ(), "GONGKAI_IVR__TTS_COMMAND=espeak-ng -v cmn-latn-pinyin -s 400 --stdin --stdout")
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = out.Close()
	}
	for range 300 {
		if ready(data) {
			return stop, nil
		}
		time.Sleep(100 * time.Millisecond) // another process; nothing tells when it is ready
	}
	stop()
	log, _ := os.ReadFile(out.Name())
	return nil, fmt.Errorf("the demo does not come up: %s", log)
}

// ready reads what the demo wrote about itself, and a notice.
func ready(data string) bool {
	b, err := os.ReadFile(filepath.Join(data, "demo.json"))
	if err != nil || json.Unmarshal(b, &server) != nil {
		return false
	}
	var list struct{ Items []struct{ Code string } }
	b, err = get(server.URL + "/api/v1/notices?type=construction.tender_notice&limit=1")
	if err != nil || json.Unmarshal(b, &list) != nil || len(list.Items) == 0 {
		return false
	}
	server.code = list.Items[0].Code
	return true
}

func free() string {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func get(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	return io.ReadAll(res.Body)
}

// ended is how many calls the server was told of that ended in a node.
func ended(t *testing.T, node string) float64 {
	t.Helper()
	b, err := get(server.OpsURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), `gongkai_ivr_turns_total{event="ended",node="`+node+`"} `); ok {
			n, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// place has the caller call a gateway of its own and returns what that saw.
func place(t *testing.T, c Caller, adjust ...func(*Gateway)) []*Call {
	t.Helper()
	g := &Gateway{URL: server.URL, Token: server.Tokens.IVR, Client: &http.Client{Timeout: 3 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 64}}, Hurry: 3}
	for _, f := range adjust {
		f(g)
	}
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Number = "12345"
	err := c.Place(t.Context(), g, t.TempDir())
	calls := g.Close()
	for _, call := range calls {
		if err != nil || call.Err != nil {
			t.Errorf("%v", call)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != max(c.Calls, 1) {
		t.Fatalf("%d calls came, want %d", len(calls), max(c.Calls, 1))
	}
	return calls
}

// String tells the conversation.
func (c *Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "call %s, left %v, referred to %q, error %v\n", c.ID, c.Left, c.Referred, c.Err)
	for _, t := range c.Turns {
		fmt.Fprintf(&b, "  %s %q → %s %s in %v, played %d of %d: %s\n", t.Event, t.Digits, t.Answer.Action, t.Answer.Node(), t.Took, t.Played, t.Whole, t.Answer.Prompt)
	}
	return b.String()
}

// nodes are the places a call came through.
func (c *Call) nodes() []string {
	var out []string
	for _, t := range c.Turns {
		if t.Answer.Action == actionCollect {
			out = append(out, t.Answer.Node())
		}
	}
	return out
}

func wantCall(t *testing.T, c *Call, referred string, nodes ...string) {
	t.Helper()
	if !slices.Equal(c.nodes(), nodes) || c.Referred != referred {
		t.Errorf("through %v to %q, want %v to %q: %v", c.nodes(), c.Referred, nodes, referred, c)
	}
}

// TestIVR23MenuBranch goes down the menu to a notice and to its code, and asks
// for a person.
func TestIVR23MenuBranch(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{500 * time.Millisecond, "1"}, {1500 * time.Millisecond, "1"}, {2500 * time.Millisecond, "2"},
		{3500 * time.Millisecond, "1"}, {4500 * time.Millisecond, "8"}, {5500 * time.Millisecond, "0"}}})[0]
	wantCall(t, c, "12345", "greet", "root", "sectors", "list", "detail", "handoff")
	if code := c.Turns[5].Answer.Handoff.Code; len(code) != 8 {
		t.Errorf("the code to take along is %q", code)
	}
	if last := c.Turns[len(c.Turns)-1]; last.Played < last.Whole {
		t.Errorf("the words of the transfer were cut: %d of %d bytes", last.Played, last.Whole)
	}
}

// TestIVR23NumberEntry types the code of a notice and #, ahead of the prompts.
func TestIVR23NumberEntry(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{300 * time.Millisecond, "12" + server.code + "#"}, {5 * time.Second, "0"}}})[0]
	wantCall(t, c, "12345", "greet", "root", "progress", "detail")
	if got := c.Turns[3]; got.Digits != server.code+"#" || got.Answer.Handoff.Code != server.code {
		t.Errorf("typed %s#, heard of %s: %v", server.code, got.Answer.Handoff.Code, c)
	}
}

// TestIVR23EntryWithoutEnd stops in the middle of a number; what was typed is
// looked up once the caller pauses.
func TestIVR23EntryWithoutEnd(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{300 * time.Millisecond, "12777"}, {8 * time.Second, "0"}}})[0]
	wantCall(t, c, "12345", "greet", "root", "progress", "progress")
	if got := c.Turns[3]; got.Digits != "777" || !strings.Contains(got.Answer.Prompt, "至少输入六位") {
		t.Errorf("three digits: %v", c)
	}
}

// TestIVR23HashAlone presses # alone: an empty entry.
func TestIVR23HashAlone(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{300 * time.Millisecond, "12#0"}}})[0]
	wantCall(t, c, "12345", "greet", "root", "progress", "progress")
}

// TestIVR23Callback leaves a number and #, hears it read back and confirms it.
func TestIVR23Callback(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{300 * time.Millisecond, "144"}, {1500 * time.Millisecond, "051588880001#"}, {6 * time.Second, "1"}, {8 * time.Second, "0"}}})[0]
	wantCall(t, c, "12345", "greet", "root", "consult", "callback", "confirm", "noted")
	if got := c.Turns[4]; got.Digits != "051588880001#" || !strings.Contains(got.Answer.Prompt, "零五幺五，八八八八，零零零幺") {
		t.Errorf("the number is not read back: %v", c)
	}
}

// TestIVR23Operator presses 0 at once.
func TestIVR23Operator(t *testing.T) {
	t.Parallel()
	wantCall(t, place(t, Caller{Press: []Press{{500 * time.Millisecond, "0"}}})[0], "12345", "greet")
}

// TestIVR23Silence says nothing: at the greeting a person answers at once, in a
// menu after one repeat.
func TestIVR23Silence(t *testing.T) {
	t.Parallel()
	var both sync.WaitGroup
	both.Go(func() {
		c := place(t, Caller{})[0]
		wantCall(t, c, "12345", "greet")
		if got := c.Turns[0]; got.Played < got.Whole {
			t.Errorf("the greeting was cut: %v", c)
		}
	})
	both.Go(func() {
		c := place(t, Caller{Press: []Press{{500 * time.Millisecond, "1"}}})[0]
		wantCall(t, c, "12345", "greet", "root", "root")
		if c.Turns[1].Answer.Prompt != c.Turns[2].Answer.Prompt {
			t.Errorf("the repeat differs: %v", c)
		}
	})
	both.Wait()
}

// TestIVR23BargeIn presses a key while a prompt plays, which stops it.
func TestIVR23BargeIn(t *testing.T) {
	t.Parallel()
	c := place(t, Caller{Press: []Press{{2500 * time.Millisecond, "1"}, {5 * time.Second, "0"}}})[0]
	wantCall(t, c, "12345", "greet", "root")
	for _, got := range c.Turns[:2] {
		if got.Played == 0 || got.Played == got.Whole {
			t.Errorf("a prompt was played for %d of %d bytes, though a key was pressed: %v", got.Played, got.Whole, c)
		}
	}
}

// slow holds back an answer of the server until the caller has hung up.
type slow struct {
	http.RoundTripper
	held chan struct{} // receives when one is held back
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.RoundTripper.RoundTrip(r)
	if err != nil || r.GetBody == nil {
		return res, err
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	if form, _ := io.ReadAll(body); strings.Contains(string(form), "digits=2") {
		s.held <- struct{}{}
		<-r.Context().Done()
		return nil, errors.Join(r.Context().Err(), res.Body.Close())
	}
	return res, nil
}

// TestIVR23HangUpMidTurn hangs up between a key and its answer, and while a
// prompt plays. The server is told, and where the caller was.
func TestIVR23HangUpMidTurn(t *testing.T) {
	t.Parallel()
	before := ended(t, "root")
	held := make(chan struct{}, 1)
	c := place(t, Caller{Press: []Press{{300 * time.Millisecond, "12"}}, HangUp: 4 * time.Second}, func(g *Gateway) {
		g.Client.Transport, g.Client.Timeout = slow{g.Client.Transport, held}, 0
	})[0]
	wantCall(t, c, "", "greet", "root")
	if !c.Left || len(held) != 1 {
		t.Errorf("the caller hung up before the answer to 2: left %v, held back %d", c.Left, len(held))
	}
	c = place(t, Caller{Press: []Press{{300 * time.Millisecond, "1"}}, HangUp: 3 * time.Second})[0]
	wantCall(t, c, "", "greet", "root")
	if n := ended(t, "root") - before; n != 2 {
		t.Errorf("the server counts %v calls ended in the menu, want 2", n)
	}
}

// TestIVR23Parallel places forty calls at once.
func TestIVR23Parallel(t *testing.T) {
	t.Parallel()
	const calls = 40
	slowest := time.Duration(0)
	for _, c := range place(t, Caller{Calls: calls, Press: []Press{{300 * time.Millisecond, "11"}, {2 * time.Second, "210"}}}) {
		wantCall(t, c, "12345", "greet", "root", "sectors", "list", "detail")
		for _, turn := range c.Turns {
			slowest = max(slowest, turn.Took)
		}
	}
	t.Logf("%d calls at once, slowest turn %v", calls, slowest)
}
