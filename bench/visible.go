package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"gongkai/internal/store"
	"gongkai/internal/workday"
)

// visible measures how long after a publication was acknowledged by one
// instance another one shows it, over PostgreSQL, with Redis and without.
func (s settings) visible(ctx context.Context) error {
	if s.postgres == "" {
		fmt.Println("\nvisibility: no PostgreSQL given, left out")
		return nil
	}
	for _, redis := range []string{s.redis, ""} {
		if err := s.visibleWith(ctx, redis); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) visibleWith(ctx context.Context, redis string) error {
	database, drop, err := newDatabase(ctx, s.postgres)
	if err != nil {
		return err
	}
	defer drop()
	args := []string{"--database", database, "--publish.secrecy-review=false"}
	if redis != "" {
		args = append(args, "--redis", redis)
	}
	a, err := s.gongkai(ctx, args...)
	if err != nil {
		return err
	}
	defer a.stop()
	b, err := s.gongkai(ctx, args...)
	if err != nil {
		return err
	}
	defer b.stop()
	editor, err := s.token(ctx, database, "甲", "editor")
	if err != nil {
		return err
	}
	reviewer, err := s.token(ctx, database, "乙", "reviewer")
	if err != nil {
		return err
	}
	draft, err := visibleDraft(ctx, database)
	if err != nil {
		return err
	}
	var here, there []time.Duration
	for range 150 {
		notice, err := call(ctx, a, "POST", "/api/v1/staff/notices", editor, draft)
		if err != nil {
			return err
		}
		if _, err := call(ctx, a, "POST", "/api/v1/staff/notices/"+notice.ID+"/submit", editor, nil); err != nil {
			return err
		}
		// The other instance is asked before, so that it remembers there is nothing.
		_, _ = call(ctx, b, "GET", "/api/v1/notices/"+notice.ID, "", nil)
		if _, err := call(ctx, a, "POST", "/api/v1/staff/notices/"+notice.ID+"/publish", reviewer, nil); err != nil {
			return err
		}
		acknowledged := time.Now()
		if _, err := call(ctx, a, "GET", "/api/v1/notices/"+notice.ID, "", nil); err != nil {
			return fmt.Errorf("the publishing instance does not show it: %w", err)
		}
		here = append(here, time.Since(acknowledged))
		if err := shown(ctx, b, notice.ID); err != nil {
			return err
		}
		there = append(there, time.Since(acknowledged))
	}
	slices.Sort(here)
	slices.Sort(there)
	name := "with Redis"
	if redis == "" {
		name = "Redis cut"
	}
	fmt.Printf("\nacknowledged → visible on another instance, PostgreSQL, %s: p50 %v, p99 %v, worst %v (%d publications; on the same instance with the next request: p50 %v)\n",
		name, there[len(there)/2].Round(100*time.Microsecond), there[len(there)*99/100].Round(100*time.Microsecond), there[len(there)-1].Round(100*time.Microsecond), len(there), here[len(here)/2].Round(100*time.Microsecond))
	return nil
}

// patience is how long a notice may take to be shown.
var patience = time.Minute

// shown asks an instance for a notice, again and again, until it shows it.
func shown(ctx context.Context, v *server, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := call(ctx, v, "GET", "/api/v1/notices/"+id, "", nil)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: the other instance does not show it: %w", ctx.Err(), err)
		}
	}
}

func newDatabase(ctx context.Context, server string) (string, func(), error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, err
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		return "", nil, err
	}
	name := fmt.Sprintf("bench_%d", time.Now().UnixNano())
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, errors.Join(err, db.Close())
	}
	u.Path = "/" + name
	return u.String(), func() {
		_, _ = db.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
		_ = db.Close()
	}, nil
}

func (s settings) token(ctx context.Context, database, name, role string) (string, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(s.dir, "gongkai"), "token", "create", "--name", name, "--role", role,
		"--database", database, "--json").Output()
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	err = json.Unmarshal(out, &made)
	return made.Token, err
}

func visibleDraft(ctx context.Context, database string) ([]byte, error) {
	s, err := store.Open(ctx, store.Options{URL: database})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	typ, err := s.Catalog().Type("construction.tender_notice")
	if err != nil {
		return nil, err
	}
	fields, err := typ.Examples(workday.DateOf(time.Now()), true)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"type": typ.Code, "title": "可见性测量", "body": "resource-trading-centre",
		"source": map[string]any{"name": "测量"}, "fields": fields})
}

type answer struct {
	ID, Code, Detail string
}

func call(ctx context.Context, v *server, method, path, token string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, v.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return a, err
	}
	if res.StatusCode >= 300 {
		return a, fmt.Errorf("%s %s: %s %s", method, strings.SplitN(path, "?", 2)[0], res.Status, a.Detail)
	}
	return a, nil
}
