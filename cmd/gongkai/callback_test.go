package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
	"gongkai/internal/store/storetest"
)

// TestCallbackCommands lists, reveals and ends a request from the command line,
// with the key that the server seals by.
func TestCallbackCommands(t *testing.T) {
	s, u := storetest.SQLite(t)
	const key = "a key of this test only"
	service := &publish.Service{Store: s, Now: time.Now, CallbackKeys: disclosure.NumberKeys{[]byte(key)}}
	asked, err := service.RequestCallback(t.Context(), disclosure.CallbackAsk{Number: "13812345678", Turn: "1", Sector: "housing",
		At: time.Now().Add(-2 * time.Hour), DueAt: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"GONGKAI_DATABASE=" + u, "GONGKAI_IVR__CALLBACK_KEYS=" + key + ",the key of last year"}
	token := func(role string) string {
		t.Helper()
		out, code := run(t, env, "token", "create", "--name", "陈"+role, "--role", role, "--json")
		var made struct{ Token string }
		if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 {
			t.Fatalf("%d, %v: %s", code, err, out)
		}
		return made.Token
	}
	editor, auditor := token("editor"), token("auditor")

	list, code := run(t, env, "callback", "list")
	if code != 0 || !strings.Contains(list, "138****5678") || !strings.Contains(list, "逾期") || !strings.Contains(list, "住房保障") || strings.Contains(list, "1234") {
		t.Errorf("list: %d, %s", code, list)
	}
	if out, code := run(t, env, "callback", "reveal", asked.ID, "--as", auditor); code != 1 || strings.Contains(out, "1234") {
		t.Errorf("revealed to the auditor: %d, %s", code, out)
	}
	if out, code := run(t, env, "callback", "reveal", asked.ID, "--as", editor); code != 0 || out != "13812345678\n" {
		t.Errorf("reveal: %d, %s", code, out)
	}
	for _, bad := range [][]string{{"list", "--status", "nope"}, {"list", "--limit", "0"}, {"done", asked.ID, "--as", editor}} {
		if out, code := run(t, env, append([]string{"callback"}, bad...)...); code != 2 {
			t.Errorf("%v: %d, %s", bad, code, out)
		}
	}
	if out, code := run(t, env, "callback", "done", asked.ID, "--outcome", "sold", "--as", editor); code != 1 {
		t.Errorf("an outcome that is none: %d, %s", code, out)
	}
	if out, code := run(t, env, "callback", "done", asked.ID, "--outcome", "reached", "--as", editor); code != 0 || !strings.Contains(out, "已回电") {
		t.Errorf("done: %d, %s", code, out)
	}
	if out, code := run(t, env, "callback", "done", asked.ID, "--outcome", "reached", "--as", editor); code != 1 || !strings.Contains(out, "已经办结") {
		t.Errorf("done twice: %d, %s", code, out)
	}
	out, code := run(t, env, "callback", "list", "--status", "all", "--json")
	var rows []handlers.CallbackRequest
	if err := json.Unmarshal([]byte(out), &rows); err != nil || code != 0 || len(rows) != 1 || *rows[0].DoneBy != "陈editor" || *rows[0].Number != "138****5678" {
		t.Errorf("list --json: %d, %v, %s", code, err, out)
	}
}
