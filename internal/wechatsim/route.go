package wechatsim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// route lays out the paths: WeChat's API at its own place and below mountPoint,
// the control plane and the phone.
func (s *Sim) route() {
	s.mux = http.NewServeMux()
	for _, prefix := range []string{"", mountPoint} {
		for _, api := range []string{"/cgi-bin/", "/sns/", "/wxa/", "/wxaapi/"} {
			s.mux.HandleFunc(prefix+api, s.serveAPI)
		}
		s.mux.HandleFunc("GET "+prefix+"/cgi-bin/showqrcode", s.serveQR)
		s.mux.HandleFunc("GET "+prefix+"/connect/oauth2/authorize", s.serveAuthorize)
	}
	s.mux.HandleFunc("GET /demo/sim/people", s.control(s.listPeople))
	s.mux.HandleFunc("POST /demo/sim/people", s.control(s.createPerson))
	s.mux.HandleFunc("GET /demo/sim/people/{id}", s.control(s.getPerson))
	s.mux.HandleFunc("POST /demo/sim/people/{id}/{action}", s.control(s.act))
	s.mux.HandleFunc("GET /demo/sim/sent", s.control(s.listSent))
	s.mux.HandleFunc("GET /demo/sim/callbacks", s.control(s.listCallbacks))
	s.mux.HandleFunc("GET /demo/sim/faults", s.control(s.listFaults))
	s.mux.HandleFunc("POST /demo/sim/faults", s.control(s.createFaults))
	s.mux.HandleFunc("DELETE /demo/sim/faults", s.control(s.clearFaults))
	s.mux.HandleFunc("GET /demo/sim/clock", s.control(s.getClock))
	s.mux.HandleFunc("POST /demo/sim/clock", s.control(s.moveClock))
	s.mux.HandleFunc("GET /demo/sim/accounts", s.control(s.listAccounts))
	s.mux.HandleFunc("POST /demo/sim/accounts/{app}", s.control(s.changeAccount))
	s.mux.HandleFunc("POST /demo/sim/accounts/{app}/verify", s.control(s.verifyAccount))
	s.mux.HandleFunc("GET /demo/sim/phone", s.control(s.getPhone))
	s.mux.HandleFunc("GET /demo/phone", s.servePhone)
	s.mux.HandleFunc("GET /demo/phone/{file}", servePhoneFile)
	s.mux.HandleFunc("/demo/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, &problem{http.StatusNotFound, "没有这个地址：" + r.URL.Path})
	})
}

// problem is an error of the control plane, told to whoever tries things out.
type problem struct {
	status int
	detail string
}

// Error implements error.
func (p *problem) Error() string { return p.detail }

func notFound(detail string) error { return &problem{http.StatusNotFound, detail} }
func invalid(detail string) error  { return &problem{http.StatusUnprocessableEntity, detail} }

// control answers a handler's value as JSON, and its error as a problem.
func (s *Sim) control(h func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		value, err := h(r)
		if err != nil {
			writeProblem(w, err)
			return
		}
		b, err := encodeJSON(value)
		if err != nil {
			writeProblem(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if _, ok := value.(created); ok {
			w.WriteHeader(http.StatusCreated)
		}
		_, _ = w.Write(append(b, '\n'))
	}
}

func writeProblem(w http.ResponseWriter, err error) {
	p := &problem{http.StatusInternalServerError, err.Error()}
	_ = errors.As(err, &p)
	b, _ := encodeJSON(map[string]any{"type": "about:blank", "title": http.StatusText(p.status), "status": p.status, "detail": p.detail})
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	_, _ = w.Write(append(b, '\n'))
}

// read decodes a body; none at all is an empty one. strict refuses members that
// the target does not have.
func read(r *http.Request, v any, strict bool) error {
	d := json.NewDecoder(r.Body)
	if strict {
		d.DisallowUnknownFields()
	}
	err := d.Decode(v)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return nil
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		return &problem{http.StatusBadRequest, "没有这个字段：" + strings.TrimPrefix(err.Error(), "json: unknown field ")}
	}
	return &problem{http.StatusBadRequest, "请求正文不是所需的 JSON"}
}
