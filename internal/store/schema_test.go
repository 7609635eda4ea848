package store_test

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gongkai/internal/store/storetest"
)

// schemaExceptions is the closed list of what may differ between the two
// schemas: the full-text index is a virtual table with shadow tables on SQLite
// and a tsvector column on PostgreSQL.
var schemaExceptions = []string{"search_index"}

// TestSchemasAgree compares both schemas column by column, key by key and index
// by index.
func TestSchemasAgree(t *testing.T) {
	_, liteURL := storetest.SQLite(t)
	_, pgURL := storetest.Postgres(t)
	lite, pg := liteSchema(t, storetest.Raw(t, liteURL)), pgSchema(t, storetest.Raw(t, pgURL))
	if len(lite) < 18 {
		t.Fatalf("only %d tables found: %v", len(lite), slices.Sorted(maps.Keys(lite)))
	}
	for name := range pg {
		if _, ok := lite[name]; !ok {
			t.Errorf("table %s is on PostgreSQL only", name)
		}
	}
	for name, want := range lite {
		got, ok := pg[name]
		if !ok {
			t.Errorf("table %s is on SQLite only", name)
			continue
		}
		for _, line := range want {
			if !slices.Contains(got, line) {
				t.Errorf("%s on SQLite only: %s", name, line)
			}
		}
		for _, line := range got {
			if !slices.Contains(want, line) {
				t.Errorf("%s on PostgreSQL only: %s", name, line)
			}
		}
	}
}

// describe turns query rows into lines by table, without the exceptions and the
// migrations' own table.
func describe(t *testing.T, db *sql.DB, schema map[string][]string, query string) {
	t.Helper()
	for _, line := range storetest.Strings(t, db, query) {
		name, what, _ := strings.Cut(line, ": ")
		own := slices.ContainsFunc(schemaExceptions, func(e string) bool { return name == e || strings.HasPrefix(name, e+"_") })
		if !own && name != "goose_db_version" && !strings.HasPrefix(name, "sqlite_") {
			schema[name] = append(schema[name], what)
		}
	}
}

func liteSchema(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	schema := map[string][]string{}
	const tables = ` FROM pragma_table_list t `
	describe(t, db, schema, `SELECT t.name || ': column ' || c.cid || ' ' || c.name || ' ' || c.type || CASE WHEN c."notnull" OR c.pk > 0 THEN ' NOT NULL' ELSE '' END`+
		tables+`JOIN pragma_table_info(t.name) c WHERE t.schema = 'main' AND t.type <> 'view'`)
	describe(t, db, schema, `SELECT t.name || ': key ' || group_concat(c.name, ',' ORDER BY c.pk)`+
		tables+`JOIN pragma_table_info(t.name) c WHERE t.schema = 'main' AND c.pk > 0 GROUP BY t.name`)
	describe(t, db, schema, `SELECT t.name || ': references ' || f."table" || '(' || f."to" || ') by ' || f."from" || ' ' || f.on_delete`+
		tables+`JOIN pragma_foreign_key_list(t.name) f WHERE t.schema = 'main'`)
	describe(t, db, schema, `SELECT t.name || ': index ' || CASE i.origin WHEN 'c' THEN i.name ELSE '' END || '(' || (SELECT group_concat(x.name, ',' ORDER BY x.seqno) FROM pragma_index_info(i.name) x) || ')' ||
		CASE WHEN i."unique" THEN ' UNIQUE' ELSE '' END || CASE WHEN i.partial THEN ' WHERE' ELSE '' END`+
		tables+`JOIN pragma_index_list(t.name) i WHERE t.schema = 'main' AND i.origin <> 'pk'`)
	types := strings.NewReplacer(" INTEGER", " BIGINT", " BLOB", " BYTEA")
	for _, lines := range schema {
		for i := range lines {
			lines[i] = types.Replace(lines[i])
		}
	}
	return schema
}

func pgSchema(t *testing.T, db *sql.DB) map[string][]string {
	t.Helper()
	schema := map[string][]string{}
	describe(t, db, schema, `SELECT table_name || ': column ' || (row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position) - 1) || ' ' || column_name || ' ' ||
		upper(data_type) || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
		FROM information_schema.columns WHERE table_schema = 'public'`)
	describe(t, db, schema, `SELECT k.table_name || ': key ' || string_agg(k.column_name, ',' ORDER BY k.ordinal_position)
		FROM information_schema.key_column_usage k JOIN information_schema.table_constraints c USING (constraint_name, table_schema)
		WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_schema = 'public' GROUP BY k.table_name`)
	describe(t, db, schema, `SELECT k.table_name || ': references ' || u.table_name || '(' || u.column_name || ') by ' || k.column_name || ' ' || r.delete_rule
		FROM information_schema.referential_constraints r
		JOIN information_schema.key_column_usage k ON k.constraint_name = r.constraint_name
		JOIN information_schema.constraint_column_usage u ON u.constraint_name = r.constraint_name`)
	describe(t, db, schema, `SELECT t.relname || ': index ' || CASE WHEN c.oid IS NULL THEN i.relname ELSE '' END || '(' ||
		(SELECT string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = i.oid) || ')' ||
		CASE WHEN x.indisunique THEN ' UNIQUE' ELSE '' END || CASE WHEN x.indpred IS NULL THEN '' ELSE ' WHERE' END
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
		JOIN pg_namespace s ON s.oid = t.relnamespace LEFT JOIN pg_constraint c ON c.conindid = i.oid AND c.contype = 'u'
		WHERE s.nspname = 'public' AND NOT x.indisprimary`)
	return schema
}

// TestTriggersAgree: what SQLite refuses or removes by triggers PostgreSQL does
// too.
func TestTriggersAgree(t *testing.T) {
	_, liteURL := storetest.SQLite(t)
	_, pgURL := storetest.Postgres(t)
	guarded := func(u, query string) string {
		return fmt.Sprint(storetest.Strings(t, storetest.Raw(t, u), query))
	}
	lite := guarded(liteURL, `SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY 1`)
	pg := guarded(pgURL, `SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1`)
	if want := "[audit contributor delivery notice person]"; lite != want || pg != want {
		t.Errorf("triggers on %s and %s, want %s", lite, pg, want)
	}
}
