package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

func wantCode(t *testing.T, err error, code disclosure.Code) {
	t.Helper()
	if !errors.Is(err, &disclosure.Error{Code: code}) {
		t.Fatalf("error = %v, want code %s", err, code)
	}
}

func TestPublishIsReadable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		c := storetest.Content(t, s.Catalog(), "construction.tender_notice", "盐东镇道路改造工程招标公告")
		n := storetest.Publish(t, s, c, storetest.Start)
		if !disclosure.ValidCode(n.Code) || n.Seq == 0 {
			t.Fatalf("code %q, seq %d", n.Code, n.Seq)
		}
		for _, ref := range []disclosure.NoticeRef{{ID: n.ID}, {Code: n.Code}} {
			d, err := s.Notice(ctx, ref)
			if err != nil {
				t.Fatal(err)
			}
			if d.Title != c.Title || d.Rev != 1 || d.Revisions != 1 || d.Seq != n.Seq || d.Reviewer != "王核验" {
				t.Errorf("%s: %+v", ref, d.Notice)
			}
			sum, _ := c.ContentSHA256()
			if d.ContentSHA256 != sum {
				t.Errorf("content hash %s, want %s", d.ContentSHA256, sum)
			}
		}
		page, err := s.Notices(ctx, disclosure.NoticeQuery{Limit: 20}, storetest.Start)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != 1 || len(page.Items) != 1 || page.Items[0].DeadlineAt.IsZero() || !page.Items[0].HasAmount {
			t.Errorf("list: %+v", page)
		}
		if rows, err := s.VerifyAudit(ctx); err != nil || rows < 2 {
			t.Errorf("audit: %d rows, %v", rows, err)
		}
		_, err = s.Notice(ctx, disclosure.NoticeRef{Code: "12345672"})
		wantCode(t, err, disclosure.CodeNotFound)
	})
}

func TestFeedIsGapFree(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		for i := range 3 {
			storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", fmt.Sprintf("出让公告%d", i)), storetest.Start.Add(time.Duration(i)*time.Minute))
		}
		page, err := s.Changes(ctx, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range page.Items {
			if c.Seq != int64(i+1) {
				t.Fatalf("change %d has seq %d", i, c.Seq)
			}
		}
		if page.LastSeq != int64(len(page.Items)) {
			t.Errorf("last_seq = %d of %d", page.LastSeq, len(page.Items))
		}
	})
}

// The file holds drafts and personal data; the machine's other users are none
// of its readers.
func TestDatabaseFileIsPrivate(t *testing.T) {
	s, u := storetest.SQLite(t)
	storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(strings.TrimPrefix(u, "sqlite:") + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode of the file%s is %v", suffix, info.Mode().Perm())
		}
	}
}
