package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestTokens: a token is found by the hash of its secret alone, with all that
// was said of it; revoked ones are found as revoked.
func TestTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		now := storetest.Start
		all := []disclosure.Token{
			{ID: "t1", Actor: disclosure.Actor{Token: "t1", Name: "李录入", Role: disclosure.RoleEditor, Bodies: []string{"finance-bureau", "water-bureau"}}, CreatedAt: now, ExpiresAt: now.AddDate(0, 0, 1)},
			{ID: "t2", Actor: disclosure.Actor{Token: "t2", Name: "王核验", Role: disclosure.RoleReviewer}, CreatedAt: now.Add(time.Second)},
			{ID: "t3", Actor: disclosure.Actor{Token: "t3", Name: "热线", Role: disclosure.RoleIVR}, CreatedAt: now.Add(2 * time.Second)},
		}
		for _, tok := range all {
			if err := s.CreateToken(ctx, storetest.Admin, tok, disclosure.TokenHash("secret "+tok.ID)); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range all {
			got := must[disclosure.Token](t)(s.Token(ctx, disclosure.TokenHash("secret "+want.ID)))
			if got.ID != want.ID || got.Name != want.Name || got.Role != want.Role || !slices.Equal(got.Bodies, want.Bodies) ||
				!got.CreatedAt.Equal(want.CreatedAt) || !got.ExpiresAt.Equal(want.ExpiresAt) || got.Token != want.ID {
				t.Errorf("token = %+v, want %+v", got, want)
			}
		}
		for _, hash := range [][]byte{disclosure.TokenHash("other"), []byte("secret t1"), nil, {}} {
			_, err := s.Token(ctx, hash)
			wantCode(t, err, disclosure.CodeBadToken)
		}
		if err := s.RevokeToken(ctx, storetest.Admin, "t2", now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.RevokeToken(ctx, storetest.Admin, "t2", now), disclosure.CodeNoItem)
		wantCode(t, s.RevokeToken(ctx, storetest.Admin, "none", now), disclosure.CodeNoItem)
		revoked := must[disclosure.Token](t)(s.Token(ctx, disclosure.TokenHash("secret t2")))
		wantCode(t, revoked.Check(now), disclosure.CodeBadToken)
		if list := must[[]disclosure.Token](t)(s.Tokens(ctx)); !slices.Equal(codes(list, func(t disclosure.Token) string { return t.ID }), []string{"t1", "t2", "t3"}) {
			t.Errorf("tokens = %+v", list)
		}
		if err := s.CreateToken(ctx, storetest.Admin, disclosure.Token{ID: "t4", Actor: disclosure.Actor{Name: "x", Role: "root"}, CreatedAt: now}, []byte("h")); err == nil {
			t.Error("a role there is none of was accepted")
		}
		if err := s.CreateToken(ctx, storetest.Admin, disclosure.Token{ID: "t5", Actor: disclosure.Actor{Name: "x", Role: disclosure.RoleEditor}, CreatedAt: now}, disclosure.TokenHash("secret t1")); err == nil {
			t.Error("two tokens of one secret were accepted")
		}
		if traces := storetest.Traces(t, u, "secret t1"); len(traces) > 0 {
			t.Errorf("a secret is in the database: %v", traces)
		}
	})
}

// TestReceipts: a key is spent with the step it came with and free again after
// seven days; a step that is not taken spends none.
func TestReceipts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		create := func(r disclosure.Receipt, at time.Time) (disclosure.Notice, error) {
			c := storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告")
			done, err := s.Apply(ctx, &r, must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, at)))
			if err != nil {
				return disclosure.Notice{}, err
			}
			return done[0], nil
		}
		start := storetest.Start
		n := must[disclosure.Notice](t)(create(disclosure.Receipt{Token: "t1", Key: "k", Request: "a"}, start))
		_, err := create(disclosure.Receipt{Token: "t1", Key: "k", Request: "b"}, start.Add(time.Hour))
		wantCode(t, err, disclosure.CodeIdemClash)
		must[disclosure.Notice](t)(create(disclosure.Receipt{Token: "t2", Key: "k", Request: "b"}, start)) // another person's key

		find := func(token, key string, now time.Time) string {
			request, notice, found, err := s.FindReceipt(ctx, token, key, now)
			if err != nil {
				t.Fatal(err)
			}
			if found != (notice != "") {
				t.Errorf("found %t with notice %q", found, notice)
			}
			return request + " " + notice
		}
		week := start.AddDate(0, 0, 7)
		for _, tt := range []struct {
			name, token, key string
			now              time.Time
			want             string
		}{
			{"at once", "t1", "k", start, "a " + n.ID},
			{"in the last millisecond of seven days", "t1", "k", week, "a " + n.ID},
			{"after seven days", "t1", "k", week.Add(time.Millisecond), " "},
			{"another key", "t1", "K", start, " "},
			{"another token", "t3", "k", start, " "},
		} {
			if got := find(tt.token, tt.key, tt.now); got != tt.want {
				t.Errorf("%s: receipt %q, want %q", tt.name, got, tt.want)
			}
		}
		if _, err := create(disclosure.Receipt{Token: "t1", Key: "k", Request: "c"}, week.Add(time.Second)); err != nil {
			t.Errorf("the key after seven days: %v", err)
		}
		// A step that fails leaves its key unspent.
		r := disclosure.Receipt{Token: "t1", Key: "unspent", Request: "a"}
		n = at(t, s, disclosure.StatusDraft)
		stale := submit(t, n)
		apply(t, s, stale)
		_, err = s.Apply(ctx, &r, stale)
		if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) || find("t1", "unspent", start) != " " {
			t.Errorf("a step not taken: %v, receipt %q", err, find("t1", "unspent", start))
		}
	})
}
