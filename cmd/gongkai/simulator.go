package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"gongkai/internal/wechatsim"
)

// simulatorPath is where the simulated api.weixin.qq.com answers in the demo.
const simulatorPath = "/demo/wechat"

// demoWeChat tells a client of the simulated WeChat all that the owner of the
// accounts would know.
type demoWeChat struct {
	BaseURL  string              `json:"base_url"` // in place of https://api.weixin.qq.com
	Accounts []demoWeChatAccount `json:"accounts"`
}

type demoWeChatAccount struct {
	App            string               `json:"app"`
	AppID          string               `json:"appid"`
	Secret         string               `json:"secret"`
	OriginalID     string               `json:"original_id"`
	Token          string               `json:"token"`
	EncodingAESKey string               `json:"encoding_aes_key"`
	PreviousAESKey string               `json:"previous_aes_key"`
	Mode           string               `json:"mode"`
	Format         string               `json:"format"`
	Templates      []demoWeChatTemplate `json:"templates"`
}

type demoWeChatTemplate struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Type  string `json:"type"` // following, one_off or long_term
}

// simulatorFile keeps what the demo's people have done.
const simulatorFile = "wechat.json"

// newSimulator makes the demo's WeChat, whose callbacks go to the server at url.
// From then on the program's clock is the simulator's: moving that one forward
// moves the whole demo.
func (p *program) newSimulator(c *config, url string) error {
	path := filepath.Join(c.Data, simulatorFile)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	p.simulator, err = wechatsim.New(wechatsim.Options{Now: p.now, Accounts: wechatsim.Demo(url), People: wechatsim.DemoPeople(), Restore: before,
		Save: func(b []byte) { _ = saveFile(path, b) }}) // the next second tries again
	if err != nil {
		return fmt.Errorf("%s：%w", path, err)
	}
	p.now = p.simulator.Now
	return nil
}

// joinDemo gives a command on the demo's data the demo's clock and, unless it is
// given others, the demo's WeChat accounts, which answer while its server runs.
func (p *program) joinDemo(c *config) error {
	path := filepath.Join(c.Data, demoFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var sheet demoSheet
	if err := json.Unmarshal(b, &sheet); err != nil {
		return fmt.Errorf("%s：%w", path, err)
	}
	if err := p.newSimulator(c, sheet.URL); err != nil {
		return err
	}
	if len(c.wechatApps()) == 0 {
		c.useSimulator(p.simulator, sheet.URL)
	}
	return nil
}

// saveFile replaces a file as a whole.
func saveFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// demoSite is what answers below /demo/; nil outside the demo.
func (p *program) demoSite() http.Handler {
	if p.simulator == nil {
		return nil // and not an interface that holds nil
	}
	return p.simulator
}

// runSimulator delivers the simulator's callbacks until ctx ends.
func (p *program) runSimulator(ctx context.Context, a *app) {
	if p.simulator != nil {
		a.background.Go(func() { _ = p.simulator.Run(ctx) })
	}
}

// fillWeChat writes the simulator's accounts and people into demo.json.
func (d *demoSheet) fillWeChat(sim *wechatsim.Sim) {
	d.WeChat.BaseURL = d.URL + simulatorPath
	for _, acc := range sim.Accounts() {
		app := acc.App
		switch acc.Kind {
		case wechatsim.Official:
			d.Apps.Official = &app
		case wechatsim.Mini:
			d.Apps.Mini = &app
		}
		out := demoWeChatAccount{App: app, AppID: acc.AppID, Secret: acc.Secret, OriginalID: acc.OriginalID, Token: acc.Token,
			EncodingAESKey: acc.AESKey, PreviousAESKey: acc.PreviousAESKey, Mode: string(acc.Mode), Format: string(acc.Format)}
		for _, t := range acc.Templates {
			out.Templates = append(out.Templates, demoWeChatTemplate{ID: t.ID, Title: t.Title, Type: t.Type.String()})
		}
		d.WeChat.Accounts = append(d.WeChat.Accounts, out)
	}
	for _, who := range sim.People() {
		d.People = append(d.People, demoPerson{ID: who.ID, Name: who.Name, OfficialOpenID: who.OfficialOpenID, MiniOpenID: who.MiniOpenID, UnionID: who.UnionID})
	}
}
