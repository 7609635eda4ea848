package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"gongkai/internal/disclosure"
)

// audioStore keeps prompts read aloud. A file's name is a keyed hash of its
// text, so a name tells nothing and cannot be guessed; what it says is kept
// beside it, so any process with the same directory can read it aloud. A prompt
// that says a notice is handed out only while the notice is public.
type audioStore struct {
	voice  Voice
	guard  voiceGuard
	dir    string // "" keeps files in memory only
	key    []byte
	kind   string // of names: another voice has others
	server *Server
	texts  *otter.Cache[string, audioText]
	files  *otter.Cache[string, []byte]
	flight singleflight.Group
	slots  chan struct{}
}

// audioText is what a file says, and the codes of the notices it says, joined by
// blanks. What tells of a person stays in this process's memory and is never
// to be stored.
type audioText struct {
	text, notices string
	personal      bool
	until         time.Time // of a personal one: when it is no longer handed out
}

const (
	personalLife  = 5 * time.Minute // an engine fetches at once, and logs addresses that work without a token
	maxAudioTexts = 20_000
	maxAudioBytes = 64 << 20
	voiceTimeout  = 10 * time.Second
	audioWait     = 4 * time.Second // for a prompt that is being read aloud
	voiceSlots    = 4
	audioPath     = hotlinePrefix + "audio/"
)

func newAudioStore(c HotlineConfig, s *Server) (*audioStore, error) {
	dir := c.AudioDir
	if dir != "" {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return nil, fmt.Errorf("handlers: audio directory: %w", err)
		}
	}
	return &audioStore{voice: c.Voice, guard: voiceGuard{now: s.Now}, dir: dir, key: c.Keys[0], kind: "audio\x00" + c.VoiceID + "\x00", server: s, slots: make(chan struct{}, voiceSlots),
		texts: otter.Must(&otter.Options[string, audioText]{MaximumSize: maxAudioTexts}),
		files: otter.Must(&otter.Options[string, []byte]{MaximumWeight: maxAudioBytes, Weigher: func(_ string, b []byte) uint32 { return uint32(len(b)) + 100 }}),
	}, nil
}

// offer returns the path of the text read aloud and starts reading, so that the
// file is there when the engine asks for it. While the voice fails it returns ""
// for what was not read before.
func (a *audioStore) offer(text string, codes []string, personal bool) string {
	t := audioText{text, strings.Join(codes, " "), personal, a.server.Now().Add(personalLife)}
	name := mac(a.key, a.kind+t.notices, text)
	sum := sha256.Sum256([]byte(name))
	name = hex.EncodeToString(sum[:16])
	path := audioPath + name + ".wav"
	probe := !a.guard.ready()
	if probe && a.has(name, t) {
		return path
	}
	if probe && !a.guard.probe() {
		return ""
	}
	if _, ok := a.texts.GetIfPresent(name); !ok || probe || personal {
		a.texts.Set(name, t)
		if a.keeps(t) {
			_ = os.WriteFile(filepath.Join(a.dir, name+".txt"), []byte(t.notices+"\n"+text), 0o600) // the memory has it too
		}
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), voiceTimeout) //nolint:forbidigo // it outlives the turn
			defer cancel()
			if _, err := a.file(ctx, name, probe); err != nil {
				a.server.log.Warn("a prompt was not read aloud", "error", err)
			}
		}()
	}
	if probe { // until it has worked, nobody waits for it
		return ""
	}
	return path
}

// has reports whether the text was read aloud already.
func (a *audioStore) has(name string, t audioText) bool {
	if _, ok := a.files.GetIfPresent(name); ok || !a.keeps(t) {
		return ok
	}
	_, err := os.Stat(filepath.Join(a.dir, name+".wav"))
	return err == nil
}

// keeps reports whether the text goes to the directory too.
func (a *audioStore) keeps(t audioText) bool { return a.dir != "" && !t.personal }

// text returns what the file of the name says.
func (a *audioStore) text(name string) (audioText, bool) {
	if t, ok := a.texts.GetIfPresent(name); ok {
		if t.personal && a.server.Now().After(t.until) {
			a.forget(name)
			return audioText{}, false
		}
		return t, true
	}
	if a.dir == "" {
		return audioText{}, false
	}
	b, err := os.ReadFile(filepath.Join(a.dir, name+".txt"))
	if err != nil {
		return audioText{}, false
	}
	notices, text, _ := strings.Cut(string(b), "\n")
	t := audioText{text: text, notices: notices}
	a.texts.Set(name, t)
	return t, true
}

// file returns the WAV file of the name, reading its text aloud if that was not
// done; a voice that fails is asked by a probe only. An unknown name is
// CodeNoFile; what is not read in time is CodeUnavailable, with the cause.
func (a *audioStore) file(ctx context.Context, name string, probe bool) ([]byte, error) {
	if b, ok := a.files.GetIfPresent(name); ok {
		return b, nil
	}
	t, ok := a.text(name)
	if !ok {
		return nil, disclosure.Errorf(disclosure.CodeNoFile, "没有这段语音")
	}
	done := a.flight.DoChan(name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), voiceTimeout)
		defer cancel()
		return a.read(ctx, name, t, probe)
	})
	select {
	case r := <-done:
		if r.Err != nil {
			return nil, fmt.Errorf("%w: %w", errNoVoice, r.Err)
		}
		return r.Val.([]byte), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errNoVoice, ctx.Err())
	}
}

// read fetches a file kept earlier, or has the voice speak and keeps it.
func (a *audioStore) read(ctx context.Context, name string, t audioText, probe bool) ([]byte, error) {
	path := filepath.Join(a.dir, name+".wav")
	if a.keeps(t) {
		b, err := os.ReadFile(path)
		if err == nil {
			a.files.Set(name, b)
			return b, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("handlers: audio: %w", err)
		}
	}
	if !probe && !a.guard.ready() {
		return nil, errors.New("handlers: the voice failed a moment ago")
	}
	b, err := a.speak(ctx, t.text)
	if err != nil {
		return nil, err
	}
	a.files.Set(name, b)
	if a.keeps(t) {
		part := path + ".part"
		if os.WriteFile(part, b, 0o600) == nil {
			_ = os.Rename(part, path) // the memory has it; another process reads it aloud itself
		}
	}
	return b, nil
}

// speak has the voice read the text, at most voiceSlots at once, and notes how it
// did.
func (a *audioStore) speak(ctx context.Context, text string) (b []byte, err error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { a.guard.settle(err) }()
	raw, err := a.voice.Speak(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("handlers: voice: %w", err)
	}
	return lineWAV(raw)
}

// forget removes what says a notice that is no longer public.
func (a *audioStore) forget(name string) {
	a.texts.Invalidate(name)
	a.files.Invalidate(name)
	if a.dir != "" {
		_ = os.Remove(filepath.Join(a.dir, name+".wav"))
		_ = os.Remove(filepath.Join(a.dir, name+".txt"))
	}
}

// sweep removes files written before the instant. What is still said is read
// aloud again; so nothing said of a notice outlives it for long.
func (a *audioStore) sweep(before time.Time) {
	entries, err := os.ReadDir(a.dir)
	if a.dir == "" || err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && keptFile.MatchString(e.Name()) && info.ModTime().Before(before) {
			a.forget(e.Name()[:audioNameLen])
		}
	}
}

const audioNameLen = 32

var (
	audioFile = regexp.MustCompile(`^[0-9a-f]{32}\.wav$`)
	keptFile  = regexp.MustCompile(`^[0-9a-f]{32}\.(wav|txt)$`)
)

// getAudio returns a prompt read aloud.
//
//	@Summary	热线语音
//	@Tags		热线
//	@Produce	audio/wav
//	@Param		file	path		string	true	"文件名"
//	@Success	200		{file}		file
//	@Failure	404		{object}	Problem
//	@Failure	410		{object}	Problem	"所播公告已撤回"
//	@Failure	503		{object}	Problem	"语音合成暂时不可用"
//	@Router		/api/v1/ivr/audio/{file} [get]
func (s *Server) getAudio(c *fiber.Ctx) error {
	file := strings.Clone(c.Params("file"))
	a := s.hotline.audio
	if a == nil || !audioFile.MatchString(file) {
		return disclosure.Errorf(disclosure.CodeNoFile, "没有这段语音")
	}
	name := strings.TrimSuffix(file, ".wav")
	ctx, cancel := context.WithTimeout(c.UserContext(), audioWait)
	defer cancel()
	t, known := a.text(name)
	control := "public, max-age=86400, immutable"
	if t.notices != "" {
		control = "public, max-age=300"
		if err := s.stillPublic(ctx, strings.Fields(t.notices)); gone(err) {
			a.forget(name)
			return disclosure.Errorf(disclosure.CodeFileGone, "这段语音播报的公告已撤回")
		} else if err != nil {
			return err
		}
	}
	tag := `"` + name + `"`
	if t.personal {
		control, tag = "private, no-store", ""
	}
	c.Set(fiber.HeaderCacheControl, control)
	if known && tag != "" && matches(c.Context().Request.Header.Peek(fiber.HeaderIfNoneMatch), tag) {
		c.Set(fiber.HeaderETag, tag)
		return c.SendStatus(fiber.StatusNotModified)
	}
	b, err := a.file(ctx, name, false)
	if err != nil {
		return err
	}
	if tag != "" {
		c.Set(fiber.HeaderETag, tag)
	}
	c.Set(fiber.HeaderContentType, "audio/wav")
	return c.Send(b)
}

// stillPublic returns why the notices may not be spoken, nil if they may.
func (s *Server) stillPublic(ctx context.Context, codes []string) error {
	for _, code := range codes {
		ref := disclosure.NoticeRef{Code: code}
		if _, _, err := s.Cache.Get(ctx, speechKey(ref), s.fillSpeech(ref)); err != nil {
			return err
		}
	}
	return nil
}
