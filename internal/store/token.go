package store

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
)

func isStale(err error) bool {
	return errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale})
}

// CreateToken keeps a token under the hash of its secret.
func (s *Store) CreateToken(ctx context.Context, by disclosure.Actor, t disclosure.Token, hash []byte) error {
	row := tokenAudit(by, "create", t.ID, t.CreatedAt)
	row.Detail = string(t.Role)
	return s.audited(ctx, "create token", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO api_token (id, name, role, bodies, hash, created_at, expires_at, revoked_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0)`,
			t.ID, t.Name, t.Role, jsonText(t.Bodies), hash, t.CreatedAt.UnixMilli(), disclosure.Milliseconds(t.ExpiresAt))
		return err
	}, row)
}

// RevokeToken ends a token at once. An unknown or already revoked one is
// CodeNoItem.
func (s *Store) RevokeToken(ctx context.Context, by disclosure.Actor, id string, now time.Time) error {
	return s.audited(ctx, "revoke token", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE api_token SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, now.UnixMilli(), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return disclosure.Errorf(disclosure.CodeNoItem, "没有编号为 %s 的有效令牌", id)
	}, tokenAudit(by, "revoke", id, now))
}

func tokenAudit(by disclosure.Actor, action, id string, at time.Time) disclosure.AuditRow {
	return disclosure.AuditRow{At: at, Actor: by.Name, Role: by.Role, Token: by.Token, Action: action, Subject: "token", ID: id}
}

const tokenColumns = `id, name, role, bodies, hash, created_at, expires_at, revoked_at`

func scanToken(scan func(...any) error) (t disclosure.Token, hash []byte, err error) {
	var bodies string
	var created, expires, revoked int64
	if err = scan(&t.ID, &t.Name, &t.Role, &bodies, &hash, &created, &expires, &revoked); err != nil {
		return t, nil, err
	}
	t.Token = t.ID
	t.CreatedAt, t.ExpiresAt, t.RevokedAt = disclosure.FromMilliseconds(created), disclosure.FromMilliseconds(expires), disclosure.FromMilliseconds(revoked)
	return t, hash, json.Unmarshal([]byte(bodies), &t.Bodies)
}

// Token returns the token with the hash, revoked or not. An unknown one is
// CodeBadToken.
func (s *Store) Token(ctx context.Context, hash []byte) (disclosure.Token, error) {
	row := s.r.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM api_token WHERE hash = $1`, hash)
	t, stored, err := scanToken(row.Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && subtle.ConstantTimeCompare(stored, hash) != 1 {
		return disclosure.Token{}, disclosure.Errorf(disclosure.CodeBadToken, "令牌无效")
	}
	if err != nil {
		return disclosure.Token{}, fmt.Errorf("store: token: %w", fault(err))
	}
	return t, nil
}

// Tokens lists every token, oldest first.
func (s *Store) Tokens(ctx context.Context) ([]disclosure.Token, error) {
	tokens, err := all(ctx, s.r, func(rows *sql.Rows) (disclosure.Token, error) {
		t, _, err := scanToken(rows.Scan)
		return t, err
	}, `SELECT `+tokenColumns+` FROM api_token ORDER BY created_at, id LIMIT 10000`)
	if err != nil {
		return nil, fmt.Errorf("store: tokens: %w", fault(err))
	}
	return tokens, nil
}
