package telephone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Answer is a turn as the server gives it: every leaf is a string.
type Answer struct {
	State, Action, Prompt string
	Say                   []struct{ Text, Audio string }
	Input                 struct{ Min, Max, Finish, Timeout, Interdigit, Keys string }
	Transfer              struct{ To, Dept, Number string }
	Handoff               struct{ Code, URL string }
}

const (
	actionCollect  = "collect"
	actionTransfer = "transfer"
)

// Node is the place of the dialogue, from the state.
func (a Answer) Node() string {
	if f := strings.Split(a.State, "."); len(f) > 2 {
		return f[2]
	}
	return ""
}

// converse asks, plays and collects until the call is to end, and returns the
// answer that ended it.
func (g *Gateway) converse(ctx context.Context, call *Call, l *line) (Answer, error) {
	turn := Turn{Event: "start"}
	var last Answer
	for {
		start := time.Now()
		err := g.ask(ctx, call, last.State, &turn)
		turn.Took = time.Since(start)
		if err != nil {
			return last, err
		}
		last = turn.Answer
		call.Turns = append(call.Turns, turn)
		here := &call.Turns[len(call.Turns)-1]
		if last.Action != actionCollect {
			return last, g.announce(ctx, here, l)
		}
		turn = Turn{}
		if turn.Digits, err = g.collect(ctx, here, l); err != nil {
			return last, err
		}
		turn.Event = "digits"
		if turn.Digits == "" {
			turn.Event = "timeout"
		}
		turn.Digits = strings.TrimPrefix(turn.Digits, "#") // alone it ends an empty entry
	}
}

// ask sends a turn, as a form like Asterisk's.
func (g *Gateway) ask(ctx context.Context, call *Call, state string, t *Turn) error {
	body, err := g.post(ctx, "/api/v1/ivr/turn", url.Values{"call_id": {call.ID}, "caller": {call.From},
		"state": {state}, "event": {t.Event}, "digits": {t.Digits}})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &t.Answer); err != nil {
		return fmt.Errorf("turn: %w: %.200s", err, body)
	}
	return nil
}

func (g *Gateway) noteHangup(ctx context.Context, call *Call, state string) error {
	_, err := g.post(ctx, "/api/v1/ivr/event", url.Values{"call_id": {call.ID}, "state": {state}, "event": {"hangup"}})
	return err
}

func (g *Gateway) post(ctx context.Context, path string, form url.Values) ([]byte, error) {
	return g.fetch(ctx, http.MethodPost, path, strings.NewReader(form.Encode()))
}

func (g *Gateway) fetch(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.URL+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+g.Token)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := g.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, res.Status, b)
	}
	return b, err
}

const wavHeader = 44 // bytes

// prompt fetches what is to be played.
func (g *Gateway) prompt(ctx context.Context, t *Turn) ([]byte, error) {
	if len(t.Answer.Say) == 0 || t.Answer.Say[0].Audio == "" {
		return nil, errors.New("the answer has nothing to play")
	}
	wav, err := g.fetch(ctx, http.MethodGet, t.Answer.Say[0].Audio, nil)
	t.Whole = max(0, int64(len(wav)-wavHeader))
	return wav, err
}

// announce plays a prompt to its end.
func (g *Gateway) announce(ctx context.Context, t *Turn, l *line) error {
	wav, err := g.prompt(ctx, t)
	if err == nil {
		t.Played, err = l.play(bytes.NewReader(wav), nil)
	}
	return err
}

// collect plays the prompt until a key is pressed, then takes keys: to the most
// there may be, to the key that ends an entry, or until the caller pauses. In
// silence it returns "".
func (g *Gateway) collect(ctx context.Context, t *Turn, l *line) (string, error) {
	wav, err := g.prompt(ctx, t)
	if err != nil {
		return "", err
	}
	in := t.Answer.Input
	most, _ := strconv.Atoi(in.Max)
	stop, played := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		t.Played, err = l.play(bytes.NewReader(wav), stop)
		played <- err
	}()
	var digits []byte
	silence := (<-chan time.Time)(nil) // begins when the prompt ends or the first key is pressed
	playing := true
	quiet := func() error { // the caller has spoken
		close(stop)
		playing = false
		return <-played
	}
	for {
		select {
		case key := <-l.keys:
			if playing {
				if err := quiet(); err != nil {
					return "", err
				}
			}
			digits = append(digits, string(key)...)
			if len(digits) == most || most > 1 && string(key) == in.Finish {
				return string(digits), nil
			}
			silence = time.After(g.wait(in.Interdigit))
		case err := <-played:
			if err != nil {
				return "", err
			}
			playing, silence = false, time.After(g.wait(in.Timeout))
		case <-silence:
			return string(digits), nil
		case <-ctx.Done():
			if playing {
				_ = quiet()
			}
			return "", ctx.Err()
		}
	}
}

func (g *Gateway) wait(seconds string) time.Duration {
	n, _ := strconv.Atoi(seconds)
	return time.Duration(n) * time.Second / time.Duration(max(g.Hurry, 1))
}
