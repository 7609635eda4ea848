package main

import (
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/cobra"

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
