package wechatsim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestErrcodeForTheNextCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		send := func() int {
			return code(w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil)))
		}
		w.json("POST", "/demo/sim/faults", object{"faults": []object{
			{"kind": "errcode", "path": "template/send", "errcode": -1, "count": 2, "after": 1},
			{"kind": "errcode", "path": "user/info", "errcode": 45009, "count": -1},
			{"kind": "errcode", "app": "mini", "errcode": 40001, "count": -1},
		}})
		var got []int
		for range 4 {
			got = append(got, send())
		}
		if got[0] != 0 || got[1] != -1 || got[2] != -1 || got[3] != 0 {
			t.Errorf("codes %v, want 0 -1 -1 0", got)
		}
		if n := len(w.sent("p1")); n != 2 {
			t.Errorf("%d cards, want 2: a refused message is not sent", n)
		}
		if items := w.json("GET", "/demo/sim/faults", nil)["items"].([]any); len(items) != 2 {
			t.Errorf("%d faults are left, want the two that last", len(items))
		}
		w.json("DELETE", "/demo/sim/faults", nil)
		if out := w.call("official", "/cgi-bin/user/info?openid="+w.openID("official", "p1"), nil); code(out) != 0 {
			t.Errorf("after clearing: %v", out)
		}
	})
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.json("POST", "/demo/sim/faults", object{"kind": "latency", "path": "token", "seconds": 2.5})
		began := time.Now()
		w.token("official")
		if took := time.Since(began); took != 2500*time.Millisecond {
			t.Errorf("the call took %s, want 2.5 s", took)
		}
	})
}

// Over a real connection: what a client sees when WeChat breaks off.
func TestBrokenAnswers(t *testing.T) {
	w := start(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.act("p1", "follow", nil)
	body := `{"touser":"` + w.openID("official", "p1") + `","template_id":"` + w.template("official", ByFollowing) +
		`","client_msg_id":"k","data":{"thing1":{"value":"标题"},"phrase2":{"value":"更正"},"thing3":{"value":"单位"},"time4":{"value":"09:00"},"thing5":{"value":"说明"}}}`
	token := w.token("official")
	post := func() (*http.Response, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		t.Cleanup(cancel)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+pathTemplate+"?access_token="+token, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return server.Client().Do(req)
	}
	for _, tt := range []struct {
		kind  string
		cards int // afterwards
	}{{"refuse", 0}, {"cut", 1}, {"cut", 1}} {
		w.json("POST", "/demo/sim/faults", object{"kind": tt.kind})
		if res, err := post(); err == nil {
			_ = res.Body.Close()
			t.Errorf("%s: an answer, %s", tt.kind, res.Status)
		} else if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the connection hangs", tt.kind)
		}
		if n := len(w.sent("p1")); n != tt.cards {
			t.Errorf("%s: %d cards, want %d", tt.kind, n, tt.cards)
		}
	}
	w.json("POST", "/demo/sim/faults", object{"kind": "status", "status": "502"})
	res, err := post()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 502 || res.Header.Get("Content-Type") != "text/html" || !strings.Contains(string(b), "<html>") {
		t.Errorf("status: %s %s", res.Status, b)
	}
	if res, err = post(); err != nil {
		t.Fatal(err)
	}
	b, _ = io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.Header.Get("Content-Type") != contentTypeAPI || !strings.HasPrefix(string(b), `{"errcode":0,"errmsg":"ok","msgid":300`) {
		t.Errorf("afterwards: %s %s", res.Header.Get("Content-Type"), b)
	}
}

func TestReceiptFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.act("p1", "accept", object{"template": w.template("official", LongTerm)})
		w.json("POST", "/demo/sim/faults", object{"kind": "receipt", "count": 2})
		w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil))
		w.expectReceipt("<Status><![CDATA[failed: system failed]]></Status>")
		w.call("official", pathBizSend, w.message("official", "p1", LongTerm, nil))
		w.expectReceipt("<ErrorCode>2</ErrorCode>", "<ErrorStatus><![CDATA[failed: system failed]]></ErrorStatus>")
		if n := len(w.sent("p1")); n != 0 {
			t.Errorf("%d cards are shown", n)
		}
	})
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	w := start(t)
	for _, body := range []string{`{}`, `{"kind":"x"}`, `{"kind":"errcode"}`, `{"kind":"cut","count":-2}`, `{"kind":"cut","percent":101}`, `{"kind":"cut","event":"text"}`,
		`{"kind":"duplicate","path":"send"}`, `{"kind":"status","status":200}`, `{"kind":"cut","app":"nobody"}`, `{"kind":"cut","paht":"send"}`, `{"kind":"delay","seconds":1e12}`, `[`} {
		status, text := w.do("POST", "/demo/sim/faults", body)
		if status != 422 && status != 400 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if items := w.json("GET", "/demo/sim/faults", nil)["items"].([]any); len(items) != 0 {
		t.Errorf("%d faults began", len(items))
	}
}
