package wechatsim

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMiniProgramLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		login := func() string { return w.act("p1", "login", object{"app": "mini"})["code"].(string) }
		session := func(code string) object {
			return w.json("GET", "/sns/jscode2session?grant_type=authorization_code&appid="+w.mini().AppID+"&secret="+w.mini().Secret+"&js_code="+code, nil)
		}
		code1 := login()
		out := session(code1)
		if out["openid"] != w.openID("mini", "p1") || out["unionid"] != w.byID["p1"].unionID || len(out["session_key"].(string)) != 24 {
			t.Errorf("session: %v", out)
		}
		if out := session(code1); code(out) != 40163 {
			t.Errorf("a used code: %v", out)
		}
		late := login()
		time.Sleep(codeLife)
		for name, c := range map[string]string{"late": late, "none": "nonsense", "the other account's": w.act("p1", "login", nil)["code"].(string)} {
			if out := session(c); code(out) != 40029 {
				t.Errorf("%s code: %v", name, out)
			}
		}
		if out := session(""); code(out) != 41008 {
			t.Errorf("no code: %v", out)
		}
	})
}

func TestWebAuthorisation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		exchange := func(code string) object {
			return w.json("GET", "/sns/oauth2/access_token?grant_type=authorization_code&appid="+w.official().AppID+"&secret="+w.official().Secret+"&code="+code, nil)
		}
		base := exchange(w.act("p1", "login", object{"scope": "snsapi_base"})["code"].(string))
		if base["openid"] != w.openID("official", "p1") || base["unionid"] != nil || base["scope"] != "snsapi_base" {
			t.Errorf("snsapi_base: %v", base)
		}
		info := exchange(w.act("p1", "login", nil)["code"].(string))
		if info["unionid"] != w.byID["p1"].unionID || info["is_snapshotuser"] != nil {
			t.Errorf("snsapi_userinfo: %v", info)
		}
		snapshot := exchange(w.act("p1", "login", object{"snapshot": true})["code"].(string))
		if n, _ := snapshot["is_snapshotuser"].(interface{ Int64() (int64, error) }).Int64(); n != 1 || snapshot["openid"] == info["openid"] {
			t.Errorf("a snapshot page: %v", snapshot)
		}
		user := w.json("GET", "/sns/userinfo?access_token="+info["access_token"].(string)+"&openid="+info["openid"].(string), nil)
		if user["nickname"] != "王大爷" {
			t.Errorf("userinfo: %v", user)
		}
		if out := w.json("GET", "/sns/userinfo?access_token="+base["access_token"].(string)+"&openid="+base["openid"].(string), nil); code(out) != 48001 {
			t.Errorf("userinfo of snsapi_base: %v", out)
		}
		time.Sleep(grantLife)
		if out := w.json("GET", "/sns/auth?access_token="+info["access_token"].(string)+"&openid="+info["openid"].(string), nil); code(out) != 42001 {
			t.Errorf("two hours later: %v", out)
		}
		if out := w.json("GET", "/sns/oauth2/refresh_token?grant_type=refresh_token&appid="+w.official().AppID+"&refresh_token="+info["refresh_token"].(string), nil); seconds(out) != 7200 {
			t.Errorf("renewed: %v", out)
		}
	})
}

func TestAuthorisationPage(t *testing.T) {
	w := start(t, func(official, _ *Account) { official.OAuthDomain = "h5.test" })
	page := func(change func(url.Values)) *httptest.ResponseRecorder {
		q := url.Values{"appid": {w.official().AppID}, "redirect_uri": {"https://h5.test/cb?x=1"}, "response_type": {"code"}, "scope": {"snsapi_base"}, "state": {"s&t"}}
		change(q)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, httptest.NewRequest("GET", "/connect/oauth2/authorize?"+q.Encode(), nil))
		return rec
	}
	if body := page(func(url.Values) {}).Body.String(); !strings.Contains(body, "王大爷") || !strings.Contains(body, "person=p2") {
		t.Errorf("the page does not ask who it is: %s", body)
	}
	rec := page(func(q url.Values) { q.Set("person", "p1") })
	back, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || rec.Code != 302 || back.Host != "h5.test" || back.Query().Get("state") != "s&t" || back.Query().Get("x") != "1" || len(back.Query().Get("code")) != 32 {
		t.Errorf("%d %s", rec.Code, rec.Header().Get("Location"))
	}
	for key, value := range map[string]string{"appid": "wx0", "redirect_uri": "https://evil.test/", "response_type": "token", "scope": "all"} {
		rec := page(func(q url.Values) { q.Set("person", "p1"); q.Set(key, value) })
		if rec.Code != 200 || !strings.Contains(rec.Body.String(), "无法授权") {
			t.Errorf("%s=%s: %d", key, value, rec.Code)
		}
	}
}
