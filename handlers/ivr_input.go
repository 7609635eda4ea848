package handlers

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/text/unicode/norm"
)

// The events of a call.
const (
	eventStart   = "start"
	eventDigits  = "digits"
	eventTimeout = "timeout"
	eventHangup  = "hangup"
)

// turnInput is one request of a telephone engine. The caller's number is kept
// as a keyed hash only.
type turnInput struct {
	call   string
	state  string
	event  string
	digits string
	caller string // hash; "" when withheld
	format string
	slow   bool // pace=slow: twice the time to press a key
}

// Limits of what an engine sends, in bytes.
const (
	maxCallID     = 200
	maxTurnDigits = 1024
)

// readTurn reads a request from the query, a form of either kind and JSON alike;
// what it does not know it ignores, as engines send dozens of fields of their own.
func (h *hotline) readTurn(c *fiber.Ctx) turnInput {
	values := map[string]string{}
	c.Context().QueryArgs().VisitAll(func(k, v []byte) { values[string(k)] = string(v) })
	if c.Method() == fiber.MethodPost {
		readTurnBody(c, values)
	}
	return h.turnOf(values)
}

func readTurnBody(c *fiber.Ctx, values map[string]string) {
	body := bytes.TrimSpace(bytes.TrimPrefix(c.Body(), []byte("\ufeff")))
	if len(body) > 0 && body[0] == '{' {
		var fields map[string]any
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.UseNumber()
		if dec.Decode(&fields) == nil {
			for key, v := range fields {
				switch v := v.(type) {
				case string:
					values[key] = v
				case json.Number:
					values[key] = v.String()
				case bool:
					if v {
						values[key] = "true"
					}
				}
			}
		}
		return
	}
	if form, err := c.MultipartForm(); err == nil {
		for k, v := range form.Value {
			values[k] = v[len(v)-1]
		}
		_ = form.RemoveAll() // files, which no turn has
		return
	}
	c.Context().PostArgs().VisitAll(func(k, v []byte) { values[string(k)] = string(v) })
}

// turnOf makes sense of the fields: of our own names first, then of those that
// FreeSWITCH and the cloud call centres send.
func (h *hotline) turnOf(values map[string]string) turnInput {
	first := func(names ...string) string {
		for _, name := range names {
			if v := strings.TrimSpace(values[name]); v != "" && utf8.ValidString(v) {
				return v
			}
		}
		return ""
	}
	in := turnInput{call: first("call_id", "session_id", "CallSid", "SessionId", "uuid"), state: first("state"),
		event: strings.ToLower(first("event")), format: strings.ToLower(first("format")), slow: first("pace") == "slow"}
	if len(in.call) > maxCallID {
		in.call = in.call[:maxCallID]
	}
	if values["flat"] == "1" && in.format == "" {
		in.format = formatFlat
	}
	if number := digitsOnly(first("caller", "Caller-Caller-ID-Number", "caller_number")); number != "" {
		in.caller = h.hash("caller", number)
	}
	raw, sent := values["digits"]
	if raw == "" {
		raw = first("dtmf")
	}
	in.digits = foldDigits(raw)
	in.event = happened(in, values["exiting"] == "true", sent)
	return in
}

// happened decides what happened. Digits count for more than the event: a key
// that timed out waiting for # is still a key, and digits without any are #.
func happened(in turnInput, exiting, sent bool) string {
	switch {
	case exiting || in.event == eventHangup:
		return eventHangup
	case in.digits != "":
		return eventDigits
	case in.event == eventStart || in.state == "":
		return eventStart
	case in.event == eventDigits && (sent || in.format != formatHTTAPI):
		return eventDigits
	}
	return eventTimeout
}

// foldDigits makes full-width keys plain and cuts what nobody types.
func foldDigits(s string) string {
	s = strings.TrimSpace(norm.NFKC.String(strings.ToValidUTF8(s, "?")))
	if len(s) > maxTurnDigits {
		s = s[:maxTurnDigits]
	}
	return s
}

func digitsOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
