package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The checkers that judge are shown what they are there to find.

func sentTo(person, code, title string, at time.Time) card {
	url := "https://example.test/n/" + code + "?from=card"
	return card{At: at, Person: person, URL: &url, Data: map[string]struct{ Value string }{"thing1": {title}}}
}

func TestEveryoneOnceFindsTwiceAndMissed(t *testing.T) {
	now := time.Now()
	all := []card{sentTo("甲", "11111111", "", now), sentTo("乙", "11111111", "", now), sentTo("甲", "22222222", "", now), sentTo("乙", "22222222", "", now)}
	codes := []string{"11111111", "22222222"}
	for name, c := range map[string]struct {
		list          []card
		twice, missed int
	}{
		"right":                 {all, 0, 0},
		"one twice":             {append(all[:4:4], all[2]), 1, 0},
		"one three times":       {append(all[:4:4], all[2], all[2]), 2, 0},
		"one missed":            {all[:3], 0, 1},
		"twice for a missed":    {append(all[:3:3], all[0]), 1, 1},
		"of another notice":     {append(all[:4:4], sentTo("甲", "33333333", "", now)), 0, 0},
		"a card without a link": {append(all[:4:4], card{Person: "甲"}), 0, 0},
	} {
		if twice, missed := everyoneOnce(c.list, codes, 2); twice != c.twice || missed != c.missed {
			t.Errorf("%s: %d twice, %d missed, want %d and %d", name, twice, missed, c.twice, c.missed)
		}
	}
}

// Two cards of one revision are found though each has a link of its own.
func TestShownTwiceFindsTheSecondCard(t *testing.T) {
	of := func(person, code, title, why string) card {
		c := sentTo(person, code, title, time.Now())
		*c.URL += "&why=" + why
		return c
	}
	once := []card{of("甲", "11111111", "招标公告", "a"), of("乙", "11111111", "招标公告", "b"), of("甲", "11111111", "更正后的招标公告", "c"), of("甲", "22222222", "招标公告", "d")}
	if got := shownTwice(once); got != "" {
		t.Errorf("once each: %q", got)
	}
	if got := shownTwice(append(once, of("乙", "11111111", "招标公告", "e"))); got != "乙 11111111 招标公告" {
		t.Errorf("twice: %q", got)
	}
}

func TestSentAboutFindsWhatIsLate(t *testing.T) {
	acked := time.Now()
	list := []card{sentTo("甲", "11111111", "", acked.Add(-time.Second)), sentTo("乙", "11111111", "", acked.Add(time.Millisecond)),
		sentTo("乙", "22222222", "", acked.Add(time.Minute))}
	if all, late := sentAbout(list, "11111111", acked); all != 2 || late != 1 {
		t.Errorf("%d cards, %d late, want 2 and 1", all, late)
	}
}

func TestOutOfOrderFindsOlderAfterNewer(t *testing.T) {
	now := time.Now()
	one := func(title string) card { return sentTo("甲", "11111111", title, now) }
	for name, c := range map[string]struct {
		list      []card
		histories int
		wrong     string
	}{
		"in order":            {[]card{one("第1版招标公告"), one("第3版招标公告"), one("第10版招标公告")}, 1, ""},
		"older after newer":   {[]card{one("第2版招标公告"), one("第1版招标公告")}, 1, "甲 has revision 1 of 11111111 after 2"},
		"the same twice":      {[]card{one("第2版招标公告"), one("第2版招标公告")}, 1, "甲 has revision 2 of 11111111 after 2"},
		"9 after 10":          {[]card{one("第10版招标公告"), one("第9版招标公告")}, 1, "revision 9"},
		"of different people": {[]card{one("第2版"), sentTo("乙", "11111111", "第1版", now)}, 2, ""},
		"not one of these":    {[]card{sentTo("甲", "22222222", "第2版", now)}, 0, ""},
		"no revision":         {[]card{one("招标公告")}, 0, ""},
	} {
		histories, wrong := outOfOrder(c.list, map[string]bool{"11111111": true})
		if said := strings.Join(wrong, "; "); histories != c.histories || (said == "") != (c.wrong == "") || !strings.Contains(said, c.wrong) {
			t.Errorf("%s: %d histories, %q, want %d and %q", name, histories, said, c.histories, c.wrong)
		}
	}
}

// The one ID number is found wherever it turns up, and named; a near-miss is not.
func TestWitnessFindsThePerson(t *testing.T) {
	l, err := newLab(settings{seed: 7, redis: "redis://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if len(l.person) != 18 || l.person == l.nearMiss() {
		t.Fatalf("the person is %q", l.person)
	}
	l.sampled.look(l, &l.sampled.pages, "clean", []byte("编号"+l.nearMiss()))
	if len(l.sampled.found) != 0 || l.sampled.pages != 1 {
		t.Errorf("a near-miss is found: %v", l.sampled.found)
	}
	leaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/home" || r.URL.Path == "/metrics" {
			_, _ = w.Write([]byte(`{"x":"` + l.person + `"}`))
		}
	}))
	defer leaking.Close()
	n := &node{lab: l, url: leaking.URL, ops: leaking.URL, log: &logBuffer{}, done: make(chan struct{})}
	_, _ = n.log.Write([]byte("level=INFO id=" + l.person))
	l.nodes = []*node{n}
	l.witness(t.Context())
	l.sampled.log(l, n)
	l.nodes = nil
	if got := strings.Join(l.sampled.found, ", "); got != "/api/v1/home, metrics, log of "+leaking.URL {
		t.Errorf("found in %s", got)
	}
}

// A promise that is not kept is counted and named.
func TestPromisesThatAreBroken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "2") {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	p := &promises{page: map[string]int{}}
	p.set("11111111", http.StatusOK)
	p.set("11111112", http.StatusOK)
	p.set("11111113", http.StatusGone)
	p.set("11111114", http.StatusGone)
	p.set("11111114", 0) // either is right
	count, first := p.broken(&node{url: server.URL})
	if count != 2 || !strings.Contains(first, ", want ") || p.acknowledged() != 4 {
		t.Errorf("%d broken, first %q, %d made", count, first, p.acknowledged())
	}
}

// Marks made of two are told from true ones.
func TestForeignMarks(t *testing.T) {
	a, b := mark(7, 1), mark(7, 2)
	for text, want := range map[string]int{
		a + " and " + strings.ToUpper(b): 0,
		a[:11] + b[11:]:                  1, // the head of one, the end of another
		a[:9]:                            1, // cut short
		mark(8, 1):                       1, // of another run
	} {
		if _, wrong := foreign(7, []byte(text)); len(wrong) != want {
			t.Errorf("%q: %v, want %d", text, wrong, want)
		}
	}
}

// A refusal that says when to come back is one; another 503, a 500 and no answer
// are failures, and the first is told.
func TestTallyTellsRefusalsFromFailures(t *testing.T) {
	var x tally
	for _, a := range []answer{{status: 200}, {status: 404}, {status: 503, header: http.Header{"Retry-After": {"1"}}},
		{status: 503, path: "/first", header: http.Header{}}, {status: 500, header: http.Header{}}, {}, {err: errNotAsked}} {
		x.see(a)
	}
	if x.ok != 2 || x.refused != 1 || x.failed != 4 || x.unasked != 1 || !strings.Contains(x.first, "/first: status 503") {
		t.Errorf("%s", &x)
	}
}

// A fuzz target that ran out of time has found nothing; one that crashed has,
// whatever else went wrong.
func TestTimeRanOutIsNoCrash(t *testing.T) {
	const late = "fuzz: elapsed: 3s, execs: 40304 (0/sec), new interesting: 104 (total: 108)\n--- FAIL: FuzzParse (3.20s)\n    context deadline exceeded\nFAIL\n"
	for out, want := range map[string]bool{
		late: true,
		"--- FAIL: FuzzParse (0.11s)\n    --- FAIL: FuzzParse (0.00s)\n        testing.go:1591: panic: index out of range\n" +
			"    \n    Failing input written to testdata/fuzz/FuzzParse/e9\n": false,
		"--- FAIL: FuzzParse (0.01s)\n    --- FAIL: FuzzParse/seed#0 (0.00s)\n        parse_test.go:9: context deadline exceeded\n": false,
		late + "    Failing input written to testdata/fuzz/FuzzParse/e9\n":                                                          false,
		"# gongkai/x\nx.go:1:1: expected 'package'\n":                                                                               false,
	} {
		if got := timeRanOut([]byte(out)); got != want {
			t.Errorf("%q: %v", out, got)
		}
	}
}

// frozen is a server that answers nobody between freeze and thaw.
func frozen(t *testing.T) (n *node, freeze, thaw func()) {
	t.Helper()
	var cold atomic.Bool
	warm := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if cold.Load() {
			<-warm
		}
	}))
	t.Cleanup(server.Close)
	return &node{url: server.URL}, func() { cold.Store(true) }, func() { cold.Store(false); close(warm) }
}

// What hangs when the lock is gone is counted from then, and is not waited for
// first.
func TestDuringCountsWhatHangsAfterwards(t *testing.T) {
	n, freeze, thaw := frozen(t)
	reads, back, err := (&lab{}).during(t.Context(), n, "11111111", func() error {
		wait(t.Context(), 100*time.Millisecond)
		freeze()
		wait(t.Context(), 100*time.Millisecond) // some have asked, and wait
		time.AfterFunc(400*time.Millisecond, thaw)
		return nil
	})
	if err != nil || reads.ok == 0 || reads.failed > 0 || back < 300*time.Millisecond {
		t.Errorf("%s, back after %v, %v", reads, back, err)
	}
}

// While a server stands still everybody's turn comes, and all of them wait.
func TestLoadCountsThoseWhoWait(t *testing.T) {
	n, freeze, thaw := frozen(t)
	var x tally
	time.AfterFunc(100*time.Millisecond, freeze)
	time.AfterFunc(400*time.Millisecond, thaw)
	load{rate: 1000, see: x.see, next: func() (*node, string) { return n, "/" }}.forAWhile(t.Context(), 600*time.Millisecond)
	if x.ok < 550 || x.failed > 0 || x.times.at(0.8) < 100*time.Millisecond {
		t.Errorf("%s of 600, %v for four of five", &x, x.times.at(0.8))
	}
}

// A turn for which nobody is free is told, and is a failure.
func TestLoadTellsTurnsItCannotMake(t *testing.T) {
	before := patience
	patience = 50 * time.Millisecond
	t.Cleanup(func() { patience = before })
	n, freeze, thaw := frozen(t)
	freeze()
	time.AfterFunc(300*time.Millisecond, thaw)
	var x tally
	load{rate: 1000, see: x.see, next: func() (*node, string) { return n, "/" }}.forAWhile(t.Context(), 200*time.Millisecond)
	if x.ok != readers || x.unasked < 50 || x.failed != x.unasked || !strings.Contains(x.String(), "could not be asked") {
		t.Errorf("%s", &x)
	}
}

// What is refused is not shared, though the database is not read for it.
func TestRefusalsAreNotShared(t *testing.T) {
	var refusing [2]bool
	var nodes [2]*node
	for i := range nodes {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/metrics":
				_, _ = w.Write([]byte(fromStore + " 7\n"))
			case refusing[i]:
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		defer server.Close()
		nodes[i] = &node{url: server.URL, ops: server.URL}
	}
	for _, c := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		refusing = c
		if got, want := shared(nodes, func() string { return "/a" }), !c[0] && !c[1]; got != want {
			t.Errorf("refusing %v: shared %v", c, got)
		}
	}
}

// A document that is refused is no clean one.
func TestHuntTellsRefusedDocuments(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/home":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/api/v1/notices/12345678/head":
			_, _ = w.Write([]byte("甲的号码"))
		}
	}))
	defer server.Close()
	h := &hunt{words: []string{"乙", "甲"}}
	h.documents(&node{url: server.URL}, "12345678")
	if listed(h.refused) != "/api/v1/home: 503" || listed(h.found) != "/api/v1/notices/12345678/head" {
		t.Errorf("refused %v, found %v", h.refused, h.found)
	}
}

// Not to find what was nowhere to be found is no proof.
func TestPurgeAsksForWhatWasThere(t *testing.T) {
	for want, before := range map[string]map[string][]string{
		"nowhere":              {"/list": {"/list"}, "题": {inRedis, "gongkai.db-wal"}, "文": {"gongkai.db"}},
		"/list":                {"/list": nil, "题": {inRedis, "gongkai.db"}},
		"文":                    {"题": {inRedis, "gongkai.db"}, "文": {inRedis, "log"}},
		"anything in Redis":    {"题": {"gongkai.db"}},
		"anything in Redis, 题": {"题": nil},
	} {
		if got := listed(unfound(before)); got != want {
			t.Errorf("%v: %s, want %s", before, got, want)
		}
	}
}

// A limit that is not asked at all, as on a path that does not exist, is not
// kept.
func TestOnlyAnswersAndRefusalsCountForALimit(t *testing.T) {
	for status, want := range map[int]string{200: "true <nil>", 429: "false <nil>", 404: "error", 503: "error", 0: "error"} {
		passed, err := letThrough(answer{status: status})
		if got := fmt.Sprint(passed, " ", err); got != want && (want != "error" || err == nil) {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

// Nobody drips on a closed port; to be told to go later is no error.
func TestDripNeedsAConnection(t *testing.T) {
	closed, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	if err := dripAll(t.Context(), 3, closed)(); err == nil {
		t.Error("a closed port was dripped on")
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := dripAll(ctx, 3, strings.TrimPrefix(server.URL, "http://"))(); err != nil {
		t.Error(err)
	}
}

// A crash on a disk that cannot be written is no word about it.
func TestLastWordsOnAReadOnlyDisk(t *testing.T) {
	for words, want := range map[string]bool{
		"gongkai: 锁文件：open /x/gongkai.db.lock: read-only file system": true,
		"":                                      false,
		"gongkai: out of luck":                  false,
		"panic: open /x: read-only file system": false,
		"panic: open /x: read-only file system\n\ngoroutine 1 [running]:\nmain.main()": false,
		"SIGBUS: bus error: read-only file system":                                     false,
	} {
		if got := saysReadOnly(words); got != want {
			t.Errorf("%q: %v", words, got)
		}
	}
}

// Only who was under way at a kill may fail.
func TestFailuresAfterAKillAreNotExcused(t *testing.T) {
	at := time.Now()
	kills := []span{{at, at.Add(10)}, {at.Add(100), at.Add(110)}}
	for _, c := range []struct {
		begun, ended, waited time.Duration // waited: between its turn and its beginning
		excused              int
	}{
		{-5, 5, 0, 1}, {5, 50, 0, 1}, {11, 99, 0, 0}, {-9, -1, 0, 0}, {50, 105, 0, 1}, {111, 150, 0, 0},
		{11, 99, 20, 0}, // its turn came before the kill, its request did not
	} {
		var s struck
		s.see(answer{status: http.StatusOK, planned: at, begun: at, took: 5})
		s.see(answer{status: http.StatusInternalServerError, planned: at.Add(c.begun - c.waited), begun: at.Add(c.begun), took: c.ended - c.begun + c.waited})
		if s.excuse(kills); s.failed != 1 || s.inFlight != c.excused {
			t.Errorf("%+v: %d failed, %d excused", c, s.failed, s.inFlight)
		}
	}
}
