package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gongkai/internal/store/storetest"
)

// A log that a killed server has left is not replayed over the restored database.
func TestRestoreRefusesTheLogOfAnother(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "b.db")
	for _, args := range [][]string{{"migrate", "--data", dir}, {"backup", "create", backup, "--data", dir}} {
		if out, code := run(t, nil, args...); code != exitOK {
			t.Fatal(out)
		}
	}
	file := filepath.Join(dir, databaseFile)
	if err := os.Rename(file, file+".old"); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"-wal", "-journal"} {
		if err := os.WriteFile(file+left, []byte("frames"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, code := run(t, nil, "backup", "restore", backup, "--data", dir)
		if _, err := os.Stat(file); code != exitUsage || !strings.Contains(out, "一起移走") || err == nil {
			t.Errorf("beside %s: exit %d, %s", left, code, out)
		}
		if err := os.Remove(file + left); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := run(t, nil, "backup", "restore", backup, "--data", dir); code != exitOK {
		t.Error(out)
	}
}

// What root restores can be opened by the service whose folder it is.
func TestRestoredBelongsToTheService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const service = 65534
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "b.db")
	target := t.TempDir()
	if err := os.Chown(target, service, service); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"migrate", "--data", dir}, {"backup", "create", backup, "--data", dir}, {"backup", "restore", backup, "--data", target}} {
		if out, code := run(t, nil, args...); code != exitOK {
			t.Fatal(out)
		}
	}
	for _, name := range []string{databaseFile, databaseFile + ".lock"} {
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil {
			t.Fatal(err)
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != service || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, of %d", name, info.Mode(), owner.Uid)
		}
	}
}

// A backup before an upgrade has the schema that the older program knows, also
// when the newer one makes it; and to check the audit log changes nothing.
func TestBackupDoesNotUpgrade(t *testing.T) {
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "b.db")
	if out, code := run(t, nil, "migrate", "--data", dir); code != exitOK {
		t.Fatal(out)
	}
	file := filepath.Join(dir, databaseFile)
	db := storetest.Raw(t, "sqlite:"+file)
	storetest.Exec(t, db, `DROP TABLE push_tally`)
	storetest.Exec(t, db, `DELETE FROM goose_db_version WHERE version_id >= 11`)
	for _, args := range [][]string{{"backup", "create", backup}, {"audit", "verify"}} {
		if out, code := run(t, nil, append(args, "--data", dir)...); code != exitOK {
			t.Fatal(out)
		}
	}
	if out, code := run(t, nil, "backup", "verify", backup); code != exitOK || !strings.Contains(out, "结构版本 10") {
		t.Errorf("exit %d, %s", code, out)
	}
	for _, path := range []string{file, backup} {
		var schema int
		if err := storetest.Raw(t, "sqlite:"+path).QueryRow(`SELECT max(version_id) FROM goose_db_version`).Scan(&schema); err != nil || schema != 10 {
			t.Errorf("%s has schema %d, %v", path, schema, err)
		}
	}
	out, code := run(t, nil, "backup", "create", backup, "--data", dir)
	if code != exitUsage || !strings.Contains(out, "不覆盖") {
		t.Errorf("exit %d, %s", code, out)
	}
}
