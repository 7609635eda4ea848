package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gongkai/cache"
	"gongkai/internal/disclosure"
	"gongkai/internal/extract"
	"gongkai/internal/publish"
	"gongkai/internal/store"
	"gongkai/push"
)

// session is an open store for one command.
type session struct {
	*store.Store
	publish *publish.Service
	config  *config
	shared  *cache.Shared // nil without Redis
}

// Close closes what was opened.
func (s *session) Close() error {
	err := s.Store.Close()
	if s.shared != nil {
		err = errors.Join(err, s.shared.Close())
	}
	return err
}

// open opens the configured database for a command. It may stand beside a
// running server, which sees what the command writes within a second. A
// database that is not there is a mistyped directory, not an empty one.
func (p *program) open(cmd *cobra.Command) (*session, error) {
	c, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	if path := c.sqliteFile(); path != "" {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, usage("没有数据库 %s；请核对 --data，新建请先运行 gongkai serve 或 gongkai token create", path)
		}
	}
	return p.openConfigured(cmd.Context(), c)
}

// openOrCreate is open for the commands that a new installation begins with.
func (p *program) openOrCreate(cmd *cobra.Command) (*session, error) {
	c, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	if err := makeDataDir(c); err != nil {
		return nil, err
	}
	return p.openConfigured(cmd.Context(), c)
}

func (p *program) openConfigured(ctx context.Context, c *config) (*session, error) {
	if isDemo(c.Data) {
		c.Publish.SecrecyReview = false // as the demo's server has it
		if err := p.joinDemo(c); err != nil {
			return nil, err
		}
	}
	s, err := store.Open(ctx, store.Options{URL: c.Database})
	if err != nil {
		return nil, err
	}
	session := &session{Store: s, config: c, publish: p.publisher(s, c)}
	if c.Redis != "" { // an erasure empties it; a running server empties its own memory when told
		if session.shared, err = cache.NewShared(c.Redis, format(), newLogger(p.log, c.Log.Level)); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		session.publish.Caches = []publish.Purger{session.shared}
	}
	return session, nil
}

// publisher makes the one writer of notices.
func (p *program) publisher(s *store.Store, c *config, caches ...publish.Purger) *publish.Service {
	return &publish.Service{Store: s, Now: p.now, RequireSecrecy: c.Publish.SecrecyReview, Extract: &extract.Reader{},
		LookupKey: []byte(c.Housing.LookupKey), CallbackKeys: splitKeys(c.IVR.CallbackKeys), CallbackDays: c.IVR.CallbackDays, Caches: caches, Settle: push.SettleTime}
}

// storeFlags gives a command the settings that say where the data is.
func storeFlags(cmd *cobra.Command) { addOptions(cmd, "data", "database") }

// asFlag lets a command act as the holder of a token.
func asFlag(cmd *cobra.Command) {
	cmd.Flags().String("as", "", "以哪个令牌的身份操作；写 @文件 则从文件读取，免得出现在进程列表中")
	_ = cmd.MarkFlagRequired("as") // it exists
}

// actor returns the holder of the token that --as names.
func (s *session) actor(ctx context.Context, p *program, cmd *cobra.Command) (disclosure.Actor, error) {
	secret, _ := cmd.Flags().GetString("as")
	if path, ok := strings.CutPrefix(secret, "@"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return disclosure.Actor{}, usage("--as：%w", err)
		}
		secret = strings.TrimSpace(string(b))
	}
	t, err := s.Token(ctx, disclosure.TokenHash(secret))
	if err != nil {
		return disclosure.Actor{}, err
	}
	return t.Actor, t.Check(p.now())
}

// newSecret makes a token: 256 random bits behind a prefix that secret scanners
// can look for.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails; see crypto/rand
	return "gongkai_" + base64.RawURLEncoding.EncodeToString(b)
}

// operator is who uses the command line: whoever may open the database file.
var operator = disclosure.Actor{Name: "命令行", Role: disclosure.RoleAdmin}
