package push

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The library's defects that are met by leaving parts of it alone; those that the
// guard, the token source and the callbacks answer are tested with them.

// TestPartsLeftAlone: nothing of ours uses the library's caches (defects 1 and
// 19), its servers (2 to 6) or its root package, which logs decrypted messages
// (18).
func TestPartsLeftAlone(t *testing.T) {
	const library = "github.com/silenceper/wechat/v2"
	allowed := map[string]bool{library + "/util": true}
	for _, part := range []string{"miniprogram", "miniprogram/auth", "miniprogram/config", "officialaccount", "officialaccount/basic",
		"officialaccount/config", "officialaccount/message", "officialaccount/oauth", "officialaccount/user"} {
		allowed[library+"/"+part] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if strings.HasPrefix(path, library) && !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}

// TestLibraryCallsTogether: the parts of an account may be used from everywhere
// at once (defect 17; the race detector looks on), each goes to the configured
// host and path (14), and a scene with anything in it stays a string (16).
func TestLibraryCallsTogether(t *testing.T) {
	a := newAPI(t)
	var mu sync.Mutex
	scenes := map[string]bool{}
	paths := map[string]bool{}
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Info struct {
				Scene struct {
					Text string `json:"scene_str"`
				} `json:"scene"`
			} `json:"action_info"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		mu.Lock()
		defer mu.Unlock()
		scenes[in.Info.Scene.Text], paths[r.URL.Path] = true, true
		fmt.Fprint(w, `{"errcode":0,"ticket":"a+b&c=d","url":"http://weixin.qq.com/q/x","openid":"o1","unionid":"u1","template_list":[]}`)
	})
	w := newAdapter(t, a.URL, &memoryTokens{})
	odd := `s:land:k"03"&x=1`
	var wg sync.WaitGroup
	for range 8 {
		for _, call := range []func() error{
			func() error { _, err := w.QR("official", odd, time.Minute); return err },
			func() error { _, err := w.UnionID("official", "o1"); return err },
			func() error { _, err := w.Identify(t.Context(), "official", "code"); return err },
			func() error { _, err := w.Identify(t.Context(), "mini", "code"); return err },
			func() error { _, err := w.Send(t.Context(), follower()); return err },
			func() error { _, err := w.AuthorizeURL("official", "https://x.test/", "s"); return err },
		} {
			wg.Go(func() {
				if err := call(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if !scenes[odd] {
		t.Errorf("scenes %v", scenes)
	}
	for _, path := range []string{"/cgi-bin/qrcode/create", "/cgi-bin/user/info", "/sns/oauth2/access_token", "/sns/jscode2session", "/cgi-bin/message/template/send"} {
		if !paths[path] {
			t.Errorf("%s did not reach the configured host, which saw %v", path, paths)
		}
	}
}
