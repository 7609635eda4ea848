package store_test

import (
	"context"
	"slices"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
)

// TestArchive: the days of the archive are those of the public notices, of each
// sector and type, after corrections, terminations and withdrawals too.
func TestArchive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		oracle := storetest.NewOracle(s.Catalog(), storetest.Corpus(t, s, 9, 150))
		for _, ask := range []struct{ sector, typ string }{{"", ""}, {"construction", ""}, {"land", ""}, {"construction", "construction.tender_notice"}, {"medical", "medical.nothing"}} {
			perDay := map[disclosure.DayCount]int{}
			for _, n := range oracle.Public() {
				if ask.sector == "" || n.SectorCode() == ask.sector {
					perDay[disclosure.DayCount{Type: n.Type, Day: workday.DateOf(n.PublishedAt)}]++
				}
			}
			var days []disclosure.DayCount
			for d, count := range perDay {
				d.Count = count
				days = append(days, d)
			}
			want := disclosure.NewArchive(days, ask.typ)
			got, err := s.Archive(context.Background(), ask.sector, ask.typ)
			if err != nil || got.Position == 0 {
				t.Fatalf("%v: position %d, %v", ask, got.Position, err)
			}
			if got.Total != want.Total || !slices.Equal(got.Types, want.Types) || !slices.Equal(got.Periods, want.Periods) {
				t.Errorf("%v:\n%+v, want\n%+v", ask, got, want)
			}
		}
	})
}

// TestArchiveOfOldDatabase: a database of a release that did not tally types has
// the archive of one that always did.
func TestArchiveOfOldDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		storetest.Corpus(t, s, 9, 60)
		want, err := s.Archive(context.Background(), "", "")
		if err != nil || want.Total == 0 {
			t.Fatal(want.Total, err)
		}
		_ = s.Close()
		storetest.Exec(t, storetest.Raw(t, u), `DELETE FROM tally WHERE scope >= 't:'`, `DROP INDEX tally_scope`, `DROP TABLE push_tally`, `DELETE FROM goose_db_version WHERE version_id >= 9`)
		got, err := storetest.Open(t, u).Archive(context.Background(), "", "")
		if err != nil || got.Total != want.Total || !slices.Equal(got.Types, want.Types) || !slices.Equal(got.Periods, want.Periods) {
			t.Errorf("after the upgrade %v\n%+v, want\n%+v", err, got, want)
		}
	})
}
