package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// follower is what every reader of the feed is: it remembers the last position
// it saw and nothing else.
type follower struct {
	last int64
	seen []disclosure.Change
}

// poll reads on and reports a page that breaks the feed's promise: all that is
// committed up to its head, in order, without gaps.
func (f *follower) poll(read func(after int64) (disclosure.ChangePage, error)) error {
	page, err := read(f.last)
	if err != nil {
		return err
	}
	next := f.last
	for _, c := range page.Items {
		if next++; c.Seq != next {
			return fmt.Errorf("position %d is missing before %d", next, c.Seq)
		}
	}
	if next != page.LastSeq {
		return fmt.Errorf("the head is at %d, the last row at %d", page.LastSeq, next)
	}
	f.last, f.seen = next, append(f.seen, page.Items...)
	return nil
}

func changesOf(s *store.Store) func(int64) (disclosure.ChangePage, error) {
	return func(after int64) (disclosure.ChangePage, error) { return s.Changes(context.Background(), after, 1<<20) }
}

// TestFeedInCommitOrder: sixteen writers of every kind of change on two
// instances, and readers that poll meanwhile: nobody misses anything.
func TestFeedInCommitOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		second := storetest.Open(t, u)
		stop := make(chan struct{})
		followers := make([]follower, 3)
		var reading, writing sync.WaitGroup
		for i := range followers {
			reading.Go(func() {
				read := changesOf([]*store.Store{s, second}[i%2])
				for {
					last := false
					select {
					case <-stop:
						last = true // one more, for what came since
					default:
					}
					if err := followers[i].poll(read); err != nil {
						t.Error(err)
						return
					}
					if last {
						return
					}
				}
			})
		}
		for i := range 16 {
			writing.Go(func() { writeAll(t, []*store.Store{s, second}[i%2], i) })
		}
		writing.Wait()
		close(stop)
		reading.Wait()
		var all follower
		if err := all.poll(changesOf(s)); err != nil {
			t.Fatal(err)
		}
		kinds := map[disclosure.FeedKind]int{}
		for _, c := range all.seen {
			kinds[c.Kind]++
		}
		if kinds[disclosure.FeedPublished] < 16*8 || kinds[disclosure.FeedWithdrawn] != 16*2 || kinds[disclosure.FeedCorrected] != 16*2 {
			t.Errorf("feed holds %v", kinds)
		}
		for i := range followers {
			if !slices.Equal(followers[i].seen, all.seen) {
				t.Errorf("reader %d saw %d of %d changes", i, len(followers[i].seen), len(all.seen))
			}
		}
		if _, err := s.VerifyAudit(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// writeAll makes each kind of change a few times.
func writeAll(t *testing.T, s *store.Store, writer int) {
	c := storetest.Content(t, s.Catalog(), "land.transfer_notice", fmt.Sprintf("出让公告 %d", writer))
	for i := range 6 {
		n := storetest.Publish(t, s, c, storetest.Start)
		switch i % 3 {
		case 0:
			apply(t, s, storetest.Amended(t, s.Catalog(), n, changes("title", "更正"), storetest.Start)...)
		case 1:
			apply(t, s, must[disclosure.Transition](t)(n.Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		case 2:
			def := sector(t, fmt.Sprintf("s%d", writer), i/3+1)
			if err := s.Define(context.Background(), storetest.Admin, def); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestFollowerCatchesEarlyNumbers plants the classic race: a writer that takes
// its number before its transaction, so that a younger number is committed
// first. A reader that remembers the last number never sees the older; the check
// of TestFeedInCommitOrder notices.
func TestFollowerCatchesEarlyNumbers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, _ *store.Store, u string) {
		db := storetest.Raw(t, u)
		take := func() int64 {
			return storetest.Int(t, db, `UPDATE feed_head SET seq = seq + 1 WHERE id = 1 RETURNING seq`)
		}
		commit := func(seq int64) {
			storetest.Exec(t, db, fmt.Sprintf(`INSERT INTO feed (seq, kind, notice_id, rev, at) VALUES (%d, 'published', 'n', 1, 0)`, seq))
		}
		read := func(after int64) (page disclosure.ChangePage, err error) { return rawChanges(db, after) }
		var f follower
		if err := f.poll(read); err != nil {
			t.Fatal(err)
		}
		older, younger := take(), take()
		commit(younger)
		if err := f.poll(read); err == nil {
			t.Error("a gap was not noticed")
		}
		f.last = younger // what a reader does that trusts the numbers
		commit(older)
		if err := f.poll(read); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(f.seen, func(c disclosure.Change) bool { return c.Seq == older }) {
			t.Error("the race was not planted: the older number was seen")
		}
	})
}

func rawChanges(db *sql.DB, after int64) (disclosure.ChangePage, error) {
	var page disclosure.ChangePage
	rows, err := db.QueryContext(context.Background(), `SELECT f.seq, h.seq FROM feed f, feed_head h WHERE f.seq > $1 ORDER BY f.seq`, after)
	if err != nil {
		return page, err
	}
	defer func() { _ = rows.Close() }()
	page.LastSeq = after
	for rows.Next() {
		var c disclosure.Change
		if err := rows.Scan(&c.Seq, &page.LastSeq); err != nil {
			return page, err
		}
		page.Items = append(page.Items, c)
	}
	return page, rows.Err()
}

// TestFeedPages: a page holds what comes after a position, at most limit rows,
// and names the head; a definition's change names no notice.
func TestFeedPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		start := must[disclosure.ChangePage](t)(s.Changes(context.Background(), 0, 1)).LastSeq
		n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
		n = apply(t, s, storetest.Amended(t, s.Catalog(), n, changes("title", "更正"), storetest.Start.Add(time.Hour))...)[2]
		apply(t, s, must[disclosure.Transition](t)(n.Withdraw("有误", true, storetest.Reviewer, storetest.Start.Add(2*time.Hour))))
		if err := s.Define(context.Background(), storetest.Admin, sector(t, "energy", 1)); err != nil {
			t.Fatal(err)
		}
		want := []struct {
			kind disclosure.FeedKind
			rev  int
			own  bool
		}{
			{disclosure.FeedPublished, 1, true}, {disclosure.FeedPublished, 1, false}, {disclosure.FeedCorrected, 2, true},
			{disclosure.FeedWithdrawn, 3, true}, {disclosure.FeedCatalog, 1, false},
		}
		for i, w := range want {
			page := must[disclosure.ChangePage](t)(s.Changes(context.Background(), start+int64(i), 1))
			if len(page.Items) != 1 || page.LastSeq != start+int64(len(want)) {
				t.Fatalf("page %d = %+v", i, page)
			}
			c := page.Items[0]
			if c.Kind != w.kind || c.Rev != w.rev || (c.NoticeID == n.ID) != w.own || (c.NoticeID == "") != (c.Kind == disclosure.FeedCatalog) || c.At.IsZero() {
				t.Errorf("change %d = %+v, want %+v", i, c, w)
			}
		}
		if page := must[disclosure.ChangePage](t)(s.Changes(context.Background(), start+5, 10)); len(page.Items) != 0 || page.LastSeq != start+5 {
			t.Errorf("page behind the end = %+v", page)
		}
	})
}
