package disclosure

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// auditTrail returns n rows that hold.
func auditTrail(n int) []AuditRow {
	rows, prev := make([]AuditRow, n), ""
	for i := range rows {
		r := AuditRow{Seq: int64(i + 1), At: testNow.Add(time.Duration(i) * time.Minute), Actor: "李录入", Role: RoleEditor, Token: "t-editor",
			Action: "edit", Subject: "notice", ID: "n1", Rev: i + 1, Digest: Digest(fmt.Sprint(i)), Detail: "draft", Prev: prev}
		r.Hash = AuditHash(r)
		rows[i], prev = r, r.Hash
	}
	return rows
}

// faultyRow checks the trail against the counter of one of n rows and returns
// the row at which it does not hold, 0 for none.
func faultyRow(t *testing.T, rows []AuditRow, n int) int64 {
	t.Helper()
	var chain AuditChain
	for _, r := range rows {
		if err := chain.Next(r); err != nil {
			return faultSeq(t, err)
		}
	}
	last := ""
	if n > 0 {
		last = auditTrail(n)[n-1].Hash
	}
	if err := chain.End(int64(n), last); err != nil {
		return faultSeq(t, err)
	}
	return 0
}

func faultSeq(t *testing.T, err error) int64 {
	t.Helper()
	fault, ok := errors.AsType[*AuditFault](err)
	if !ok || fault.Reason == "" || fault.Error() != fmt.Sprintf("审计日志第 %d 行：%s", fault.Seq, fault.Reason) {
		t.Fatalf("error = %v, want an *AuditFault with row and reason", err)
	}
	return fault.Seq
}

// forged returns the row with the hash that belongs to it: nothing secret goes
// into one.
func forged(r AuditRow) AuditRow {
	r.Hash = AuditHash(r)
	return r
}

func TestAuditTrailNamesTheFirstFault(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(rows []AuditRow) []AuditRow
		want   int64
	}{
		{"untouched", func(rows []AuditRow) []AuditRow { return rows }, 0},
		{"first row changed", func(rows []AuditRow) []AuditRow { rows[0].Actor = "王核验"; return rows }, 1},
		{"middle row changed", func(rows []AuditRow) []AuditRow { rows[2].Actor = "王核验"; return rows }, 3},
		{"last row changed", func(rows []AuditRow) []AuditRow { rows[4].Actor = "王核验"; return rows }, 5},
		{"changed, its hash too", func(rows []AuditRow) []AuditRow { rows[2].Actor = "王核验"; rows[2] = forged(rows[2]); return rows }, 4},
		{"last row changed, its hash too", func(rows []AuditRow) []AuditRow { rows[4].Rev = 9; rows[4] = forged(rows[4]); return rows }, 5},
		{"first row deleted", func(rows []AuditRow) []AuditRow { return rows[1:] }, 1},
		{"middle row deleted", func(rows []AuditRow) []AuditRow { return slices.Delete(rows, 2, 3) }, 3},
		{"two rows deleted", func(rows []AuditRow) []AuditRow { return slices.Delete(rows, 1, 3) }, 2},
		{"deleted and renumbered", func(rows []AuditRow) []AuditRow { return renumbered(slices.Delete(rows, 2, 3)) }, 3},
		{"a row put in twice", func(rows []AuditRow) []AuditRow { return slices.Insert(rows, 2, rows[1]) }, 3},
		{"a row put in and renumbered", func(rows []AuditRow) []AuditRow { return renumbered(slices.Insert(rows, 2, rows[1])) }, 3},
		{"a row put in with its hash", func(rows []AuditRow) []AuditRow {
			extra := rows[2]
			extra.Actor = "王核验"
			rows = renumbered(slices.Insert(rows, 2, extra))
			rows[2] = forged(rows[2])
			return rows
		}, 4},
		{"two rows swapped", func(rows []AuditRow) []AuditRow { rows[1], rows[2] = rows[2], rows[1]; return rows }, 2},
		{"last row cut off", func(rows []AuditRow) []AuditRow { return rows[:4] }, 5},
		{"last two rows cut off", func(rows []AuditRow) []AuditRow { return rows[:3] }, 4},
		{"all rows cut off", func([]AuditRow) []AuditRow { return nil }, 1},
		{"a row added at the end", func(rows []AuditRow) []AuditRow { return auditTrail(len(rows) + 1) }, 6},
	}
	for _, tt := range tests {
		if got := faultyRow(t, tt.tamper(auditTrail(5)), 5); got != tt.want {
			t.Errorf("%s: fault at row %d, want %d", tt.name, got, tt.want)
		}
	}
	if got := faultyRow(t, nil, 0); got != 0 {
		t.Errorf("empty trail: fault at row %d, want none", got)
	}
}

func renumbered(rows []AuditRow) []AuditRow {
	for i := range rows {
		rows[i].Seq = int64(i + 1)
	}
	return rows
}

func TestAuditHashCoversEveryMember(t *testing.T) {
	row := auditTrail(2)[1]
	changes := []struct {
		name   string
		change func(r *AuditRow)
	}{
		{"Seq", func(r *AuditRow) { r.Seq++ }},
		{"At", func(r *AuditRow) { r.At = r.At.Add(time.Millisecond) }},
		{"Actor", func(r *AuditRow) { r.Actor += "x" }},
		{"Role", func(r *AuditRow) { r.Role += "x" }},
		{"Token", func(r *AuditRow) { r.Token += "x" }},
		{"Action", func(r *AuditRow) { r.Action += "x" }},
		{"Subject", func(r *AuditRow) { r.Subject += "x" }},
		{"ID", func(r *AuditRow) { r.ID += "x" }},
		{"Rev", func(r *AuditRow) { r.Rev++ }},
		{"Digest", func(r *AuditRow) { r.Digest += "x" }},
		{"Detail", func(r *AuditRow) { r.Detail += "x" }},
		{"Prev", func(r *AuditRow) { r.Prev += "x" }},
		{"a word moved to the next member", func(r *AuditRow) { r.Action, r.Subject = "ed", "itnotice" }},
		{"a line break in one member", func(r *AuditRow) { r.Action, r.Subject = "a\nb", "c" }},
		{"the same line break in the next", func(r *AuditRow) { r.Action, r.Subject = "a", "b\nc" }},
	}
	seen := map[string]string{AuditHash(row): "the row itself"}
	for _, tt := range changes {
		changed := row
		tt.change(&changed)
		hash := AuditHash(changed)
		if other, ok := seen[hash]; ok {
			t.Errorf("AuditHash(%s changed) = %s, the same as of %s", tt.name, hash, other)
		}
		seen[hash] = tt.name
	}
	elsewhere := row
	elsewhere.At = row.At.UTC().Add(999 * time.Nanosecond)
	if AuditHash(elsewhere) != AuditHash(row) {
		t.Error("AuditHash(the same millisecond in another zone) differs, want the hash of what the store keeps")
	}
}

func TestDigest(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing stays nothing", "", ""},
		{"SHA-256 of abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	}
	for _, tt := range tests {
		if got := Digest(tt.in); got != tt.want {
			t.Errorf("%s: Digest(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}
