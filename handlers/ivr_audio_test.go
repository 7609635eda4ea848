package handlers_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/handlers"
)

// tone is a voice that hums 440 Hz, a tenth of a second for each character.
type tone struct {
	rate, channels int
	spoke          atomic.Int64
	fail           atomic.Bool
	raw            []byte // returned instead
}

var errVoice = errors.New("no voice today")

// Speak implements handlers.Voice.
func (v *tone) Speak(_ context.Context, text string) ([]byte, error) {
	v.spoke.Add(1)
	if v.fail.Load() {
		return nil, errVoice
	}
	if v.raw != nil {
		return v.raw, nil
	}
	channels := max(v.channels, 1)
	frames := v.rate / 10 * len([]rune(text))
	var b bytes.Buffer
	b.WriteString("RIFF\xff\xff\xff\xffWAVEfmt ") // as a program writes that does not know the length yet
	for _, field := range []any{uint32(16), uint16(1), uint16(channels), uint32(v.rate), uint32(v.rate * channels * 2), uint16(channels * 2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, field)
	}
	b.WriteString("data\xff\xff\xff\x7f")
	for i := range frames {
		for range channels {
			_ = binary.Write(&b, binary.LittleEndian, int16(10000*math.Sin(2*math.Pi*440*float64(i)/float64(v.rate))))
		}
	}
	return b.Bytes(), nil
}

func withVoice(v handlers.Voice, dir string) func(*handlers.Config) {
	return func(c *handlers.Config) {
		c.Hotline.Voice, c.Hotline.AudioDir, c.Hotline.Keys = v, dir, [][]byte{[]byte("the key of this test")}
	}
}

// chorus is a voice for each text.
type chorus map[string]handlers.Voice

// Speak implements handlers.Voice.
func (c chorus) Speak(ctx context.Context, text string) ([]byte, error) {
	return c[text].Speak(ctx, text)
}

// say has the hotline preview a text and returns the path of its audio.
func (w *world) say(t *testing.T, text string) string {
	t.Helper()
	return w.call(t, "GET", "/api/v1/ivr/say?text="+url.QueryEscape(text), opts{as: "ivr", want: 200}).text("audio")
}

// TestIVR18Audio serves prompts as files a telephone engine plays and caches.
func TestIVR18Audio(t *testing.T) {
	voices := chorus{"甲乙丙": &tone{rate: 22050}, "甲乙丁": &tone{rate: 44100, channels: 2}, "甲乙戊": &tone{rate: 8000}, "甲乙己": &tone{rate: 16000}}
	w := start(t, withVoice(voices, ""))
	for text, v := range voices {
		path := w.say(t, text)
		if !strings.HasPrefix(path, "/api/v1/ivr/audio/") || strings.ContainsAny(path, "&?") {
			t.Errorf("the path is %q", path)
		}
		r := w.get(t, path)
		if r.header.Get("Content-Type") != "audio/wav" || !strings.Contains(r.header.Get("Cache-Control"), "max-age=86400") {
			t.Errorf("the header is %v", r.header)
		}
		checkLineWAV(t, r.body, 3)
		tag := r.header.Get("ETag")
		head := w.call(t, "HEAD", path, opts{want: 200})
		if len(head.body) != 0 || head.header.Get("ETag") != tag || head.header.Get("Content-Type") != "audio/wav" {
			t.Errorf("HEAD answers %v", head.header)
		}
		for _, method := range []string{"GET", "HEAD"} {
			r := w.call(t, method, path, opts{want: 304, header: map[string]string{"If-None-Match": tag}})
			if len(r.body) != 0 || r.header.Get("ETag") != tag {
				t.Errorf("%s with the tag answers %v", method, r.header)
			}
		}
		if n := v.(*tone).spoke.Load(); n != 1 {
			t.Errorf("one prompt was spoken %d times", n)
		}
	}
}

// checkLineWAV checks a file of 16-bit PCM, 8 kHz, mono, that hums 440 Hz for so
// many tenths of a second.
func checkLineWAV(t *testing.T, b []byte, tenths int) {
	t.Helper()
	le := binary.LittleEndian
	if len(b) < 44 || string(b[:4]) != "RIFF" || int(le.Uint32(b[4:])) != len(b)-8 || string(b[8:16]) != "WAVEfmt " || le.Uint16(b[20:]) != 1 ||
		le.Uint16(b[22:]) != 1 || le.Uint32(b[24:]) != 8000 || le.Uint32(b[28:]) != 16000 || le.Uint16(b[32:]) != 2 || le.Uint16(b[34:]) != 16 ||
		string(b[36:40]) != "data" || int(le.Uint32(b[40:])) != len(b)-44 {
		t.Fatalf("the header is % x", b[:min(44, len(b))])
	}
	samples := (len(b) - 44) / 2
	if want := tenths * 800; samples < want-10 || samples > want+10 {
		t.Errorf("%d samples, want %d", samples, want)
	}
	crossings, peak := 0, int16(0)
	for i := 1; i < samples; i++ {
		a, c := int16(le.Uint16(b[44+2*i-2:])), int16(le.Uint16(b[44+2*i:]))
		if a < 0 && c >= 0 {
			crossings++
		}
		peak = max(peak, c)
	}
	if hz := float64(crossings) * 8000 / float64(samples); math.Abs(hz-440) > 5 || peak < 9000 || peak > 11000 {
		t.Errorf("the tone has %.0f Hz and a peak of %d", hz, peak)
	}
}

// TestIVR18NotFound refuses names that are none, of files that are none, and
// everything where there is no voice.
func TestIVR18NotFound(t *testing.T) {
	dir := t.TempDir()
	w := start(t, withVoice(&tone{rate: 8000}, filepath.Join(dir, "audio")))
	if err := os.WriteFile(filepath.Join(dir, "secret.wav"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("0", 32)
	for _, file := range []string{name + ".wav", "..%2fsecret.wav", "%2e%2e%2fsecret.wav", "..%252fsecret.wav", "..\\secret.wav", name + ".txt", name, name + ".wav%00", "x.wav", strings.Repeat("0", 5000) + ".wav"} {
		if r := w.call(t, "GET", "/api/v1/ivr/audio/"+file, opts{want: 404}); strings.Contains(string(r.body), "secret") {
			t.Errorf("%.40s answers %s", file, r.body)
		}
	}
	silent := start(t)
	p := silent.dial(t)
	if bytes.Contains(p.last.raw, []byte(`"audio"`)) {
		t.Errorf("without a voice: %s", p.last.raw)
	}
	silent.call(t, "GET", "/api/v1/ivr/audio/"+name+".wav", opts{want: 404})
}

// TestIVR18Kept serves from the directory after a restart, without speaking
// again, and no longer once the notice is withdrawn.
func TestIVR18Kept(t *testing.T) {
	dir := t.TempDir()
	before, after := &tone{rate: 8000}, &tone{rate: 8000}
	w := hotlineWorld(t, withVoice(before, dir))
	p := w.dial(t)
	menu := p.last.Say[0].Audio
	first := w.get(t, menu).body
	detail := p.press("1", "1", "2", "1")
	spoken := detail.Say[0].Audio
	if r := w.get(t, spoken); !strings.Contains(r.header.Get("Cache-Control"), "max-age=300") {
		t.Errorf("what says a notice is kept for %s", r.header.Get("Cache-Control"))
	}
	again := hotlineWorld(t, withVoice(after, dir))
	if r := again.get(t, menu); !bytes.Equal(r.body, first) || after.spoke.Load() != 0 {
		t.Errorf("after a restart it was spoken %d times", after.spoke.Load())
	}
	w.step(t, "reviewer", detail.Handoff.Code, "withdraw", object{"reason": "重复发布"})
	w.call(t, "GET", spoken, opts{want: 410})
	w.call(t, "HEAD", spoken, opts{want: 404})
	if files, _ := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(filepath.Base(spoken), ".wav")+"*")); len(files) != 0 {
		t.Errorf("what said the notice is still there: %v", files)
	}
}

// TestIVR18Personal keeps what tells of a person out of every store.
func TestIVR18Personal(t *testing.T) {
	dir := t.TempDir()
	w := hotlineWorld(t, withVoice(&tone{rate: 8000}, dir))
	p := w.dial(t)
	own := p.press(everyNode["result"]...)
	p.hears("王某")
	r := w.get(t, own.Say[0].Audio)
	if r.header.Get("Cache-Control") != "private, no-store" || r.header.Get("ETag") != "" {
		t.Errorf("a person's result is kept: %v", r.header)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(filepath.Base(own.Say[0].Audio), ".wav")+"*")); len(files) != 0 {
		t.Errorf("a person's result is written to %v", files)
	}
	w.advance(5*time.Minute + time.Second)
	w.call(t, "GET", own.Say[0].Audio, opts{want: 404}) // whoever finds the address in a log comes too late
	p.press("9")
	w.get(t, own.Say[0].Audio)
	w.step(t, "reviewer", w.get(t, "/api/v1/notices?type="+housing).text("items.0.code"), "withdraw", object{"reason": "重复发布"})
	w.call(t, "GET", own.Say[0].Audio, opts{want: 410})
}

// TestIVR18BadVoice answers turns all the same while the voice fails or sends
// what is no WAV file; the file is then an error, which an engine skips.
func TestIVR18BadVoice(t *testing.T) {
	voices := chorus{"失败": broken()}
	for text, raw := range map[string][]byte{"空": {}, "文本": []byte("<html>"), "截断": []byte("RIFF\x00\x00\x00\x00WAVEfmt "), "八位": wavOf(1, 1, 8000, 8),
		"浮点": wavOf(3, 1, 8000, 16), "无声道": wavOf(1, 0, 8000, 16), "无速率": wavOf(1, 1, 0, 16)} {
		voices[text] = &tone{raw: raw}
	}
	for text := range voices {
		w := start(t, withVoice(voices, ""))
		w.mayFail = true
		r := w.call(t, "GET", w.say(t, text), opts{want: 503})
		if !strings.HasPrefix(r.text("detail"), "语音合成暂时不可用") || r.header.Get("Retry-After") == "" || strings.Contains(string(r.body), errVoice.Error()) {
			t.Errorf("%s: %v %s", text, r.header, r.body)
		}
	}
}

func broken() *tone {
	v := &tone{rate: 8000}
	v.fail.Store(true)
	return v
}

// TestIVR18VoiceAway leaves audio out of the turns while the voice fails, save for
// what was read before, and takes it up again by itself.
func TestIVR18VoiceAway(t *testing.T) {
	v := &tone{rate: 8000}
	w := start(t, withVoice(v, t.TempDir()))
	p := w.dial(t)
	greeting := p.last.Say[0].Audio
	w.get(t, greeting)
	v.fail.Store(true)
	root := p.press("1")
	for range 3 {
		if path := p.last.Say[0].Audio; path != "" {
			w.call(t, "GET", path, opts{want: 503})
		}
		p.press("9")
	}
	if got := p.press("1"); got.Say[0].Audio != "" || got.node() != "sectors" {
		t.Errorf("while the voice fails: %s", got.raw)
	}
	asked := v.spoke.Load()
	w.call(t, "GET", root.Say[0].Audio, opts{want: 503})
	if again := w.dial(t).last; again.Say[0].Audio != greeting {
		t.Errorf("what was read before: %s", again.raw)
	}
	w.get(t, greeting)
	if n := v.spoke.Load(); n != asked {
		t.Errorf("a voice that fails was asked %d times more", n-asked)
	}
	v.fail.Store(false)
	w.advance(29 * time.Second)
	if got := p.press("9"); got.Say[0].Audio != "" {
		t.Errorf("too soon: %s", got.raw)
	}
	w.advance(time.Second)
	if got := p.press("9"); got.Say[0].Audio != "" {
		t.Errorf("a caller waits for a voice that has not worked yet: %s", got.raw)
	}
	for range 1000 {
		if p.press("9"); p.last.Say[0].Audio != "" {
			break
		}
	}
	w.get(t, p.last.Say[0].Audio)
}

// TestIVR18AnotherVoice reads everything anew when the voice is set up otherwise.
func TestIVR18AnotherVoice(t *testing.T) {
	dir, paths := t.TempDir(), map[string]string{}
	for i, id := range []string{"espeak-ng -s 160", "espeak-ng -s 160", "espeak-ng -s 200", "http://tts/"} {
		w := start(t, withVoice(&tone{rate: 8000}, dir), func(c *handlers.Config) { c.Hotline.VoiceID = id })
		path := w.say(t, "您好")
		if was, ok := paths[id]; ok != (i == 1) || ok && was != path {
			t.Errorf("%s says %s, not %s", id, path, was)
		}
		for other, was := range paths {
			if other != id && was == path {
				t.Errorf("%s and %s share %s", id, other, path)
			}
		}
		paths[id] = path
		w.get(t, path)
	}
}

func wavOf(format, channels uint16, rate uint32, bits uint16) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF\x00\x00\x00\x00WAVEfmt ")
	for _, field := range []any{uint32(16), format, channels, rate, rate * 2, uint16(2), bits} {
		_ = binary.Write(&b, binary.LittleEndian, field)
	}
	b.WriteString("data\x08\x00\x00\x00")
	b.Write(make([]byte, 8))
	return b.Bytes()
}

// TestIVR18Say previews a text: as it is said, how long that takes, and aloud.
func TestIVR18Say(t *testing.T) {
	w := start(t, withVoice(&tone{rate: 8000}, ""))
	r := w.call(t, "GET", "/api/v1/ivr/say?"+url.Values{"text": {"亭土告〔2024〕5号，起始价1.2亿元"}}.Encode(), opts{as: "ivr", want: 200})
	if got := r.text("prompt"); got != "亭土告，二零二四年，五号，起始价一点二亿元" {
		t.Errorf("prompt = %s", got)
	}
	if r.text("characters") != "18" || r.text("seconds") != "5" {
		t.Errorf("length = %s characters, %s seconds", r.text("characters"), r.text("seconds"))
	}
	w.get(t, r.text("audio"))
	for bad, detail := range map[string]string{strings.Repeat("字", 301): "现在是 301 个", "\xff\xfe": "不是 UTF-8", "好\xff": "不是 UTF-8"} {
		r := w.call(t, "GET", "/api/v1/ivr/say?"+url.Values{"text": {bad}}.Encode(), opts{as: "editor", want: 400})
		if !strings.Contains(r.text("detail"), detail) {
			t.Errorf("%.10q: %s", bad, r.text("detail"))
		}
	}
	if r := w.call(t, "GET", "/api/v1/ivr/say?text=", opts{as: "ivr", want: 200}); r.text("prompt") != "" {
		t.Errorf("nothing is said %s", r.body)
	}
	w.call(t, "GET", "/api/v1/ivr/say?text=1", opts{as: "auditor", want: 403})
}
