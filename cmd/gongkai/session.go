package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
	c, err := p.loadExisting(cmd)
	if err != nil {
		return nil, err
	}
	return p.openConfigured(cmd.Context(), c)
}

// loadExisting reads the configuration and refuses a database that is not there.
func (p *program) loadExisting(cmd *cobra.Command) (*config, error) {
	c, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	path, missing, err := c.lacksFile()
	if errors.Is(err, os.ErrPermission) {
		return nil, usage("没有权限读取数据库 %s；请以服务的用户或 root 运行（%w）", path, err)
	}
	if err != nil {
		return nil, err
	}
	if missing {
		return nil, usage("没有数据库 %s；请用 --data 或 GONGKAI_DATA 指明服务的数据目录。新建请先运行 gongkai serve 或 gongkai token create", path)
	}
	return c, nil
}

// lacksFile tells whether the SQLite file is not there yet, and its full path;
// "" on PostgreSQL.
func (c *config) lacksFile() (path string, missing bool, err error) {
	if path = c.sqliteFile(); path == "" {
		return "", false, nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return path, false, err
	}
	_, err = os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return path, true, nil
	}
	return path, false, err
}

// openOrCreate is open for the commands that a new installation begins with. It
// says so when it creates a database: beside a running server that means a
// forgotten --data, and what is written here would never be seen there.
func (p *program) openOrCreate(cmd *cobra.Command) (*session, error) {
	c, err := p.load(cmd)
	if err != nil {
		return nil, err
	}
	path, missing, err := c.lacksFile()
	if err != nil {
		return nil, err
	}
	if err := makeDataDir(c); err != nil {
		return nil, err
	}
	s, err := p.openConfigured(cmd.Context(), c)
	if err == nil && missing {
		fmt.Fprintf(p.log, "注意：新建了数据库 %s。如果服务已经装在别处，这不是它的数据库：请删去这个文件，用 --data 或 GONGKAI_DATA 指明服务的数据目录再来一次。\n", path)
	}
	return s, err
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
		if session.shared, err = cache.NewShared(c.Redis, format(c), newLogger(p.log, c.Log.Level)); err != nil {
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
			return disclosure.Actor{}, usage("--as 指的令牌文件读不出：%w", err)
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
