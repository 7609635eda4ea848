package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongkai/cache"
	"gongkai/internal/store/storetest"
)

// TestEspeakIsAVoice runs the command that docs/hotline.md gives.
func TestEspeakIsAVoice(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		if os.Getenv("GONGKAI_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	guide, err := os.ReadFile("../../docs/hotline.md")
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(guide), "GONGKAI_IVR__TTS_COMMAND='")
	command, _, _ = strings.Cut(command, "'")
	short, err := commandVoice(strings.Fields(command)).Speak(t.Context(), "您好。")
	if err != nil {
		t.Fatal(err)
	}
	long, err := commandVoice(strings.Fields(command)).Speak(t.Context(), "您好，这里是亭湖区公共资源信息公开热线。")
	if err != nil || !bytes.HasPrefix(long, []byte("RIFF")) || len(long) < 2*len(short) {
		t.Errorf("%v: %d and %d bytes", err, len(short), len(long))
	}
}

// TestCommandVoice passes text on standard input, never to a shell, and gives
// up with the caller.
func TestCommandVoice(t *testing.T) {
	got, err := commandVoice{"cat"}.Speak(t.Context(), "$(reboot); `id`")
	if err != nil || string(got) != "$(reboot); `id`" {
		t.Errorf("cat says %q, %v", got, err)
	}
	if _, err := (commandVoice{"false"}).Speak(t.Context(), "您好"); err == nil {
		t.Error("a program that fails is taken for a voice")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := (commandVoice{"sleep", "60"}).Speak(ctx, "您好"); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("a program that hangs: %v after %v", err, time.Since(start))
	}
}

// TestHTTPVoice posts text, with the password of the address as Basic, and tells
// no secret when that fails.
func TestHTTPVoice(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		if r.Method != http.MethodPost || user != "u" || password != "s3cret" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(append([]byte("RIFF"), body...))
	}))
	defer s.Close()
	address := strings.Replace(s.URL, "http://", "http://u:s3cret@", 1) + "/speak?key=s3cret"
	if got, err := httpVoice(address).Speak(t.Context(), "您好"); err != nil || string(got) != "RIFF您好" {
		t.Errorf("the service says %q, %v", got, err)
	}
	_, err := httpVoice(s.URL+"/speak?key=s3cret").Speak(t.Context(), "您好")
	if err == nil || !strings.Contains(err.Error(), "403") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("refused: %v", err)
	}
	s.Close()
	if _, err := httpVoice(address).Speak(t.Context(), "您好"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("down: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := httpVoice(address).Speak(ctx, "您好"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestUnknownSectors names the sectors in the settings that the catalogue does
// not have, to who starts the server and to who asks.
func TestUnknownSectors(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "gongkai.db")
	s := storetest.Open(t, url)
	for _, tt := range []struct {
		departments, sectors string
		want                 []string
	}{
		{"housing=区住建局=051588880001", "housing,land", nil},
		{"nosuch=某局=110,housing=区住建局=051588880001", "land,neither", []string{"ivr.departments 中的 nosuch", "ivr.sectors 中的 neither"}},
	} {
		out, code := run(t, []string{"GONGKAI_DATABASE=" + url, "GONGKAI_IVR__DEPARTMENTS=" + tt.departments, "GONGKAI_IVR__SECTORS=" + tt.sectors}, "doctor")
		if (code == exitOK) != (tt.want == nil) || !strings.Contains(out, strings.Join(tt.want, "、")) {
			t.Errorf("doctor: exit %d, %s", code, out)
		}
		var log bytes.Buffer
		a := &app{log: slog.New(slog.NewTextHandler(&log, nil)), config: &config{Data: t.TempDir(), Database: url}, store: s, cache: cache.New(cache.Options{Source: s, Now: time.Now})}
		a.config.IVR = hotlineConfig{Departments: strings.Split(tt.departments, ","), Sectors: strings.Split(tt.sectors, ",")}
		if err := a.cache.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := (&program{now: time.Now}).hotline(a); err != nil {
			t.Fatal(err)
		}
		for _, setting := range tt.want {
			if !strings.Contains(log.String(), setting) {
				t.Errorf("at the start: %s", log.String())
			}
		}
		if tt.want == nil && log.Len() > 0 {
			t.Errorf("a right configuration: %s", log.String())
		}
	}
}

// TestKeptKey makes a key up once.
func TestKeptKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "ivr.key")
	first, err := keptKey(path)
	if err != nil || len(first) < 16 {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := keptKey(path); err != nil || !bytes.Equal(again, first) {
		t.Errorf("the second time it is %q, %v", again, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("anybody can read it: %v, %v", info.Mode(), err)
	}
	other, err := keptKey(filepath.Join(t.TempDir(), "ivr.key"))
	if err != nil || bytes.Equal(other, first) {
		t.Errorf("two directories have one key, %v", err)
	}
}
