package wechatsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// endpoint is one call of WeChat's API.
type endpoint struct {
	method string // "" for either
	// open calls need no access_token: they show the appid's secret, or are pages.
	open   bool
	kind   Kind // "" for either
	noJSON bool // a POST without a body
	daily  int64
	minute int64
	handle func(*Sim, *call) outcome // the lock is held
}

// call is one request to the API under judgement.
type call struct {
	path    string
	query   url.Values
	body    []byte
	ip      netip.Addr
	account *account // nil for open calls until they have named one
	now     time.Time
	// concurrent: an earlier message to the same person is still on its way.
	concurrent bool
	// wait are receipts that a fault delivers before the answer.
	wait []*delivery
}

// decode reads the body into v. It answers 47001 for what is not such JSON.
func (c *call) decode(v any) *apiError {
	if err := json.Unmarshal(c.body, v); err != nil {
		return refuse(47001)
	}
	return nil
}

const (
	maxCallBytes = 1 << 20
	defaultDaily = 1_000_000
	mountPoint   = "/demo/wechat"
)

// serveAPI answers a call: what faults demand, the checks that hold for every
// call, then its own.
func (s *Sim) serveAPI(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, mountPoint)
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallBytes+1))
	if err != nil || len(body) > maxCallBytes {
		httpError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	c := &call{path: path, query: r.URL.Query(), body: body, ip: remoteIP(r)}
	leave := s.enter(c)
	trouble := s.trouble(c)
	gone := !trouble.wait(r)
	if gone || trouble.unheard() {
		leave()
		if !gone {
			trouble.answer(w)
		}
		return
	}
	out := outcome{err: trouble.code}
	if out.err == nil {
		out = s.judge(c, r.Method)
	}
	for _, d := range c.wait {
		select {
		case <-d.done:
		case <-r.Context().Done():
		}
	}
	leave() // before the caller can know
	if trouble.cut {
		reset(w)
		return
	}
	s.answer(w, c, out)
}

// judge makes the checks that hold for every call and hands it on.
func (s *Sim) judge(c *call, method string) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.stamp()
	e, ok := s.endpoints[c.path]
	if !ok {
		return failed(40066)
	}
	if err := e.checkForm(c, method); err != nil {
		return outcome{err: err}
	}
	if !e.open {
		a, err := s.bearer(c.query.Get("access_token"), c.now)
		if err != nil {
			return outcome{err: err}
		}
		c.account = a
		if e.kind != "" && e.kind != a.Kind {
			return failed(foreignAPI(a.Kind))
		}
		if err := s.count(a, c.path, e, c.now); err != nil {
			return outcome{err: err}
		}
	}
	return e.handle(s, c)
}

// foreignAPI is the answer to a call that is for the other kind of account.
func foreignAPI(kind Kind) int {
	if kind == Mini {
		return 45109
	}
	return 48001
}

// checkForm judges method and JSON.
func (e endpoint) checkForm(c *call, method string) *apiError {
	switch {
	case e.method == http.MethodPost && method != http.MethodPost:
		return refuse(43002)
	case e.method == http.MethodGet && method != http.MethodGet:
		return refuse(43001)
	case e.method != http.MethodPost || e.noJSON:
		return nil
	case len(bytes.TrimSpace(c.body)) == 0:
		return refuse(44002)
	}
	var object map[string]json.RawMessage
	return c.decode(&object)
}

// answer writes an outcome; refusals get a rid, by which they can be asked about.
func (s *Sim) answer(w http.ResponseWriter, c *call, out outcome) {
	if out.raw != nil {
		w.Header().Set("Content-Type", out.mime)
		_, _ = w.Write(out.raw)
		return
	}
	value := out.value
	if out.err != nil {
		rid := newRID()
		value = struct {
			Code    int    `json:"errcode"`
			Message string `json:"errmsg"`
		}{out.err.Code, out.err.Message + " rid: " + rid}
		defer s.remember(rid, c, value)
	}
	b, err := encodeJSON(value)
	if err != nil {
		httpError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	w.Header().Set("Content-Type", contentTypeAPI)
	_, _ = w.Write(b)
}

// remember keeps a refused call for rid/get, without the secrets in its query.
func (s *Sim) remember(rid string, c *call, response any) {
	b, _ := encodeJSON(response)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rids) >= maxRIDs {
		clear(s.rids)
	}
	s.rids[rid] = ridRecord{InvokeTime: s.Now().Unix(), URL: c.path, Body: string(c.body), Response: string(b), ClientIP: c.ip.String()}
}

// encodeJSON writes JSON as WeChat does, with < and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func remoteIP(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host)
	return addr.Unmap()
}

// reset ends the connection without an answer: the other side cannot tell
// whether the call was heard.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http's own way to cut a connection off
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
