package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/wechatsim"
)

// program is what every command works with; tests put their own in.
type program struct {
	out io.Writer // what a command answers
	log io.Writer // what happens meanwhile
	now func() time.Time
	env []string

	simulator *wechatsim.Sim // of the demo; nil otherwise
}

func newRoot(p *program) *cobra.Command {
	root := &cobra.Command{
		Use:   "gongkai",
		Short: "公开：公共资源配置信息的发布与查询",
		Long: `公开（Gongkai）：一次录入，小程序、H5、自助终端、热线和微信推送同源发布。

退出码：0 成功；1 没有办成，原因见错误信息；2 参数或配置有误；
3 已办完，但发现了问题（审计日志被改动、备份损坏、导入文件有错等）。`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(p.out)
	root.SetErr(p.log)
	root.PersistentFlags().String("config", "", "配置文件（YAML），也可写在 GONGKAI_CONFIG 中；不写则用当前目录的 gongkai.yaml（如果有）")
	root.AddCommand(newServe(p), newToken(p), newNotice(p), newPush(p), newCallback(p), newCatalog(p), newHolidays(p), newBackup(p), newAudit(p), newConfig(p),
		newDoctor(p), newMigrate(p), newOpenAPI(p), newHealthcheck(p), newVersion(p))
	refineUsage(root)
	return root
}

// message returns what a person is told of an error: an expected fault speaks
// for itself, without the words of the layers it came through.
func message(err error) string {
	e := new(disclosure.Error)
	switch {
	case errors.Is(err, store.ErrNewerSchema):
		return "数据库已由更新版本的 gongkai 升级过，请使用新版本的程序；旧程序不会打开它，以免损坏数据\n" + err.Error()
	case !errors.As(err, &e):
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(e.Detail)
	if e.Code == disclosure.CodeUnavailable || e.Code == disclosure.CodeStoreFull {
		fmt.Fprintf(&b, "\n%v", err) // whoever runs the command may see the cause
	}
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "\n  %s：%s（%s）", f.Field, f.Message, f.Code)
	}
	return b.String()
}

// print answers with v as JSON, or with text made by plain.
func (p *program) print(asJSON bool, v any, plain func(w io.Writer)) error {
	if !asJSON {
		plain(p.out)
		return nil
	}
	enc := json.NewEncoder(p.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// jsonFlag adds --json.
func jsonFlag(cmd *cobra.Command) *bool { return cmd.Flags().Bool("json", false, "输出 JSON") }
