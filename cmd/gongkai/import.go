package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gongkai/internal/disclosure"
	"gongkai/internal/importer"
)

// expireInterval is the time between looks for imports nobody committed.
const expireInterval = time.Minute

// expireImports purges the files of imports that nobody committed within a day,
// until ctx ends.
func (a *app) expireImports(ctx context.Context) {
	tick := time.NewTicker(expireInterval)
	defer tick.Stop()
	for {
		if _, err := a.publish.ExpireImports(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("expired imports were not purged; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func newNoticeImport(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import 文件|-",
		Short: "从 xlsx、csv 或 JSON Lines 导入草稿；--text 从公告原文提取字段",
		Long: `从模板填写的 .xlsx、CSV（UTF-8 或 GB18030）或 JSON Lines 导入草稿。
JSON Lines 每行一份，格式同 POST /api/v1/staff/notices，另可带 source_id（来源系统中的编号）。
先检查全部，有一处错误就一条也不写；同一来源、编号和类型的公告重复导入只写一次。
模板用 gongkai notice template 生成，或从 /api/v1/staff/templates/{type}.xlsx 下载。

--text 读入一份公告原文（纯文本），输出从中认出的字段，供人核对；原文没有的留空，不写入。
退出码：0 成功，1 没有做成，2 参数有误，3 文件中有错误，一条也没有写入。`,
		Args: cobra.ExactArgs(1),
	}
	var o importOptions
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "只检查，不写入")
	cmd.Flags().BoolVar(&o.submit, "submit", false, "写入后随即提交核验")
	cmd.Flags().StringVar(&o.typ, "type", "", "公告类型的代码；用模板时不必写")
	cmd.Flags().BoolVar(&o.text, "text", false, "文件是一份公告的原文，只提取字段")
	ackFlags(cmd, &o.ack)
	asJSON := jsonFlag(cmd)
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		name, data, err := readInput(args[0])
		if err != nil {
			return err
		}
		if o.text {
			return p.proposeText(ctx, s, o.typ, data, *asJSON)
		}
		return p.importFile(ctx, s, a, name, data, o, *asJSON)
	})
	return cmd
}

type importOptions struct {
	dryRun, submit, text bool
	typ                  string
	ack                  disclosure.Acknowledgement
}

// readInput reads a file, or standard input for "-", up to a byte more than an
// import may have.
func readInput(path string) (string, []byte, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", nil, usage("%w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, importer.MaxFileBytes+1))
	return filepath.Base(path), data, err
}

func (p *program) importFile(ctx context.Context, s *session, a disclosure.Actor, name string, data []byte, o importOptions, asJSON bool) error {
	imports := importer.New(s.publish, s.publish, p.now)
	check := imports.Send
	if o.dryRun {
		check = imports.DryRun
	}
	i, err := check(ctx, a, name, o.typ, data)
	if err != nil {
		return err
	}
	found := i
	if !o.dryRun && i.State == disclosure.ImportChecked {
		if i, err = imports.Commit(ctx, disclosure.Request{Actor: a}, i.ID, o.ack, o.submit); err != nil {
			if errors.Is(err, &disclosure.Error{Code: disclosure.CodeWarnings}) {
				_ = p.reportImport(asJSON, found) // the error that follows is the one to tell
			}
			return err
		}
		i.Issues = found.Issues
	}
	if err := p.reportImport(asJSON, i); err != nil {
		return err
	}
	if i.State == disclosure.ImportFaulty {
		return faulty("文件有 %d 处错误，没有写入", i.IssueCounts[disclosure.SeverityError])
	}
	return nil
}

// importReport is what an import prints.
type importReport struct {
	ID      string                   `json:"id"`
	State   disclosure.ImportState   `json:"state"`
	Lines   int                      `json:"lines"`
	Rows    disclosure.ImportRows    `json:"rows"`
	Created []string                 `json:"created"`
	Issues  []disclosure.ImportIssue `json:"issues"`
}

func (p *program) reportImport(asJSON bool, i disclosure.Import) error {
	out := importReport{ID: i.ID, State: i.State, Lines: i.Rows.Total, Rows: i.Rows, Created: append([]string{}, i.Notices...),
		Issues: append([]disclosure.ImportIssue{}, i.Issues...)}
	return p.print(asJSON, out, func(w io.Writer) {
		names := map[disclosure.Severity]string{disclosure.SeverityError: "错误", disclosure.SeverityWarning: "提醒", disclosure.SeverityNote: "说明"}
		for _, x := range i.Issues {
			fmt.Fprintf(w, "%s  %s：%s（%s）", names[x.Severity], x.Cell(), x.Message, x.Code)
			if x.Hint != "" {
				fmt.Fprintf(w, " %s", x.Hint)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "共 %d 份：新增 %d，修改 %d，已导入过 %d；写入 %d 份，错误 %d 处，提醒 %d 处\n", i.Rows.Total, i.Rows.New, i.Rows.Changed,
			i.Rows.Same, len(i.Notices), i.IssueCounts[disclosure.SeverityError], i.IssueCounts[disclosure.SeverityWarning])
	})
}

func newNoticeTemplate(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "template 类型", Short: "生成导入模板（.xlsx）", Args: cobra.ExactArgs(1)}
	out := cmd.Flags().String("out", "", "写到这个文件；不写则输出到标准输出")
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		_, data, err := importer.New(s.publish, s.publish, p.now).Template(cmd.Context(), operator, args[0])
		if err != nil {
			return err
		}
		if *out != "" {
			return os.WriteFile(*out, data, 0o600)
		}
		_, err = p.out.Write(data)
		return err
	}
	return cmd
}

func newNoticeUndoImport(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "undo-import 导入编号", Short: "撤销一次导入：其中没有一份已核验或被修改时", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		i, err := importer.New(s.publish, s.publish, p.now).Undo(ctx, disclosure.Request{Actor: a}, args[0])
		if err != nil {
			return err
		}
		return p.reportImport(*asJSON, i)
	})
	return cmd
}

// proposeText prints what was recognised in the text of a notice.
func (p *program) proposeText(ctx context.Context, s *session, typ string, data []byte, asJSON bool) error {
	head, err := s.Head(ctx)
	if err != nil {
		return err
	}
	proposal, err := importer.FromText(head.Catalog, typ, data)
	if err != nil {
		return err
	}
	return p.print(asJSON, proposal, func(w io.Writer) {
		fmt.Fprintf(w, "标题：%s\n类型：%s\n", proposal.Draft.Title, proposal.TypeName)
		for _, f := range proposal.Found {
			fmt.Fprintf(w, "%s：%s    ← %s\n", f.Label, f.Display, f.Evidence)
		}
		fmt.Fprintln(w, "以上由程序从原文提取，请逐项核对后录入；没有列出的，原文中没有认出。")
	})
}
