package storetest

import (
	"fmt"
	"testing"

	"gongkai/internal/disclosure"
)

// Crowd is a number of made-up subscribers, each with one account that follows
// and one subscription.
type Crowd struct {
	App    string
	Kind   disclosure.AppKind
	Sector string // of the subscription; "" for all
	Mode   disclosure.Mode
	// Template, when set, is one they accepted: for good, or Times times.
	Template string
	Times    int
}

// People writes n subscribers and returns the n of the first; the others follow.
// Their openids are "<app>-<n>".
func People(t testing.TB, u string, n int, c Crowd) int64 {
	t.Helper()
	db := Raw(t, u)
	var first int64
	if err := db.QueryRowContext(t.Context(), `SELECT COALESCE(MAX(n), 0) + 1 FROM person`).Scan(&first); err != nil {
		t.Fatal(err)
	}
	numbers := fmt.Sprintf(`(WITH RECURSIVE c(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS numbers`, first, first+int64(n)-1)
	mode := c.Mode
	if mode == "" {
		mode = disclosure.ModeImmediate
	}
	statements := []string{
		`INSERT INTO person (n, id, paused, urgent_quiet, created_at) SELECT i, 'p' || i, 0, 0, 1 FROM ` + numbers,
		fmt.Sprintf(`INSERT INTO account (app, openid, kind, person_n, unionid, following, muted, quarantined, window_until, window_left, linked_at)
			SELECT '%s', '%s-' || i, '%s', i, '', 1, 0, 0, 0, 0, 1 FROM `, c.App, c.App, c.Kind) + numbers,
		fmt.Sprintf(`INSERT INTO subscription (id, person_n, sector, doc, name, mode, quiet_from, quiet_to, paused, source, created_at, updated_at)
			SELECT 's' || i, i, '%s', '', '', '%s', -1, -1, 0, 'test', 1, 1 FROM `, c.Sector, mode) + numbers,
	}
	if c.Template != "" {
		long, delta := 0, c.Times
		if c.Times == 0 {
			long, delta = 1, 1
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO consent (person_n, at, app, template, kind, delta, long_term, scene, evidence)
			SELECT i, 1, '%s', '%s', 'accept', %d, %d, '', '' FROM `, c.App, c.Template, delta, long)+numbers)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
	}
	// Rows with numbers of their own leave PostgreSQL's sequence behind.
	if len(u) > 8 && u[:8] == "postgres" {
		if _, err := db.ExecContext(t.Context(), `SELECT setval(pg_get_serial_sequence('person', 'n'), (SELECT MAX(n) FROM person))`); err != nil {
			t.Fatal(err)
		}
	}
	return first
}
