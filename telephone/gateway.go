// Package telephone places real calls to the hotline: a small SIP gateway that
// holds the conversation of a telephone engine with a running server, and SIPp
// as the callers. It is a module of its own, so that nothing of it reaches the
// program.
package telephone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// Gateway answers SIP calls on loopback with the hotline of a server: it plays
// each prompt over RTP, takes keys by RFC 4733 while it plays, and hands over by
// REFER.
type Gateway struct {
	URL   string // of the server
	Token string // of role ivr
	// Client fetches turns and prompts.
	Client *http.Client
	// Hurry divides the seconds of silence that are waited for a key.
	Hurry int

	address string
	stop    context.CancelFunc
	under   sync.WaitGroup // calls under way
	mu      sync.Mutex
	calls   []*Call
}

// Call is one call as the gateway saw it.
type Call struct {
	ID, From string
	Turns    []Turn
	Left     bool   // the caller hung up
	Referred string // number the call was handed over to
	Err      error
}

// Turn is one exchange with the server.
type Turn struct {
	Event, Digits string
	Answer        Answer
	Took          time.Duration // until the answer was there
	Whole, Played int64         // bytes of the prompt's samples, and those played
}

// Start listens on a free port of loopback.
func (g *Gateway) Start(ctx context.Context) error {
	ctx, g.stop = context.WithCancel(ctx)
	ua, err := sipgo.NewUA()
	if err != nil {
		return fmt.Errorf("telephone: user agent: %w", err)
	}
	d := diago.NewDiago(ua, diago.WithLogger(slog.New(slog.DiscardHandler)),
		diago.WithTransport(diago.Transport{Transport: "udp", BindHost: "127.0.0.1"}),
		diago.WithMediaConfig(diago.MediaConfig{Codecs: []media.Codec{media.CodecAudioAlaw, media.CodecTelephoneEvent8000}}))
	if err := d.ServeBackground(ctx, g.answer); err != nil {
		return fmt.Errorf("telephone: listening: %w", err)
	}
	g.address = "127.0.0.1:" + strconv.Itoa(ua.TransportLayer().ListenPorts("udp")[0])
	return nil
}

// Close ends what is left and waits for it; then it returns all calls.
func (g *Gateway) Close() []*Call {
	g.under.Wait()
	g.stop()
	return g.calls
}

// answer is one call.
func (g *Gateway) answer(d *diago.DialogServerSession) {
	g.under.Add(1)
	defer g.under.Done()
	call := &Call{ID: d.ID, From: d.FromUser()}
	g.mu.Lock()
	g.calls = append(g.calls, call)
	g.mu.Unlock()
	call.Err = g.hold(d, call)
}

// hold answers, converses and hands over or notes the hang-up.
func (g *Gateway) hold(d *diago.DialogServerSession, call *Call) error {
	if err := errors.Join(d.Trying(), d.Answer()); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	l := &line{dialog: d, keys: make(chan rune, 64)}
	var reader sync.WaitGroup
	reader.Go(l.listen)
	defer reader.Wait()
	defer func() { _ = d.Close() }()

	last, err := g.converse(d.Context(), call, l)
	if d.Context().Err() != nil { // the caller left; whatever failed, failed of it
		call.Left = true
		return g.noteHangup(context.WithoutCancel(d.Context()), call, last.State)
	}
	switch {
	case err != nil:
		return errors.Join(err, d.Hangup(d.Context()))
	case last.Action == actionTransfer:
		call.Referred = last.Transfer.Number
		to := sip.Uri{Scheme: "sip", User: last.Transfer.Number, Host: "127.0.0.1"}
		if err := d.Refer(d.Context(), to); err != nil {
			return fmt.Errorf("handing over: %w", err)
		}
		<-d.Context().Done() // the library hangs up once the other end has taken over
		return nil
	}
	return d.Hangup(d.Context())
}

// line is the media of a call.
type line struct {
	dialog *diago.DialogServerSession
	keys   chan rune // pressed and not taken yet: callers type ahead
}

// listen takes keys until the call ends.
func (l *line) listen() {
	r := l.dialog.AudioReaderDTMF()
	_ = r.Listen(func(key rune) error { // its only end is that of the call
		select {
		case l.keys <- key:
		default: // nobody waits for that many
		}
		return nil
	}, 0)
}

// play plays a WAV file until it ends or stop is closed, and returns the bytes
// that were sent.
func (l *line) play(wav io.Reader, stop <-chan struct{}) (int64, error) {
	p, err := l.dialog.PlaybackControlCreate()
	if err != nil {
		return 0, fmt.Errorf("playing: %w", err)
	}
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-stop:
		case <-l.dialog.Context().Done():
		case <-over:
		}
		p.Stop()
	})
	n, err := p.Play(wav, "audio/wav")
	close(over)
	watch.Wait()
	return n, err
}
