package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// demoKeys are what the tour presses on the telephone, and why: down to the
// notice that was just published, its code to take along, a person.
var demoKeys = []struct{ params, why string }{
	{"event=start", "拨通"}, {"digits=1", "自助查询"}, {"digits=1", "最新公告"}, {"digits=2", "工程建设"},
	{"digits=1", "第一条"}, {"digits=8", "发到微信"}, {"digits=0", "转人工"},
}

// phoneScript is a telephone for a shell: press says what the hotline answers.
const phoneScript = `  T=$(sed -n 's/.*"ivr": "\([^"]*\)".*/\1/p' '%s'); S=
  press() {
    R=$(curl -s -u "ivr:$T" %s/api/v1/ivr/turn -d call_id=demo -d "state=$S" -d "$1")
    S=$(printf %%s "$R" | sed 's/.*"state":"\([^"]*\)".*/\1/'); printf '%%s\n' "$R" | sed 's/.*"prompt":"\([^"]*\)".*/\1/'
  }
`

// phone calls the hotline, as the commands it prints do.
func (t *tourist) phone(ctx context.Context) {
	t.say("打热线：按键换一句话（以下命令可以照抄到 bash 里）")
	if t.err != nil {
		return
	}
	fmt.Fprintf(t.out, phoneScript, filepath.Join(t.Data, demoFile), t.URL)
	state := ""
	for _, key := range demoKeys {
		var turn struct{ State, Prompt string }
		form := "call_id=tour&state=" + url.QueryEscape(state) + "&" + key.params
		if t.err = t.post(ctx, "/api/v1/ivr/turn", form, &turn); t.err != nil {
			return
		}
		state = turn.State
		fmt.Fprintf(t.out, "  press %-11s  # %s\n    %s\n", key.params, key.why, turn.Prompt)
	}
}

// post sends a form as the telephone engine does.
func (t *tourist) post(ctx context.Context, path, form string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL+path, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("ivr", t.Tokens["ivr"])
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return json.NewDecoder(res.Body).Decode(out)
}
