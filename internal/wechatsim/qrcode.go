package wechatsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"rsc.io/qr"
)

// scene is a QR code that an account has had made (带参数的二维码).
type scene struct {
	ticket, key, url string
	permanent        bool
	expires          time.Time
}

const (
	defaultSceneLife = 60 * time.Second
	maxSceneLife     = 30 * 24 * time.Hour
	maxPermanent     = 100_000
	maxScenes        = 200_000
)

// createQR is /cgi-bin/qrcode/create.
func createQR(_ *Sim, c *call) outcome {
	var in struct {
		Expires *int64 `json:"expire_seconds"`
		Action  string `json:"action_name"`
		Info    struct {
			Scene struct {
				ID   json.Number `json:"scene_id"`
				Text string      `json:"scene_str"`
			} `json:"scene"`
		} `json:"action_info"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	sc := &scene{ticket: "g" + randomWord(95), url: "http://weixin.qq.com/q/" + randomWord(22), permanent: strings.HasPrefix(in.Action, "QR_LIMIT_")}
	life := defaultSceneLife
	if in.Expires != nil {
		life = time.Duration(*in.Expires) * time.Second
	}
	if !sc.permanent && (life < time.Second || life > maxSceneLife) {
		return failed(40053)
	}
	switch in.Action {
	case "QR_STR_SCENE", "QR_LIMIT_STR_SCENE":
		sc.key = in.Info.Scene.Text
		if n := utf8.RuneCountInString(sc.key); n < 1 || n > 64 {
			return failed(40129)
		}
	case "QR_SCENE", "QR_LIMIT_SCENE":
		id, err := in.Info.Scene.ID.Int64()
		if err != nil || id < 1 || id > 1<<32-1 || sc.permanent && id > 100_000 {
			return failed(40129)
		}
		sc.key = itoa(id)
	default:
		return failed(40053)
	}
	if err := c.account.addScene(sc, c.now, life); err != nil {
		return outcome{err: err}
	}
	out := struct {
		Ticket  string `json:"ticket"`
		Expires int64  `json:"expire_seconds,omitempty"`
		URL     string `json:"url"`
	}{Ticket: sc.ticket, URL: sc.url}
	if !sc.permanent {
		out.Expires = int64(life / time.Second)
	}
	return outcome{value: out}
}

func (a *account) addScene(sc *scene, now time.Time, life time.Duration) *apiError {
	sc.expires = now.Add(life)
	kept, permanent := a.scenes[:0], 0
	for _, old := range a.scenes {
		if old.permanent || now.Sub(old.expires) < 24*time.Hour {
			kept = append(kept, old)
		}
		if old.permanent {
			permanent++
		}
	}
	a.scenes = kept
	if len(kept) >= maxScenes || sc.permanent && permanent >= maxPermanent {
		return refuse(45029)
	}
	a.scenes = append(a.scenes, sc)
	return nil
}

// scanned finds what a camera saw: a code's URL, its ticket, or the scene
// itself. A text that no code was made for stands for a printed one.
func (s *Sim) scanned(seen string, now time.Time) (a *account, sc *scene, expired bool) {
	for _, a := range s.accounts {
		for _, sc := range slices.Backward(a.scenes) {
			if seen == sc.key || seen == sc.ticket || seen == sc.url {
				return a, sc, !sc.permanent && !now.Before(sc.expires)
			}
		}
	}
	for _, a := range s.accounts {
		if a.Kind == Official {
			return a, &scene{ticket: "g" + stableWord(43, seen), key: seen, permanent: true}, false
		}
	}
	return nil, nil, false
}

// serveQR is mp.weixin.qq.com/cgi-bin/showqrcode?ticket=.
func (s *Sim) serveQR(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var url string
	for _, a := range s.accounts {
		for _, sc := range a.scenes {
			if sc.ticket == r.URL.Query().Get("ticket") {
				url = sc.url
			}
		}
	}
	s.mu.Unlock()
	code, err := qr.Encode(url, qr.M)
	if url == "" || err != nil {
		httpError(w, http.StatusNotFound, "404 Not Found")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = w.Write(code.PNG())
}

// miniCode is /wxa/getwxacodeunlimit (小程序码). The picture is a QR code of what
// the code would open, which no camera reads off a real one.
func miniCode(_ *Sim, c *call) outcome {
	var in struct {
		Scene string `json:"scene"`
		Page  string `json:"page"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if in.Scene == "" || len(in.Scene) > 32 {
		return failed(40129)
	}
	if in.Page != "" && !pageForm.MatchString(in.Page) {
		return failed(41030)
	}
	code, err := qr.Encode("weixin-mini:"+c.account.AppID+"/"+in.Page+"?scene="+in.Scene, qr.M)
	if err != nil {
		return failed(-1)
	}
	return outcome{raw: code.PNG(), mime: "image/png"}
}
