package wechatsim

import (
	"testing"
	"testing/synctest"
	"time"
)

func seconds(out object) int64 {
	n, _ := out["expires_in"].(interface{ Int64() (int64, error) }).Int64()
	return n
}

// Every ordinary token replaces the one before, which lives for five minutes.
func TestOrdinaryTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		fetch := func() string {
			out := w.json("GET", "/cgi-bin/token?grant_type=client_credential&appid="+w.official().AppID+"&secret="+w.official().Secret, nil)
			if seconds(out) != 7200 {
				t.Fatalf("token: %v", out)
			}
			return out["access_token"].(string)
		}
		use := func(token string) int {
			return code(w.json("GET", "/cgi-bin/user/get?access_token="+token, nil))
		}
		first := fetch()
		stable := w.token("official")
		second := fetch()
		if first == second || use(first) != 0 || use(second) != 0 {
			t.Error("both tokens should be good at first")
		}
		time.Sleep(tokenOverlap)
		if use(first) != 40001 || use(second) != 0 {
			t.Error("after five minutes only the newer one should be good")
		}
		if use(stable) != 0 {
			t.Error("a stable token suffers from ordinary ones")
		}
		time.Sleep(tokenLife)
		if got := use(second); got != 42001 {
			t.Errorf("an old token: %d, want 42001", got)
		}
	})
}

func TestStableTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		fetch := func(force bool) (string, int64) {
			out := w.json("POST", "/cgi-bin/stable_token", object{"grant_type": "client_credential", "appid": w.official().AppID, "secret": w.official().Secret, "force_refresh": force})
			return out["access_token"].(string), seconds(out)
		}
		use := func(token string) int {
			return code(w.json("GET", "/cgi-bin/user/get?access_token="+token, nil))
		}
		first, _ := fetch(false)
		time.Sleep(tokenLife - tokenOverlap)
		if same, left := fetch(false); same != first || left != 300 {
			t.Errorf("until the last five minutes it is the same, with 300 s left: %v, %d", same == first, left)
		}
		time.Sleep(time.Second)
		second, left := fetch(false)
		if second == first || left != 7200 || use(first) != 0 {
			t.Errorf("in the last five minutes there is a new one beside the old: %v, %d, %d", second != first, left, use(first))
		}
		forced, _ := fetch(true)
		if forced == second || use(second) != 40001 || use(forced) != 0 {
			t.Error("a forced refresh ends the token before at once")
		}
		if again, _ := fetch(true); again != forced {
			t.Error("a second forced refresh within 30 s is not ignored")
		}
		for range forcedPerDay - 1 {
			time.Sleep(forcedAtLeast)
			fetch(true)
		}
		time.Sleep(forcedAtLeast)
		last, _ := fetch(false)
		if again, _ := fetch(true); again != last {
			t.Error("the 21st forced refresh of a day is not ignored")
		}
	})
}

// Another process has fetched a token: the next call with the old one fails, and
// asking again brings a good one.
func TestTokenStolen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		old := w.token("official")
		w.json("POST", "/demo/sim/faults", object{"kind": "expire_token", "path": "user/get"})
		if out := w.json("GET", "/cgi-bin/user/get?access_token="+old, nil); code(out) != 40001 {
			t.Errorf("the stolen token: %v", out)
		}
		if fresh := w.token("official"); fresh == old || code(w.json("GET", "/cgi-bin/user/get?access_token="+fresh, nil)) != 0 {
			t.Error("the new token is not good")
		}
	})
}
