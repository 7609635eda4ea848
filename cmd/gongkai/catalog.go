package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gongkai/internal/disclosure"
)

var definitionKinds = []disclosure.DefinitionKind{disclosure.KindSector, disclosure.KindBody, disclosure.KindItem, disclosure.KindNoticeType,
	disclosure.KindRule, disclosure.KindYear}

func newCatalog(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "catalog", Short: "查看和增改领域、公开主体、公开事项与公告类型（保留历史）"}
	cmd.AddCommand(newCatalogList(p), newCatalogImport(p))
	return cmd
}

func newCatalogList(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:       "list sectors|bodies|catalog|notice-types|rules|calendar [编号]",
		Short:     "查看最新版；写明编号则列出它的全部版本",
		Args:      cobra.RangeArgs(1, 2),
		ValidArgs: []string{"sectors", "bodies", "catalog", "notice-types", "rules", "calendar"},
	}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind := disclosure.DefinitionKind(args[0])
		if !slices.Contains(definitionKinds, kind) {
			return usage("没有“%s”，应为 %v", kind, definitionKinds)
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		id := ""
		if len(args) == 2 {
			id = args[1]
		}
		defs, err := s.Definitions(cmd.Context(), kind, id)
		if err != nil {
			return err
		}
		if id == "" {
			defs = newestOnly(defs)
		}
		docs := make([]json.RawMessage, len(defs))
		for i, d := range defs {
			docs[i] = d.Doc
		}
		return p.print(*asJSON, docs, func(w io.Writer) {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, d := range defs {
				fmt.Fprintf(tw, "%s\t第%d版\t%s\t%s\t%s\n", d.ID, d.Version, d.By, disclosure.FormatInstant(d.At), nameOf(d.Doc))
			}
			_ = tw.Flush()
		})
	}
	return cmd
}

func newestOnly(defs []disclosure.Definition) []disclosure.Definition {
	var out []disclosure.Definition
	for i, d := range defs {
		if i+1 == len(defs) || defs[i+1].ID != d.ID {
			out = append(out, d)
		}
	}
	return out
}

func nameOf(doc []byte) string {
	var named struct{ Name, Content, Source string }
	_ = json.Unmarshal(doc, &named) // every kind has one of the three
	return cmp.Or(named.Name+named.Content, named.Source)
}

// catalogFile is a data file of definitions, each in the form the staff API
// takes.
type catalogFile struct {
	Sectors     []json.RawMessage `json:"sectors"`
	Bodies      []json.RawMessage `json:"bodies"`
	Catalog     []json.RawMessage `json:"catalog"`
	NoticeTypes []json.RawMessage `json:"notice-types"`
	Rules       []json.RawMessage `json:"rules"`
	Calendar    []json.RawMessage `json:"calendar"`
}

func newCatalogImport(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import 文件",
		Short: "从 JSON 文件增改目录定义",
		Long: `从 JSON 文件增改目录定义。文件形如：
  {"sectors":[…],"bodies":[…],"catalog":[…],"notice-types":[…],"rules":[…],"calendar":[…]}
每一项的写法同 GET /api/v1/staff/notice-types 中的 doc。已有的编号写成新的一版，内容没变的跳过。`,
		Args: cobra.ExactArgs(1),
	}
	reason := cmd.Flags().String("reason", "", "增改的原因")
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		data, err := os.ReadFile(args[0])
		if err != nil {
			return usage("%w", err)
		}
		var f catalogFile
		if err := disclosure.DecodeStrict(data, &f); err != nil {
			return err
		}
		written := 0
		for i, docs := range [][]json.RawMessage{f.Sectors, f.Bodies, f.Catalog, f.NoticeTypes, f.Rules, f.Calendar} {
			for _, doc := range docs {
				n, err := s.define(ctx, a, definitionKinds[i], doc, *reason)
				if err != nil {
					return fmt.Errorf("%s：%w", definitionKinds[i], err)
				}
				written += n
			}
		}
		fmt.Fprintf(p.out, "写入 %d 项\n", written)
		return nil
	})
	return cmd
}

// define adds a definition or writes its next version, and returns how many
// were written: none when nothing changed.
func (s *session) define(ctx context.Context, a disclosure.Actor, kind disclosure.DefinitionKind, doc []byte, reason string) (int, error) {
	_, err := s.publish.Define(ctx, a, kind, doc, reason)
	if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeExists}) {
		return 1, err
	}
	def, err := disclosure.ParseDefinition(kind, doc)
	if err != nil {
		return 0, err
	}
	have, err := s.Definitions(ctx, kind, def.ID)
	if err != nil || string(have[len(have)-1].Doc) == string(def.Doc) {
		return 0, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(def.Doc, &members); err != nil {
		return 0, err
	}
	_, err = s.publish.Redefine(ctx, a, kind, def.ID, members, reason)
	return 1, err
}
