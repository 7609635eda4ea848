package publish_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

const caller = disclosure.PhoneNumber("13812345678")

func (d *desk) ask(number disclosure.PhoneNumber, turn string) disclosure.CallbackRequest {
	d.t.Helper()
	r, err := d.RequestCallback(d.t.Context(), disclosure.CallbackAsk{Number: number, Turn: turn, Sector: "housing", At: d.now, DueAt: d.now.Add(8 * time.Hour)})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *desk) callbacks(status string) disclosure.CallbackPage {
	d.t.Helper()
	page, err := d.Callbacks(d.t.Context(), disclosure.CallbackQuery{Status: status, Limit: 100})
	if err != nil {
		d.t.Fatal(err)
	}
	return page
}

// TestCallbackIsErased follows a number from the call to its erasure: in between
// it is encrypted, and afterwards not even that is left.
func TestCallbackIsErased(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.CallbackDays = 7
		r := d.ask(caller, "turn 1")
		kept, err := d.store.Callback(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(kept.Sealed, []byte(caller[3:])) || kept.Number != "" {
			t.Errorf("the number is kept as %q", kept.Sealed)
		}
		if got := d.callbacks(disclosure.CallbackOpen).Items[0]; got.Number != caller || got.Sector != "housing" {
			t.Errorf("it is read as %+v", got)
		}
		if got, err := d.RevealCallback(t.Context(), storetest.Editor, r.ID); err != nil || got.Number != caller {
			t.Errorf("revealed: %v, %v", got, err)
		}
		if _, err := d.FinishCallback(t.Context(), storetest.Editor, r.ID, disclosure.CallbackReached); err != nil {
			t.Fatal(err)
		}
		d.now = d.now.AddDate(0, 0, 7).Add(-time.Second)
		if n, err := d.EraseCallbacks(t.Context()); n != 0 || err != nil {
			t.Fatalf("erased %d before its time, %v", n, err)
		}
		if !d.holds(kept.Sealed) {
			t.Error("the sealed number is not where this test looks for it")
		}
		d.now = d.now.Add(time.Second)
		if n, err := d.EraseCallbacks(t.Context()); n != 1 || err != nil {
			t.Fatalf("erased %d, %v", n, err)
		}
		if n, err := d.EraseCallbacks(t.Context()); n != 0 || err != nil {
			t.Errorf("erased %d again, %v", n, err)
		}
		got := d.callbacks(disclosure.CallbackDone).Items[0]
		if got.Number != "" || got.Sealed != nil || !got.ErasedAt.Equal(d.now) || got.Outcome != disclosure.CallbackReached {
			t.Errorf("after its erasure: %+v", got)
		}
		if d.holds(kept.Sealed) {
			t.Error("the database still holds the sealed number")
		}
		_, err = d.RevealCallback(t.Context(), storetest.Editor, r.ID)
		d.want(err, disclosure.CodeCallbackErased)
		if _, err := d.store.VerifyAudit(t.Context()); err != nil {
			t.Error(err)
		}
		page, err := d.store.Audit(t.Context(), r.ID, 1<<60, 10)
		if err != nil || len(page.Items) != 3 || page.Items[0].Action != "erase" || page.Items[2].Action != "reveal" {
			t.Errorf("audit: %+v, %v", page.Items, err)
		}
	})
}

// holds looks for bytes in the table and, of SQLite, in its files.
func (d *desk) holds(sealed []byte) bool {
	d.t.Helper()
	var n int
	if err := storetest.Raw(d.t, d.url).QueryRowContext(d.t.Context(), `SELECT count(*) FROM callback WHERE number = $1`, sealed).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	found := n > 0
	if file, ok := strings.CutPrefix(d.url, "sqlite:"); ok {
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(file + suffix)
			if err != nil {
				d.t.Fatal(err)
			}
			found = found || bytes.Contains(b, sealed)
		}
	}
	return found
}

// TestCallbackExpires ends what nobody worked on, and forgets its number.
func TestCallbackExpires(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.CallbackDays = 7
		d.ask(caller, "turn 1")
		d.now = d.now.Add(disclosure.CallbackLife - time.Millisecond)
		d.ask("13900000000", "turn 2")
		if n, err := d.EraseCallbacks(t.Context()); n != 0 || err != nil {
			t.Fatalf("erased %d before its time, %v", n, err)
		}
		d.now = d.now.Add(time.Millisecond)
		if n, err := d.EraseCallbacks(t.Context()); n != 1 || err != nil {
			t.Fatalf("erased %d, %v", n, err)
		}
		got := d.callbacks(disclosure.CallbackDone).Items
		if len(got) != 1 || got[0].Outcome != disclosure.CallbackExpired || got[0].Number != "" || !got[0].DoneAt.Equal(d.now) {
			t.Errorf("expired: %+v", got)
		}
		if open := d.callbacks(disclosure.CallbackOpen); open.Total != 1 {
			t.Errorf("%d are open, want the later one", open.Total)
		}
	})
}

// TestCallbackIsKeptOnce has one turn and one number asked for by many at once.
func TestCallbackIsKeptOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		var all sync.WaitGroup
		ids := make([]string, 16)
		for i := range ids {
			all.Go(func() {
				ids[i] = d.ask(caller, fmt.Sprint("turn ", i%4)).ID
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("one number has the requests %s and %s", ids[0], id)
			}
		}
		if _, err := d.FinishCallback(t.Context(), storetest.Reviewer, ids[0], disclosure.CallbackReached); err != nil {
			t.Fatal(err)
		}
		_, err := d.FinishCallback(t.Context(), storetest.Editor, ids[0], disclosure.CallbackNoAnswer)
		d.want(err, disclosure.CodeCallbackState)
		if again := d.ask(caller, "another call"); again.ID == ids[0] {
			t.Error("a number that was called back cannot be left again")
		}
	})
}

// TestCallbacksAreBounded keeps a robot from filling the table.
func TestCallbacksAreBounded(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		tx, err := storetest.Raw(t, d.url).BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range disclosure.MaxOpenCallbacks - 1 {
			if _, err := tx.ExecContext(t.Context(), `
				INSERT INTO callback (id, number, sector, notice, created_at, due_at, done_at, done_by, outcome, erased_at)
				VALUES ($1, $2, '', '', 1, 1, 0, '', '', 0)`, fmt.Sprint(i), []byte{1}); err != nil {
				t.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		last := d.ask(caller, "turn 1")
		_, err = d.RequestCallback(t.Context(), disclosure.CallbackAsk{Number: "13900000000", Turn: "turn 2", At: d.now, DueAt: d.now})
		d.want(err, disclosure.CodeCallbackFull)
		if again := d.ask(caller, "turn 3"); again.ID != last.ID {
			t.Error("a number that waits is not found when the table is full")
		}
		page, err := d.Callbacks(t.Context(), disclosure.CallbackQuery{Status: disclosure.CallbackOpen, Limit: 2, After: &disclosure.Cursor{A: last.N - 1}})
		if err != nil || len(page.Items) != 1 || page.Total != disclosure.MaxTotal || page.TotalCapped {
			t.Errorf("the page: %+v, %v", page, err)
		}
		if n, err := d.store.CallbackCounts(t.Context(), d.now); err != nil || n != (disclosure.CallbackCounts{Open: 1000, Overdue: 999}) {
			t.Errorf("counts: %+v, %v", n, err)
		}
	})
}

// TestCallbackKeys reads what the key before has sealed, and lists what no key
// opens without its number.
func TestCallbackKeys(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		own := d.ask(caller, "turn 1") // with the key that the database keeps
		d.CallbackKeys = disclosure.NumberKeys{[]byte("the key of last month")}
		d.ask("13900000000", "turn 2")
		d.CallbackKeys = disclosure.NumberKeys{[]byte("the key of this month"), []byte("the key of last month")}
		page := d.callbacks(disclosure.CallbackOpen)
		if page.Items[0].Number != "" || page.Items[1].Number != "13900000000" {
			t.Errorf("the numbers are %v and %v", page.Items[0].Number, page.Items[1].Number)
		}
		if _, err := d.RevealCallback(t.Context(), storetest.Admin, own.ID); err == nil || strings.Contains(err.Error(), string(caller)) {
			t.Errorf("a number that no key opens: %v", err)
		}
	})
}
