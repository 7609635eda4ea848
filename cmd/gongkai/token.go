package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gongkai/internal/disclosure"
)

func newToken(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "发放、查看和吊销接口令牌"}
	create := &cobra.Command{
		Use:   "create --name 姓名 --role 角色",
		Short: "发放令牌，只显示这一次",
		Long: `发放令牌，只显示这一次；库中只保存它的 SHA-256。

--name 是使用者的姓名。同名的令牌算同一个人：自己录入的公告自己不能核验，换一个令牌也不行。
角色：editor 录入，reviewer 核验，admin 管理，auditor 监督（只读），ivr 热线话路。`,
		Example: `  gongkai token create --name 王核验 --role reviewer --body housing-construction-bureau
  gongkai token create --name 热线 --role ivr --expires 8760h --json`,
		Args: cobra.NoArgs,
	}
	name := create.Flags().String("name", "", "使用者的姓名")
	role := create.Flags().String("role", "", "角色：editor、reviewer、admin、auditor 或 ivr")
	bodies := create.Flags().StringArray("body", nil, "只适用于这个公开主体（编号），可重复；不写则适用于全部")
	expires := create.Flags().Duration("expires", 0, "有效期，如 8760h；0 为不过期")
	asJSON := jsonFlag(create)
	storeFlags(create)
	create.RunE = func(cmd *cobra.Command, _ []string) error {
		if *expires < 0 {
			return usage("--expires 不能为负；0 为不过期")
		}
		s, err := p.openOrCreate(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		t := disclosure.Token{ID: uuid.NewString(), CreatedAt: p.now(),
			Actor: disclosure.Actor{Name: strings.TrimSpace(*name), Role: disclosure.Role(*role), Bodies: *bodies}}
		if *expires > 0 {
			t.ExpiresAt = t.CreatedAt.Add(*expires)
		}
		secret, err := s.issue(cmd, t)
		if err != nil {
			return err
		}
		return p.print(*asJSON, map[string]string{"id": t.ID, "token": secret, "role": *role}, func(w io.Writer) {
			fmt.Fprintf(w, "令牌（只显示这一次，请妥善保存）：\n%s\n编号 %s\n", secret, t.ID)
		})
	}
	cmd.AddCommand(create, newTokenList(p), newTokenRevoke(p))
	return cmd
}

// issue checks a token's particulars and keeps it.
func (s *session) issue(cmd *cobra.Command, t disclosure.Token) (string, error) {
	if n := utf8.RuneCountInString(t.Name); n == 0 || n > 50 {
		return "", usage("--name 应为 1 到 50 个字")
	}
	if !slices.Contains(disclosure.Roles, t.Role) {
		return "", usage("--role 应为 editor、reviewer、admin、auditor 或 ivr")
	}
	for _, body := range t.Bodies {
		if _, err := s.Catalog().Body(body); err != nil {
			return "", usage("--body：目录中没有“%s”，可用的编号见 gongkai catalog list bodies", body)
		}
	}
	secret := newSecret()
	return secret, s.CreateToken(cmd.Context(), operator, t, disclosure.TokenHash(secret))
}

// tokenRow is a token as the command line prints it.
type tokenRow struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Bodies    []string `json:"bodies"`
	State     string   `json:"state"`
	CreatedAt string   `json:"created_at"`
	ExpiresAt *string  `json:"expires_at"`
}

func newTokenList(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "查看令牌", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		tokens, err := s.Tokens(cmd.Context())
		if err != nil {
			return err
		}
		rows := []tokenRow{}
		for _, t := range tokens {
			rows = append(rows, tokenRowOf(t, p.now()))
		}
		return p.print(*asJSON, rows, func(w io.Writer) {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintln(tw, "编号\t姓名\t角色\t主体\t状态\t发放时间")
			for _, r := range rows {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Role, strings.Join(r.Bodies, ","), r.State, r.CreatedAt)
			}
			_ = tw.Flush()
		})
	}
	return cmd
}

func tokenRowOf(t disclosure.Token, now time.Time) tokenRow {
	row := tokenRow{ID: t.ID, Name: t.Name, Role: string(t.Role), Bodies: t.Bodies, State: "有效",
		CreatedAt: disclosure.FormatInstant(t.CreatedAt)}
	if !t.ExpiresAt.IsZero() {
		at := disclosure.FormatInstant(t.ExpiresAt)
		row.ExpiresAt = &at
	}
	switch {
	case !t.RevokedAt.IsZero():
		row.State = "已吊销"
	case t.Check(now) != nil:
		row.State = "已过期"
	}
	return row
}

func newTokenRevoke(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "revoke 编号", Short: "吊销令牌，立即生效", Args: cobra.ExactArgs(1)}
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		if err := s.RevokeToken(cmd.Context(), operator, args[0], p.now()); err != nil {
			return err
		}
		fmt.Fprintln(p.out, "已吊销")
		return nil
	}
	return cmd
}
