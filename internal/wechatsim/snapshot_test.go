package wechatsim

import (
	"context"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

// What people have done is known after a restart; a message id is not used twice.
func TestSnapshotOutlivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var saved []byte
		w := start(t)
		synctest.Wait() // Run has begun, without anything to save to
		ctx, cancel := context.WithCancel(context.Background())
		w.save = func(b []byte) { saved = b }
		go w.keep(ctx)
		w.json("POST", "/demo/sim/people", object{"name": "孙师傅"})
		w.act("p3", "follow", object{"scene": "k03"})
		w.act("p3", "accept", object{"template": w.template("mini", OneOff)})
		w.act("p3", "accept", object{"template": w.template("official", LongTerm)})
		w.act("p1", "follow", nil)
		w.act("p1", "mute", nil)
		w.call("official", "/cgi-bin/menu/create", object{"button": []object{{"type": "click", "name": "最新", "key": "latest"}}})
		w.json("POST", "/demo/sim/clock", object{"advance": "36h"})
		time.Sleep(saveInterval)
		synctest.Wait()
		cancel()
		synctest.Wait()
		first := w.call("mini", pathSubscribe, w.message("mini", "p3", OneOff, nil))["msgid"]

		time.Sleep(time.Minute)
		again, err := New(Options{Now: time.Now, Accounts: Demo("http://callback.test"), People: []string{"nobody"}, Restore: saved})
		if err != nil {
			t.Fatal(err)
		}
		a := &world{Sim: again, t: t}
		for _, id := range []string{"p1", "p2", "p3"} {
			before, after := w.json("GET", "/demo/sim/people/"+id, nil), a.json("GET", "/demo/sim/people/"+id, nil)
			if id == "p3" { // the consent used after the snapshot is back
				before = a.json("GET", "/demo/sim/people/p3", nil)
				if n := len(after["accounts"].([]any)[1].(object)["consents"].([]any)); n != 1 {
					t.Errorf("p3 has %d consents in the mini-program, want 1", n)
				}
			}
			if !reflect.DeepEqual(before, after) {
				t.Errorf("%s was %v, is %v", id, before, after)
			}
		}
		if drift := again.Now().Sub(w.Now()); drift != 0 {
			t.Errorf("the clocks differ by %s", drift)
		}
		if again.accountByApp("official").pressed("latest") == nil || len(again.people) != 3 {
			t.Error("the menu or the people are not what they were")
		}
		if second := a.call("mini", pathSubscribe, a.message("mini", "p3", OneOff, nil))["msgid"]; second == first || second == nil {
			t.Errorf("message ids %v and %v", first, second)
		}
	})
}

func TestSnapshotsThatAreNone(t *testing.T) {
	for _, bad := range []string{"{", `{"ahead":-1}`, `{"people":[{"name":""}]}`} {
		if _, err := New(Options{Now: time.Now, Accounts: Demo("http://callback.test"), Restore: []byte(bad)}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}
