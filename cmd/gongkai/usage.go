package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// printUsage is cobra's usage text, in Chinese. It is code and no template, for
// text/template calls methods by name (ADR 0003): 11 MB of binary.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " 命令"
	}
	fmt.Fprintf(&b, "用法：\n  %s", line)
	if cmd.HasAvailableFlags() {
		b.WriteString(" [选项]")
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\n\n例如：\n%s", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n\n命令：")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"选项", cmd.LocalFlags()}, {"共用的选项", cmd.InheritedFlags()}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n\n%s：\n%s", part.title, flagUsages(part.flags))
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\n每个命令的说明：%s 命令 --help", cmd.CommandPath())
	}
	_, err := fmt.Fprintln(cmd.OutOrStderr(), b.String())
	return err
}

var defaultNote = regexp.MustCompile(`(?m) \(default (.*)\)$`)

// flagUsages lists flags as pflag does, with its one English word translated.
func flagUsages(flags *pflag.FlagSet) string {
	return defaultNote.ReplaceAllString(strings.TrimRightFunc(flags.FlagUsages(), unicode.IsSpace), "（默认 $1）")
}

// completionHelp says how each shell takes up its script.
var completionHelp = map[string]string{
	"bash":       "输出 bash 的补全脚本。立即生效：source <(gongkai completion bash)；长期生效：写入 /etc/bash_completion.d/gongkai。",
	"zsh":        "输出 zsh 的补全脚本。立即生效：source <(gongkai completion zsh)；长期生效：写入 \"${fpath[1]}/_gongkai\"。",
	"fish":       "输出 fish 的补全脚本。立即生效：gongkai completion fish | source；长期生效：写入 ~/.config/fish/completions/gongkai.fish。",
	"powershell": "输出 PowerShell 的补全脚本。立即生效：gongkai completion powershell | Out-String | Invoke-Expression。",
}

// refineUsage makes every command below root speak Chinese and end with
// exitUsage on a command line that cannot be meant; cobra by itself would show
// the help for `gongkai notice pubish` and call that a success.
func refineUsage(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetUsageFunc(printUsage)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage("%s", flagFault(cmd, err)) })
	if help, _, err := root.Find([]string{"help"}); err == nil {
		help.Use, help.Short, help.Long = "help [命令]", "一个命令的说明", "显示一个命令的说明，同 --help。"
		help.RunE = func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(cmd, strings.Join(rest, " "))
			}
			return cmd.Help()
		}
	}
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short, completion.Long = "输出命令行补全脚本", "输出命令行补全脚本，供 bash、zsh、fish 或 PowerShell 使用。"
		for _, shell := range completion.Commands() {
			shell.Short, shell.Long = shell.Name()+" 的补全脚本", completionHelp[shell.Name()]
			if f := shell.Flags().Lookup("no-descriptions"); f != nil {
				f.Usage = "不带说明"
			}
		}
	}
	refineCommand(root)
}

func refineCommand(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	cmd.InitDefaultHelpFlag()
	cmd.Flags().Lookup("help").Usage = "显示这个说明"
	if !cmd.Runnable() {
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(cmd, args[0])
			}
			return cmd.Help()
		}
	}
	if fits := cmd.Args; fits != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if fits(cmd, args) != nil {
				return usage("参数的个数不对（收到 %d 个）；用法：%s", len(args), cmd.UseLine())
			}
			return nil
		}
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if cmd.ValidateRequiredFlags() == nil {
			return nil
		}
		return usage("缺少必须的选项 %s；说明见 %s --help", strings.Join(missingFlags(cmd), "、"), cmd.CommandPath())
	}
	for _, sub := range cmd.Commands() {
		refineCommand(sub)
	}
}

func noCommand(cmd *cobra.Command, word string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	return usage("没有命令“%s %s”%s全部命令见 %[1]s --help", cmd.CommandPath(), word, cmp.Or(nearest(word, names), "。"))
}

func missingFlags(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if slices.Contains(f.Annotations[cobra.BashCompOneRequiredFlag], "true") && !f.Changed {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

// flagFault says what is wrong with a flag. What pflag has no type for is told
// in its words.
func flagFault(cmd *cobra.Command, err error) string {
	unknown, bare, invalid := new(pflag.NotExistError), new(pflag.ValueRequiredError), new(pflag.InvalidValueError)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		name := "--" + unknown.GetSpecifiedName()
		return fmt.Sprintf("没有选项 %s%s说明见 %s --help", name, cmp.Or(nearest(name, names), "。"), cmd.CommandPath())
	case errors.As(err, &unknown):
		return fmt.Sprintf("没有选项 -%s；说明见 %s --help", unknown.GetSpecifiedShortnames(), cmd.CommandPath())
	case errors.As(err, &bare):
		return fmt.Sprintf("选项 --%s 需要写一个值", bare.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Sprintf("选项 --%s 的值“%s”不对，应为%s", invalid.GetFlag().Name, invalid.GetValue(), kindName(invalid.GetFlag().Value.Type()))
	}
	return err.Error()
}

// kindName names a kind of value to people.
func kindName(kind string) string {
	switch kind {
	case "int", "int64":
		return "整数"
	case "bool":
		return " true 或 false"
	case "duration":
		return " 90s、24h 这样的时长"
	}
	return " " + kind
}

// nearest suggests the known word nearest to a mistyped one; "" when none is
// near.
func nearest(word string, known []string) string {
	best, distance := "", 4
	for _, k := range known {
		if d := levenshtein.ComputeDistance(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("，是否想写“%s”？", best)
}
