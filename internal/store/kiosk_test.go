package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

func pairing(code string, at time.Time) disclosure.Pairing {
	return disclosure.Pairing{SecretHash: disclosure.KioskHash("secret of " + code), Kiosk: disclosure.Kiosk{ID: newID(), PairingCode: code,
		CreatedAt: at, ExpiresAt: at.Add(disclosure.PairingLife)}}
}

// TestKioskLife follows a device from its pairing code to its revocation.
func TestKioskLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx, now := context.Background(), storetest.Start
		admin := disclosure.Actor{Token: "t1", Name: "赵管理", Role: disclosure.RoleAdmin}
		p := pairing("048213", now)
		if err := s.CreateKiosk(ctx, p); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.CreateKiosk(ctx, pairing("048213", now)), disclosure.CodeExists)
		secret, token := p.SecretHash, disclosure.KioskHash("token")

		k, err := s.ClaimKiosk(ctx, p.ID, secret, token, now)
		if err != nil || k.Status != disclosure.KioskPending {
			t.Fatalf("a claim before the approval: %v, %v", k.Status, err)
		}
		_, err = s.Heartbeat(ctx, token, disclosure.KioskReport{}, now)
		wantCode(t, err, disclosure.CodeKioskToken)

		_, err = s.ApproveKiosk(ctx, admin, "048214", "一号机", "一楼", now)
		wantCode(t, err, disclosure.CodeNoKiosk)
		k, err = s.ApproveKiosk(ctx, admin, "048213", "一号机", "一楼", now.Add(time.Minute))
		if err != nil || k.Name != "一号机" || k.ApprovedBy != "赵管理" || k.PairingCode != "" || k.Health(now) != "new" {
			t.Fatalf("approved: %+v, %v", k, err)
		}
		_, err = s.ApproveKiosk(ctx, admin, "048213", "", "", now)
		wantCode(t, err, disclosure.CodeNoKiosk) // a code is approved once

		for _, wrong := range [][2]string{{p.ID, "guess"}, {newID(), "secret of 048213"}} {
			_, err := s.ClaimKiosk(ctx, wrong[0], disclosure.KioskHash(wrong[1]), token, now)
			wantCode(t, err, disclosure.CodeNoKiosk)
		}
		lost := disclosure.KioskHash("an answer that was lost")
		for _, hash := range [][]byte{lost, token} {
			if k, err = s.ClaimKiosk(ctx, p.ID, secret, hash, now.Add(2*time.Minute)); err != nil || k.Status != disclosure.KioskApproved {
				t.Fatalf("claim: %v, %v", k.Status, err)
			}
		}
		_, err = s.Heartbeat(ctx, lost, disclosure.KioskReport{}, now)
		wantCode(t, err, disclosure.CodeKioskToken) // the later claim replaced it

		report := disclosure.KioskReport{Revision: "abc", Position: 7, Uptime: 60, Width: 1080, Height: 1920, Printer: "ok", Errors: []string{"print.paper"}}
		if k, err = s.Heartbeat(ctx, token, report, now.Add(3*time.Minute)); err != nil || k.Name != "一号机" {
			t.Fatalf("heartbeat: %+v, %v", k, err)
		}
		fleet, err := s.Kiosks(ctx, now)
		if err != nil || len(fleet) != 1 || fleet[0].Report.Errors[0] != "print.paper" || !fleet[0].LastSeenAt.Equal(now.Add(3*time.Minute)) {
			t.Fatalf("fleet: %+v, %v", fleet, err)
		}
		_, err = s.ClaimKiosk(ctx, p.ID, secret, token, now.Add(time.Hour))
		wantCode(t, err, disclosure.CodeNoKiosk) // the pairing is over

		if _, err = s.RevokeKiosk(ctx, admin, p.ID, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		_, err = s.Heartbeat(ctx, token, report, now.Add(time.Hour))
		wantCode(t, err, disclosure.CodeKioskRevoked)
		_, err = s.RevokeKiosk(ctx, admin, p.ID, now)
		wantCode(t, err, disclosure.CodeNoKiosk)
		page, err := s.Audit(ctx, p.ID, 1<<60, 10)
		if err != nil || len(page.Items) != 2 || page.Items[0].Action != "revoke" || page.Items[1].Action != "approve" || page.Items[1].Actor != "赵管理" {
			t.Errorf("audit: %+v, %v", page.Items, err)
		}
	})
}

// TestPairingCodeIsOneDevices: of devices that come up with the same code at once
// one gets it, and the others are told to ask again.
func TestPairingCodeIsOneDevices(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		var paired atomic.Int64
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				switch err := s.CreateKiosk(context.Background(), pairing("048213", storetest.Start)); {
				case err == nil:
					paired.Add(1)
				case !errors.Is(err, &disclosure.Error{Code: disclosure.CodeExists}):
					t.Errorf("the code is taken: %v", err)
				}
			})
		}
		all.Wait()
		if paired.Load() != 1 {
			t.Errorf("%d devices have the code", paired.Load())
		}
	})
}

// TestPairingsExpireAndAreBounded: anybody may ask for a pairing, so they go
// away by themselves and never fill the table.
func TestPairingsExpireAndAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx, now := context.Background(), storetest.Start
		for i := range 200 {
			if err := s.CreateKiosk(ctx, pairing(fmt.Sprintf("%06d", i), now)); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, s.CreateKiosk(ctx, pairing("999999", now)), disclosure.CodeRateLimited)
		later := now.Add(disclosure.PairingLife)
		_, err := s.ApproveKiosk(ctx, disclosure.System, "000001", "", "", later)
		wantCode(t, err, disclosure.CodeNoKiosk)
		if list, err := s.Kiosks(ctx, later); err != nil || len(list) != 0 {
			t.Errorf("%d expired pairings are shown, %v", len(list), err)
		}
		if err := s.CreateKiosk(ctx, pairing("000001", later)); err != nil {
			t.Errorf("the code of an expired pairing: %v", err)
		}
		if list, err := s.Kiosks(ctx, later); err != nil || len(list) != 1 {
			t.Errorf("%d pairings, %v", len(list), err)
		}
	})
}
