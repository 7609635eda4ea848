package handlers_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/web"
)

// device is a terminal as its script acts.
type device struct {
	w              *world
	id, secret     string
	code           string
	cookie, report string
}

func (w *world) device(t *testing.T) *device {
	t.Helper()
	r := w.call(t, "POST", "/api/v1/kiosk/pair", opts{body: object{}, want: 201})
	return &device{w: w, id: r.text("device_id"), secret: r.text("claim_secret"), code: r.text("pairing_code"), report: `{"ui_rev":"abc","seq":3}`}
}

func (d *device) claim(t *testing.T, want int) reply {
	t.Helper()
	r := d.w.call(t, "POST", "/api/v1/kiosk/claim", opts{body: object{"device_id": d.id, "claim_secret": d.secret}, want: want})
	if set := r.header.Get("Set-Cookie"); set != "" {
		d.cookie, _, _ = strings.Cut(set, ";")
	}
	return r
}

func (d *device) beat(t *testing.T, want int) reply {
	t.Helper()
	return d.w.call(t, "POST", "/api/v1/kiosk/heartbeat", opts{body: d.report, want: want, header: map[string]string{"Cookie": d.cookie}})
}

func (w *world) approve(t *testing.T, who, code string, want int) reply {
	t.Helper()
	return w.call(t, "POST", "/api/v1/staff/kiosks/"+code+"/approve", opts{as: who, body: object{"name": "一号机", "location": "一楼大厅"}, want: want})
}

// TestKioskDevice takes a terminal from its pairing code to its revocation over
// HTTP.
func TestKioskDevice(t *testing.T) {
	w := start(t)
	d := w.device(t)
	if len(d.code) != 6 || len(d.secret) < 40 {
		t.Fatalf("pairing: %+v", d)
	}
	if r := d.claim(t, 202); r.text("status") != "pending" || d.cookie != "" {
		t.Errorf("a claim before the approval: %s", r.body)
	}
	d.beat(t, 401)
	w.approve(t, "editor", d.code, 403)
	if r := w.approve(t, "admin", d.code, 200); r.text("health") != "new" || r.text("name") != "一号机" || r.holds(d.code) {
		t.Errorf("approved: %s", r.body)
	}
	claimed := d.claim(t, 200)
	cookie := claimed.header.Get("Set-Cookie")
	for _, must := range []string{"HttpOnly", "secure", "SameSite=Strict", "path=/api/v1/kiosk"} {
		if !strings.Contains(strings.ToLower(cookie), strings.ToLower(must)) {
			t.Errorf("the cookie lacks %s: %s", must, cookie)
		}
	}
	if claimed.holds(strings.TrimPrefix(d.cookie, "gongkai_kiosk=")) {
		t.Error("the token is in the body, where a script reads it")
	}
	if r := d.beat(t, 200); r.text("name") != "一号机" || r.text("ui_rev") != web.Revision() || r.number("interval_s") != 60 {
		t.Errorf("heartbeat: %s", r.body)
	}
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{{0, "online"}, {2 * time.Minute, "online"}, {16 * time.Second, "late"}, {2 * time.Minute, "offline"}} {
		w.advance(tt.after)
		r := w.call(t, "GET", "/api/v1/staff/kiosks", opts{as: "auditor"})
		if r.text("items.0.health") != tt.want || r.number("items.0.report.seq") != 3 {
			t.Errorf("%v later: %s", tt.after, r.body)
		}
	}
	w.call(t, "POST", "/api/v1/staff/kiosks/"+d.id+"/revoke", opts{as: "reviewer", want: 403})
	w.call(t, "POST", "/api/v1/staff/kiosks/"+d.id+"/revoke", opts{as: "admin", want: 200})
	if r := d.beat(t, 403); r.text("code") != "kiosk.revoked" {
		t.Errorf("a revoked device: %s", r.body)
	}
	w.call(t, "POST", "/api/v1/staff/kiosks/"+d.id+"/revoke", opts{as: "admin", want: 404})
}

// TestKioskBadInput: what a broken or hostile device may send.
func TestKioskBadInput(t *testing.T) {
	w := start(t)
	d := w.device(t)
	w.approve(t, "admin", d.code, 200)
	d.claim(t, 200)
	for body, want := range map[string]int{
		`{"search":"张三"}`: 400, `{"uptime_s":-1}`: 400, `{"errors":["看了低保名单"]}`: 400, `{"seq":"7"}`: 400, `[`: 400,
		`{"clock_skew_s":-90000000}`: 200, ``: 200,
	} {
		d.report = body
		d.beat(t, want)
	}
	w.call(t, "POST", "/api/v1/kiosk/claim", opts{body: object{"device_id": d.id}, want: 404})
	w.call(t, "POST", "/api/v1/kiosk/pair", opts{body: object{"code": "000000"}, want: 400})
	for _, text := range []string{"一号机\n二号机", "一号机\a", "\u202e机号一"} {
		waiting := w.device(t).code
		for _, field := range []string{"name", "location"} {
			r := w.call(t, "POST", "/api/v1/staff/kiosks/"+waiting+"/approve", opts{as: "admin", body: object{field: text}, want: 400})
			if r.text("errors.0.field") != field {
				t.Errorf("%s %q: %s", field, text, r.body)
			}
		}
	}
	for _, code := range []string{"12345", "abcdef", "1234567", "%20"} {
		w.approve(t, "admin", code, 404)
	}
}

// TestPairingIsLimited: neither pairings nor guesses at them come at speed, and
// others are not held up.
func TestPairingIsLimited(t *testing.T) {
	w := start(t)
	for range 12 {
		w.device(t)
	}
	if r := w.call(t, "POST", "/api/v1/kiosk/pair", opts{want: 429}); r.header.Get("Retry-After") == "" {
		t.Error("429 does not say when to come back")
	}
	limited := 0
	for i := range 20 {
		if w.approve(t, "admin", fmt.Sprintf("%06d", i), anyStatus).status == 429 {
			limited++
		}
	}
	if limited < 6 {
		t.Errorf("only %d of 20 wrong codes were held up", limited)
	}
	w.advance(time.Minute)
	d := w.device(t)
	w.approve(t, "admin", d.code, 200)
}

// TestKioskMetrics: operations see each device and how many there are.
func TestKioskMetrics(t *testing.T) {
	w := start(t)
	d := w.device(t)
	w.device(t)
	w.approve(t, "admin", d.code, 200)
	d.claim(t, 200)
	d.beat(t, 200)
	ops := httptest.NewServer(handlers.NewOps(handlers.OpsConfig{Cache: w.cache, Metrics: w.edge.Metrics(), Queries: w.store.Queries,
		Kiosks: w.store, Now: w.Now}))
	defer ops.Close()
	res, err := http.Get(ops.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen := strconv.FormatFloat(float64(w.Now().Unix()), 'g', -1, 64)
	for _, line := range []string{`gongkai_kiosks{health="online"} 1`, `gongkai_kiosks{health="pending"} 1`,
		`gongkai_kiosk_last_seen_timestamp_seconds{id="` + d.id + `",name="一号机"} ` + seen} {
		if !strings.Contains(string(body), line+"\n") {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

// TestSubscribeQR: the code on the kiosk leads to the subscribe page.
func TestSubscribeQR(t *testing.T) {
	w := start(t)
	if r := w.get(t, "/api/v1/kiosk/subscribe-qr.svg?sector=housing"); r.header.Get("Content-Type") != "image/svg+xml" || !r.holds("<svg") {
		t.Errorf("%v %.100s", r.header, r.body)
	}
	w.call(t, "GET", "/api/v1/kiosk/subscribe-qr.svg?sector=nope", opts{want: 400})
}
