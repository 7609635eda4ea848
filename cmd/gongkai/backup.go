package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gongkai/internal/store"
)

const postgresAdvice = `PostgreSQL 请用它自己的工具备份，例如：
  pg_dump --format=custom --file=gongkai.dump "$GONGKAI_DATABASE"
恢复到一个新建的空库后，执行一次 gongkai migrate --new-epoch（推送随之停发）：
  createdb gongkai && pg_restore --dbname=gongkai gongkai.dump`

// restoredAdvice is what to do after a restoration, before people are told anything.
const restoredAdvice = `推送已停发：备份之后可能已经发出的标为“结果不明”。用 gongkai push status 核对，
然后 gongkai push resume --scope global --as 令牌 恢复；确定没有发出的用 gongkai push replay 补发。`

func newBackup(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "backup", Short: "备份、检验和恢复", Long: "备份、检验和恢复 SQLite 数据库。\n\n" + postgresAdvice}
	cmd.AddCommand(newBackupCreate(p), newBackupVerify(p), newBackupRestore(p))
	return cmd
}

func newBackupCreate(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "create [文件]", Short: "在服务运行时备份；默认写到数据目录的 backups 中", Args: cobra.MaximumNArgs(1)}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.loadExisting(cmd)
		if err != nil {
			return err
		}
		if c.sqliteFile() == "" {
			return usage("%s", postgresAdvice)
		}
		s, err := c.lookAt(cmd.Context()) // as it is: a backup before an upgrade has the schema of before
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		path := filepath.Join(c.Data, "backups", p.now().Format("gongkai-20060102-150405.db"))
		if len(args) == 1 {
			path = args[0]
		} else if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		err = s.Backup(cmd.Context(), path)
		if errors.Is(err, fs.ErrExist) {
			return usage("%s 已经存在；备份不覆盖已有的文件，请换一个名字", path)
		}
		if err != nil {
			return err
		}
		return p.print(*asJSON, map[string]string{"file": path}, func(w io.Writer) { fmt.Fprintf(w, "已备份到 %s\n", path) })
	}
	return cmd
}

func newBackupVerify(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "verify 文件", Short: "检验备份：校验和、数据库结构、审计链", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := store.VerifyBackup(cmd.Context(), args[0])
		if errors.Is(err, store.ErrDamaged) {
			return faulty("备份已损坏：%w", err)
		}
		if err != nil {
			return err
		}
		return p.print(*asJSON, r, func(w io.Writer) { printBackup(w, "备份完好", r) })
	}
	return cmd
}

func printBackup(w io.Writer, title string, r store.BackupReport) {
	fmt.Fprintf(w, "%s：公告 %d 条（公开 %d 条），版本 %d 个，审计日志 %d 行，变更流到 %d，结构版本 %d\n",
		title, r.Notices, r.Public, r.Revisions, r.Audit, r.Feed, r.Schema)
	if !r.Checksum {
		fmt.Fprintln(w, "注意：旁边没有 .sha256 文件，只检验了结构和审计链，没有核对校验和。")
	}
}

func newBackupRestore(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore 文件",
		Short: "把备份恢复到一个还没有数据库的数据目录",
		Long:  "把备份恢复到一个还没有数据库的数据目录。先检验备份；不覆盖已有的数据库，请先把它移走。",
		Args:  cobra.ExactArgs(1),
	}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := p.load(cmd)
		if err != nil {
			return err
		}
		target := c.sqliteFile()
		if target == "" {
			return usage("%s", postgresAdvice)
		}
		if err := makeDataDir(c); err != nil {
			return err
		}
		lock, err := lockFile(target, nil)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Close() }()
		r, err := store.Restore(cmd.Context(), args[0], target, p.now())
		if errors.Is(err, store.ErrOccupied) {
			return usage("%s 已经存在，或者还有它的日志；请先把它和它的 -wal、-shm、-journal 文件一起移走：日志留下会毁掉恢复的数据库", target)
		}
		if errors.Is(err, store.ErrDamaged) {
			return faulty("备份已损坏，没有恢复：%w", err)
		}
		if err != nil {
			return err
		}
		return p.print(*asJSON, r, func(w io.Writer) {
			printBackup(w, "已恢复到 "+target, r)
			fmt.Fprintln(w, restoredAdvice)
		})
	}
	return cmd
}

func newAudit(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "审计日志"}
	verify := &cobra.Command{Use: "verify", Short: "检验审计日志的哈希链，指出第一处被改动的行", Args: cobra.NoArgs}
	asJSON := jsonFlag(verify)
	storeFlags(verify)
	verify.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.loadExisting(cmd)
		if err != nil {
			return err
		}
		s, err := c.lookAt(cmd.Context())
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		rows, err := s.VerifyAudit(cmd.Context())
		if bad := auditFault(err); bad != nil {
			_ = p.print(*asJSON, map[string]any{"ok": false, "bad_row": bad.Seq, "reason": bad.Reason}, func(io.Writer) {})
			return faulty("%w", bad)
		}
		if err != nil {
			return err
		}
		return p.print(*asJSON, map[string]any{"ok": true, "rows": rows}, func(w io.Writer) { fmt.Fprintf(w, "审计日志完好，共 %d 行\n", rows) })
	}
	cmd.AddCommand(verify)
	return cmd
}
