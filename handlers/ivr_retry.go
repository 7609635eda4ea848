package handlers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answered is a request that came a moment ago and its answer. It is kept in
// this process: another one works a retry out anew from the same signed state,
// which gives the same unless something was published or withdrawn meanwhile.
type answered struct {
	at    time.Time
	turn  *turn     // nil while it is worked out, and after a failure
	state callState // after the key, before anything was said
	note  string
}

// weighAnswer estimates the bytes of an answer that is kept.
func weighAnswer(_ string, a *answered) uint32 {
	n := 500
	if a.turn != nil {
		n += len(a.turn.prompt) + len(a.turn.state)
		for _, o := range a.turn.options {
			n += len(o.label) + 50
		}
	}
	return uint32(n)
}

// request names what the engine asks: the same again within repeatWindow is a
// retry. Without a call_id nobody can tell, and it is "".
func (c *call) request() string {
	if c.in.call == "" {
		return ""
	}
	return c.hash("request", strings.Join([]string{c.in.call, c.in.state, c.in.event, c.in.digits, strconv.FormatBool(c.in.slow)}, "\x00"))
}

// recall returns what is known of the same request, nil if it is new. For a
// retry it turns the clock back and sees that nothing is counted.
func (c *call) recall() *answered {
	key := c.request()
	if key == "" {
		return nil
	}
	if a, ok := c.seen.GetIfPresent(key); ok && c.now.Sub(a.at) < repeatWindow {
		c.now, c.again = a.at, true
		return a
	}
	c.seen.Set(key, &answered{at: c.now})
	return nil
}

// keep remembers the answer for a retry.
func (c *call) keep(pressed callState, note string, t turn) {
	if key := c.request(); key != "" {
		c.seen.Set(key, &answered{c.now, &t, pressed, note})
	}
}

// repeat answers a retry as before. A notice withdrawn since is not said again:
// the same place of the dialogue then says that it was.
func (c *call) repeat(ctx context.Context, before *answered) (turn, error) {
	withdrawn := false
	for _, code := range before.turn.notices {
		_, err := c.brief(ctx, code)
		if err != nil && !gone(err) {
			return turn{}, err
		}
		withdrawn = withdrawn || err != nil
	}
	if !withdrawn {
		return *before.turn, nil
	}
	c.callState, c.note = before.state, before.note
	c.ids = slices.Clone(before.state.ids)
	t, err := c.render(ctx)
	if err == nil {
		c.keep(before.state, before.note, t)
	}
	return t, err
}
