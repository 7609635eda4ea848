package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

func upload(t testing.TB, s *store.Store, id, name string, data []byte) disclosure.Attachment {
	t.Helper()
	f := disclosure.Attachment{ID: id, Name: name, Size: int64(len(data)), SHA256: disclosure.Digest(string(data)), Type: "application/pdf"}
	if err := s.SaveUpload(context.Background(), storetest.Editor, f, data, storetest.Start); err != nil {
		t.Fatal(err)
	}
	return f
}

// withFiles publishes a notice that carries the files.
func withFiles(t testing.TB, s *store.Store, typ string, files ...disclosure.Attachment) disclosure.Notice {
	t.Helper()
	c := storetest.Content(t, s.Catalog(), typ, "带附件的公告")
	c.Attachments = files
	return storetest.Publish(t, s, c, storetest.Start)
}

// TestAttachmentChunks: a file of any size comes back as it was, in pieces of at
// most 256 KiB.
func TestAttachmentChunks(t *testing.T) {
	const piece = 256 << 10
	sizes := []int{1, piece - 1, piece, piece + 1, 2 * piece, 3*piece + 12345}
	if !testing.Short() {
		sizes = append(sizes, 20<<20)
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		for _, size := range sizes {
			data := make([]byte, size)
			_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8)}).Read(data)
			f := upload(t, s, fmt.Sprint("u", size), "文件.pdf", data)
			withFiles(t, s, "construction.tender_notice", f)
			state := must[disclosure.AttachmentState](t)(s.Attachment(ctx, f.SHA256))
			if state.Size != int64(size) || state.Name != "文件.pdf" || state.Type != f.Type || state.SHA256 != f.SHA256 || state.Personal {
				t.Errorf("%d bytes: %+v", size, state)
			}
			var got []byte
			for n := 0; ; n++ {
				chunk := must[[]byte](t)(s.AttachmentChunk(ctx, f.SHA256, n))
				if chunk == nil {
					break
				}
				if len(chunk) > piece || len(chunk) == 0 {
					t.Fatalf("%d bytes: piece %d has %d", size, n, len(chunk))
				}
				got = append(got, chunk...)
			}
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came back as %d", size, len(got))
			}
		}
	})
}

// TestAttachmentStoredOnce: one content under two names is one blob and two
// uploads.
func TestAttachmentStoredOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		data := bytes.Repeat([]byte("公开"), 200_000)
		a, b := upload(t, s, "u1", "甲.pdf", data), upload(t, s, "u2", "乙.pdf", data)
		db := storetest.Raw(t, u)
		for query, want := range map[string]int64{`SELECT count(*) FROM blob`: 1, `SELECT count(*) FROM blob_chunk`: 5, `SELECT count(*) FROM upload`: 2} {
			if got := storetest.Int(t, db, query); got != want {
				t.Errorf("%s = %d, want %d", query, got, want)
			}
		}
		found := must[map[string]disclosure.Attachment](t)(s.Uploads(context.Background(), []string{"u1", "u2", "u3"}))
		if len(found) != 2 || found["u1"] != a || found["u2"] != b {
			t.Errorf("Uploads = %+v", found)
		}
	})
}

// TestAttachmentStates: a file is handed out while a public notice carries it,
// is gone once only withdrawn ones did, and is unknown before.
func TestAttachmentStates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		f := upload(t, s, "u1", "甲.pdf", []byte("甲"))
		state := func() (disclosure.AttachmentState, error) { return s.Attachment(ctx, f.SHA256) }
		want := func(code disclosure.Code) {
			t.Helper()
			_, err := state()
			wantCode(t, err, code)
		}
		want(disclosure.CodeNoFile)
		c := storetest.Content(t, s.Catalog(), "land.transfer_notice", "草稿")
		c.Attachments = []disclosure.Attachment{f}
		apply(t, s, must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, storetest.Start)))
		want(disclosure.CodeNoFile)

		first, second := withFiles(t, s, "land.transfer_notice", f), withFiles(t, s, "land.change", f)
		if got, err := state(); err != nil || got.Personal {
			t.Errorf("public: %+v, %v", got, err)
		}
		withdraw := func(n disclosure.Notice) {
			apply(t, s, must[disclosure.Transition](t)(n.Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		}
		withdraw(first)
		if _, err := state(); err != nil {
			t.Errorf("one of two withdrawn: %v", err)
		}
		withdraw(second)
		want(disclosure.CodeFileGone)
		_, err := s.Attachment(ctx, disclosure.Digest("another"))
		wantCode(t, err, disclosure.CodeNoFile)
	})
}

// TestAttachmentOfMany: many withdrawn carriers do not hide the public one.
func TestAttachmentOfMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		f := upload(t, s, "u1", "格式合同.pdf", []byte("甲"))
		for range 101 {
			n := withFiles(t, s, "land.transfer_notice", f)
			apply(t, s, must[disclosure.Transition](t)(n.Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		}
		withFiles(t, s, "land.transfer_notice", f)
		if _, err := s.Attachment(context.Background(), f.SHA256); err != nil {
			t.Errorf("public beside 101 withdrawn: %v", err)
		}
	})
}

// TestAttachmentOfPersons: a file that any public notice of class P carries is
// personal; once that is withdrawn it is not.
func TestAttachmentOfPersons(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		f := upload(t, s, "u1", "名单.pdf", []byte("名单"))
		list := withFiles(t, s, "housing.allocation_recipients", f)
		withFiles(t, s, "housing.allocation_policy", f)
		if got := must[disclosure.AttachmentState](t)(s.Attachment(ctx, f.SHA256)); !got.Personal {
			t.Errorf("with a list of persons: %+v", got)
		}
		apply(t, s, must[disclosure.Transition](t)(list.Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		if got := must[disclosure.AttachmentState](t)(s.Attachment(ctx, f.SHA256)); got.Personal {
			t.Errorf("without: %+v", got)
		}
	})
}

// TestAttachmentOfRevisions: a file that a correction replaced stays readable
// with the revision that carried it; one that only a draft carried does not.
func TestAttachmentOfRevisions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		old, fresh := upload(t, s, "u1", "旧.pdf", []byte("旧")), upload(t, s, "u2", "新.pdf", []byte("新"))
		n := withFiles(t, s, "land.transfer_notice", old)
		changed := n.Content
		changed.Attachments = []disclosure.Attachment{fresh}
		ts := storetest.Amended(t, s.Catalog(), n, changes("title", "更正"), storetest.Start)
		ts[2].Notice.Content = changed
		apply(t, s, ts...)
		for _, f := range []disclosure.Attachment{old, fresh} {
			if got, err := s.Attachment(ctx, f.SHA256); err != nil || got.Name != f.Name {
				t.Errorf("%s: %+v, %v", f.Name, got, err)
			}
		}
		dropped, kept := upload(t, s, "u3", "弃.pdf", []byte("弃")), upload(t, s, "u4", "留.pdf", []byte("留"))
		c := storetest.Content(t, s.Catalog(), "land.transfer_notice", "草稿")
		c.Attachments = []disclosure.Attachment{dropped}
		draft := apply(t, s, must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, storetest.Start)))[0]
		c.Attachments = []disclosure.Attachment{kept}
		draft = apply(t, s, must[disclosure.Transition](t)(draft.Edit(c, 0, storetest.Editor, storetest.Start)))[0]
		apply(t, s, publishTransition(t, s, apply(t, s, submit(t, draft))[0], draft.PublishAt))
		if _, err := s.Attachment(ctx, kept.SHA256); err != nil {
			t.Error(err)
		}
		_, err := s.Attachment(ctx, dropped.SHA256)
		wantCode(t, err, disclosure.CodeNoFile)
	})
}
