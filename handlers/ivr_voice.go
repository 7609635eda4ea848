package handlers

import (
	"sync"
	"time"

	"gongkai/internal/disclosure"
)

const (
	maxVoiceFailures = 3                // in a row; then the voice is left alone
	voicePause       = 30 * time.Second // before it is tried again
)

// errNoVoice is what a prompt is answered with that cannot be read aloud now.
var errNoVoice = disclosure.Errorf(disclosure.CodeUnavailable, "语音合成暂时不可用，请由通话引擎念出 prompt 的文字，稍后重试")

// voiceGuard leaves a voice that fails alone for a while, so that callers do not
// wait for audio that does not come. It is safe for concurrent use.
type voiceGuard struct {
	now func() time.Time

	mu       sync.Mutex
	failures int       // in a row
	retry    time.Time // when it is tried again
}

// ready reports whether the voice may be asked.
func (g *voiceGuard) ready() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures < maxVoiceFailures
}

// probe reports whether it is time to try a voice that failed, and if so puts off
// the next time: one prompt tries it, which no caller waits for.
func (g *voiceGuard) probe() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if g.failures < maxVoiceFailures || now.Before(g.retry) {
		return false
	}
	g.retry = now.Add(voicePause)
	return true
}

// settle notes how the voice did.
func (g *voiceGuard) settle(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil {
		g.failures = 0
		return
	}
	g.failures++
	g.retry = g.now().Add(voicePause)
}
