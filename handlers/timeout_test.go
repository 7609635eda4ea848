package handlers_test

import "testing"

// A request that does not arrive is ended with a 408, which clients take as
// "ask again on another connection".
func TestSlowRequestTimesOut(t *testing.T) {
	for name, sent := range map[string]string{
		"nothing":       "",
		"half a line":   "GET /api/v1/fe",
		"half a header": "GET /api/v1/feed HTTP/1.1\r\nHost: a\r\nX-",
		"half a body":   "POST /api/v1/staff/notices HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t)
			r := w.raw(t, sent)
			if r.status != 408 || r.text("code") != "request.timeout" {
				t.Errorf("status %d, %s", r.status, r.body)
			}
		})
	}
}
