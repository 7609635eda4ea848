package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
)

// maxPairings bounds the pairings that wait at one time: anybody may ask for
// one.
const maxPairings = 200

// CreateKiosk begins a pairing. It is CodeExists when the pairing code is in
// use – ask again with another – and CodeRateLimited when too many wait.
func (s *Store) CreateKiosk(ctx context.Context, p disclosure.Pairing) error {
	return s.write(ctx, "create kiosk", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM kiosk WHERE status = 'pending' AND expires_at <= $1`, p.CreatedAt.UnixMilli()); err != nil {
			return err
		}
		var waiting int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM kiosk WHERE status = 'pending'`).Scan(&waiting); err != nil {
			return err
		}
		if waiting >= maxPairings {
			return disclosure.Errorf(disclosure.CodeRateLimited, "等待批准的终端太多，请稍后再试")
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO kiosk (id, pairing_code, status, name, location, secret_hash, created_at, expires_at, approved_at, approved_by, revoked_at, last_seen_at, report)
			VALUES ($1, $2, 'pending', '', '', $3, $4, $5, 0, '', 0, 0, '{}')`,
			p.ID, p.PairingCode, p.SecretHash, p.CreatedAt.UnixMilli(), p.ExpiresAt.UnixMilli())
		if isDuplicate(err) {
			return disclosure.Errorf(disclosure.CodeExists, "配对码已被占用")
		}
		return err
	})
}

const kioskColumns = `id, pairing_code, status, name, location, created_at, expires_at, approved_at, approved_by, revoked_at, last_seen_at, report`

func scanKiosk(scan func(...any) error) (k disclosure.Kiosk, err error) {
	var created, expires, approved, revoked, seen int64
	var report string
	if err := scan(&k.ID, &k.PairingCode, &k.Status, &k.Name, &k.Location, &created, &expires, &approved, &k.ApprovedBy, &revoked, &seen, &report); err != nil {
		return k, err
	}
	at := disclosure.FromMilliseconds
	k.CreatedAt, k.ExpiresAt, k.ApprovedAt, k.RevokedAt, k.LastSeenAt = at(created), at(expires), at(approved), at(revoked), at(seen)
	return k, json.Unmarshal([]byte(report), &k.Report)
}

// changedKiosk reads the device that a statement changed and returned; none is
// the error missing.
func changedKiosk(row *sql.Row, missing error) (disclosure.Kiosk, error) {
	k, err := scanKiosk(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = missing
	}
	return k, err
}

// ApproveKiosk lets the device that shows the pairing code into the fleet. A
// code that is unknown, used or expired is CodeNoKiosk.
func (s *Store) ApproveKiosk(ctx context.Context, by disclosure.Actor, code, name, location string, now time.Time) (disclosure.Kiosk, error) {
	var k disclosure.Kiosk
	row := disclosure.AuditRow{At: now, Actor: by.Name, Role: by.Role, Token: by.Token, Action: "approve", Subject: "kiosk"}
	err := s.write(ctx, "approve kiosk", func(tx *sql.Tx) error {
		var err error
		k, err = changedKiosk(tx.QueryRowContext(ctx, `
			UPDATE kiosk
			   SET status = 'approved', pairing_code = '', name = $1, location = $2, approved_at = $3, approved_by = $4, expires_at = $5
			 WHERE status = 'pending' AND pairing_code = $6 AND expires_at > $7
			RETURNING `+kioskColumns, name, location, now.UnixMilli(), by.Name, now.Add(disclosure.PairingLife).UnixMilli(), code, now.UnixMilli()),
			disclosure.Errorf(disclosure.CodeNoKiosk, "没有等待批准的终端显示这个配对码，请核对终端屏幕上的 6 位数字；配对码 10 分钟内有效").On("pairing_code"))
		if err != nil {
			return err
		}
		h, err := s.lockHead(ctx, tx, 0, 1, false)
		if err != nil {
			return err
		}
		row.ID = k.ID
		return s.audit(ctx, tx, h, []disclosure.AuditRow{row})
	})
	return k, err
}

// ClaimKiosk gives an approved device its token, kept as a hash; until it is
// approved nothing is written and the device comes back pending. Claimed again
// before the pairing expires it gets a new token, so a lost answer loses
// nothing. Anything else is CodeNoKiosk.
func (s *Store) ClaimKiosk(ctx context.Context, id string, secretHash, tokenHash []byte, now time.Time) (disclosure.Kiosk, error) {
	var k disclosure.Kiosk
	missing := disclosure.Errorf(disclosure.CodeNoKiosk, "没有这次配对，或已过期，请重新配对")
	err := s.write(ctx, "claim kiosk", func(tx *sql.Tx) error {
		var err error
		k, err = changedKiosk(tx.QueryRowContext(ctx, `
			SELECT `+kioskColumns+`
			  FROM kiosk
			 WHERE id = $1 AND secret_hash = $2 AND expires_at > $3 AND status <> 'revoked'`, id, secretHash, now.UnixMilli()), missing)
		if err != nil || k.Status == disclosure.KioskPending {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE kiosk SET token_hash = $1 WHERE id = $2`, tokenHash, id)
		return err
	})
	return k, err
}

// Heartbeat keeps what a device says of itself. An unknown token is
// CodeKioskToken, a revoked device CodeKioskRevoked.
func (s *Store) Heartbeat(ctx context.Context, tokenHash []byte, report disclosure.KioskReport, now time.Time) (disclosure.Kiosk, error) {
	doc, err := json.Marshal(report)
	if err != nil {
		return disclosure.Kiosk{}, fmt.Errorf("store: heartbeat: %w", err)
	}
	var k disclosure.Kiosk
	err = s.write(ctx, "heartbeat", func(tx *sql.Tx) error {
		var err error
		k, err = changedKiosk(tx.QueryRowContext(ctx, `SELECT `+kioskColumns+` FROM kiosk WHERE token_hash = $1`, tokenHash),
			disclosure.Errorf(disclosure.CodeKioskToken, "本机尚未登记"))
		if err == nil && k.Status == disclosure.KioskRevoked {
			err = disclosure.Errorf(disclosure.CodeKioskRevoked, "本机已停用")
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE kiosk SET last_seen_at = $1, report = $2 WHERE id = $3`, now.UnixMilli(), string(doc), k.ID)
		return err
	})
	k.LastSeenAt, k.Report = now, report
	return k, err
}

// Kiosks lists the fleet by name, and the pairings that still wait at now,
// newest first, before it.
func (s *Store) Kiosks(ctx context.Context, now time.Time) ([]disclosure.Kiosk, error) {
	list, err := all(ctx, s.r, func(rows *sql.Rows) (disclosure.Kiosk, error) { return scanKiosk(rows.Scan) }, `
		SELECT `+kioskColumns+`
		  FROM kiosk
		 WHERE status <> 'pending' OR expires_at > $1
		 ORDER BY name, created_at DESC, id
		 LIMIT 10000`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("store: kiosks: %w", fault(err))
	}
	return list, nil
}

// RevokeKiosk takes a device out of the fleet at once. An unknown or already
// revoked one is CodeNoKiosk.
func (s *Store) RevokeKiosk(ctx context.Context, by disclosure.Actor, id string, now time.Time) (disclosure.Kiosk, error) {
	var k disclosure.Kiosk
	row := disclosure.AuditRow{At: now, Actor: by.Name, Role: by.Role, Token: by.Token, Action: "revoke", Subject: "kiosk", ID: id}
	err := s.audited(ctx, "revoke kiosk", func(tx *sql.Tx) error {
		var err error
		k, err = changedKiosk(tx.QueryRowContext(ctx, `
			UPDATE kiosk
			   SET status = 'revoked', pairing_code = '', revoked_at = $1
			 WHERE id = $2 AND status <> 'revoked'
			RETURNING `+kioskColumns, now.UnixMilli(), id),
			disclosure.Errorf(disclosure.CodeNoKiosk, "没有这台启用中的终端"))
		return err
	}, row)
	return k, err
}
