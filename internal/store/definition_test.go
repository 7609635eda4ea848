package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestBuiltinDefinitions: a newer binary brings new texts of what the district
// has not edited, as new versions, and leaves alone what it has.
func TestBuiltinDefinitions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		edited := must[[]disclosure.Definition](t)(s.Definitions(ctx, disclosure.KindItem, "A1-04"))[0]
		edited.Version, edited.Builtin, edited.By, edited.Reason = 2, false, "赵管理", "机构调整"
		edited.Doc = []byte(strings.Replace(string(edited.Doc), `"basis":"`, `"basis":"招标投标法；`, 1))
		if err := s.Define(ctx, storetest.Admin, edited); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()
		// An older binary had another text of A1-05, and no A1-06 yet; the district's
		// A1-04 differs from what is shipped now.
		db := storetest.Raw(t, u)
		storetest.Exec(t, db, `UPDATE definition SET doc = REPLACE(doc, '"annex":1', '"annex":9') WHERE kind = 'catalog' AND id = 'A1-05'`,
			`DELETE FROM definition WHERE kind = 'catalog' AND id = 'A1-06'`)
		feed := storetest.Int(t, db, `SELECT seq FROM feed_head`)

		s = storetest.Open(t, u)
		versions := func(id string) []disclosure.Definition {
			return must[[]disclosure.Definition](t)(s.Definitions(ctx, disclosure.KindItem, id))
		}
		if defs := versions("A1-04"); len(defs) != 2 || string(defs[1].Doc) != string(edited.Doc) || defs[1].Builtin || defs[1].Reason != "机构调整" {
			t.Errorf("the district's own: %d versions, newest %s", len(defs), defs[len(defs)-1].Doc)
		}
		if defs := versions("A1-05"); len(defs) != 2 || !defs[1].Builtin || !strings.Contains(string(defs[1].Doc), `"annex":1`) || !strings.Contains(string(defs[0].Doc), `"annex":9`) {
			t.Errorf("not edited: %d versions", len(defs))
		}
		if defs := versions("A1-06"); len(defs) != 1 || !defs[0].Builtin {
			t.Errorf("new: %d versions", len(defs))
		}
		if item, err := s.Catalog().Item("A1-04"); err != nil || !strings.HasPrefix(item.Basis, "招标投标法；") {
			t.Errorf("in force: %+v, %v", item, err)
		}
		if n := storetest.Int(t, db, `SELECT seq FROM feed_head`); n != feed+2 {
			t.Errorf("%d changes told, want 2", n-feed)
		}
	})
}

// TestDefine: versions are appended, never written over; the feed and the
// catalogue of every instance follow.
func TestDefine(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		other := storetest.Open(t, u)
		if err := s.Define(ctx, storetest.Admin, sector(t, "energy", 1)); err != nil {
			t.Fatal(err)
		}
		wantCode(t, s.Define(ctx, storetest.Admin, sector(t, "energy", 1)), disclosure.CodeStale)
		wantCode(t, other.Define(ctx, storetest.Admin, sector(t, "forest", 1), sector(t, "energy", 1)), disclosure.CodeStale)
		if _, err := other.Catalog().Sector("energy"); err == nil {
			t.Error("the other instance knows before it looks")
		}
		head := must[disclosure.Reading](t)(other.Head(ctx))
		if _, err := head.Catalog.Sector("energy"); err != nil {
			t.Errorf("after Head: %v", err)
		}
		if _, err := head.Catalog.Sector("forest"); err == nil {
			t.Error("half of a refused pair was kept")
		}
		all := must[[]disclosure.Definition](t)(s.Definitions(ctx, disclosure.KindSector, ""))
		if len(all) != len(head.Catalog.Sectors) {
			t.Errorf("%d versions of %d sectors", len(all), len(head.Catalog.Sectors))
		}
		if none := must[[]disclosure.Definition](t)(s.Definitions(ctx, disclosure.KindBody, "energy")); len(none) != 0 {
			t.Errorf("a sector among the bodies: %v", none)
		}
	})
}

// TestCatalogOfASnapshot: what a list was read with is the catalogue of that
// moment, also of a type that was changed after the notice was written.
func TestCatalogOfASnapshot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
		def := must[[]disclosure.Definition](t)(s.Definitions(ctx, disclosure.KindNoticeType, "land.transfer_notice"))[0]
		def.Version, def.Builtin, def.Doc = 2, false, []byte(strings.Replace(string(def.Doc), "出让", "出让（新）", 1))
		if err := storetest.Open(t, u).Define(ctx, storetest.Admin, def); err != nil {
			t.Fatal(err)
		}
		d := must[disclosure.NoticeDetail](t)(s.Notice(ctx, disclosure.NoticeRef{ID: n.ID}))
		written, err1 := d.Catalog.TypeAt(d.Type, d.TypeVersion)
		newest, err2 := d.Catalog.Type(d.Type)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if written.Version != 1 || newest.Version != 2 || written.Name == newest.Name {
			t.Errorf("written by %q v%d, now %q v%d", written.Name, written.Version, newest.Name, newest.Version)
		}
	})
}
