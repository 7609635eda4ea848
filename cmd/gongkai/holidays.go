package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

func newHolidays(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "holidays", Short: "导入和查看每年的放假安排；导入后重新计算暂定的期限"}
	cmd.AddCommand(newHolidaysImport(p), newHolidaysShow(p))
	return cmd
}

// importedYear is what became of one year of a holiday file.
type importedYear struct {
	Year     int    `json:"year"`
	Source   string `json:"source"`
	Workdays int    `json:"workdays"`
	Written  bool   `json:"written"` // false: as it was
}

type importedHolidays struct {
	Years     []importedYear `json:"years"`
	Recounted int            `json:"recounted"` // notices whose deadlines moved or are no longer provisional
}

func newHolidaysImport(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import 文件|-",
		Short: "导入一年或几年的放假安排",
		Long: `导入一年或几年的放假安排。文件可以是：
  国务院办公厅通知的全文（连同标题）；
  iCalendar（.ics），日程中写明“休”或“班”；
  JSON：{"year":2027,"source":"文号","off":["2027-01-01"],"work":["2027-02-20"],"notes":{"日期":"说明"}}，
        以及 holiday-cn、chinese-days 的年度文件。
星期、天数和法定节日互相核对，对不上的不导入。已发布公告的期限随之重算，每条改动记入审计日志。`,
		Args: cobra.ExactArgs(1),
	}
	reason := cmd.Flags().String("reason", "", "导入的原因或依据")
	only := cmd.Flags().Int("year", 0, "只导入这一年")
	dry := cmd.Flags().Bool("dry-run", false, "只核对，不写入")
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		years, err := readHolidays(cmd.InOrStdin(), args[0], *only)
		if err != nil {
			return err
		}
		s, err := p.openOrCreate(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		done, err := s.importYears(cmd.Context(), years, *reason, *dry)
		if err != nil {
			return err
		}
		return p.print(*asJSON, done, func(w io.Writer) {
			same := "没有变化"
			if *dry {
				same = "核对无误，没有写入"
			}
			for _, y := range done.Years {
				fmt.Fprintf(w, "%d 年：%d 个工作日，%s\n", y.Year, y.Workdays, map[bool]string{true: "已导入", false: same}[y.Written])
			}
			if *dry {
				return
			}
			fmt.Fprintf(w, "重新计算了 %d 条公告的期限\n", done.Recounted)
		})
	}
	return cmd
}

// readHolidays reads the years of a file, or the one year asked for.
func readHolidays(stdin io.Reader, path string, only int) ([]workday.Year, error) {
	var data []byte
	var err error
	if path == "-" {
		data, err = io.ReadAll(io.LimitReader(stdin, 8<<20))
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage("%w", err)
	}
	years, err := workday.ParseHolidays(data)
	if err != nil {
		return nil, faulty("没有导入：%w", err)
	}
	for i := range years {
		years[i].Source = cmp.Or(years[i].Source, "导入的文件 "+filepath.Base(path)) // not every format names its circular
	}
	if only == 0 {
		return years, nil
	}
	for _, y := range years {
		if y.Year == only {
			return []workday.Year{y}, nil
		}
	}
	return nil, faulty("文件中没有 %d 年的完整安排", only)
}

// importYears writes the years that differ from what is known, and counts the
// notices whose deadlines the change recounted.
func (s *session) importYears(ctx context.Context, years []workday.Year, reason string, dry bool) (importedHolidays, error) {
	var done importedHolidays
	before, err := s.lastAudit(ctx)
	if err != nil {
		return done, err
	}
	for _, y := range years {
		cal, err := workday.New(y)
		if err != nil {
			return done, err
		}
		row := importedYear{Year: y.Year, Source: y.Source}
		for _, d := range cal.Table(y.Year) {
			if d.Workday {
				row.Workdays++
			}
		}
		if !dry {
			doc, err := json.Marshal(y)
			if err != nil {
				return done, err
			}
			n, err := s.define(ctx, operator, disclosure.KindYear, doc, reason)
			if err != nil {
				return done, err
			}
			row.Written = n > 0
		}
		done.Years = append(done.Years, row)
	}
	done.Recounted, err = s.recountedSince(ctx, before)
	return done, err
}

func (s *session) lastAudit(ctx context.Context) (int64, error) {
	page, err := s.Audit(ctx, "", 1<<62, 1)
	if err != nil || len(page.Items) == 0 {
		return 0, err
	}
	return page.Items[0].Seq, nil
}

func (s *session) recountedSince(ctx context.Context, seq int64) (int, error) {
	n := 0
	for before := int64(1) << 62; ; {
		page, err := s.Audit(ctx, "", before, 500)
		if err != nil {
			return n, err
		}
		for _, r := range page.Items {
			if r.Seq <= seq {
				return n, nil
			}
			if r.Action == disclosure.AuditRecount {
				n++
			}
			before = r.Seq
		}
		if len(page.Items) == 0 {
			return n, nil
		}
	}
}

func newHolidaysShow(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "show 年份", Short: "查看一年的放假和调休", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		year, err := strconv.Atoi(args[0])
		if err != nil || year < 1949 || year > 2199 {
			return usage("年份应为 1949 到 2199 之间的整数")
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		cal := s.Catalog().Calendar()
		type day struct {
			Date    workday.Date `json:"date"`
			Workday bool         `json:"workday"`
			Reason  string       `json:"reason"`
		}
		var days []day
		for _, d := range cal.Table(year) {
			if d.Reason != "" {
				days = append(days, day{d.Date, d.Workday, d.Reason})
			}
		}
		return p.print(*asJSON, map[string]any{"year": year, "provisional": !cal.Covers(year), "source": cal.Source(year), "days": days}, func(w io.Writer) {
			fmt.Fprintf(w, "%d 年：%s\n", year, map[bool]string{true: cal.Source(year), false: "放假安排尚未公布，以下为暂定"}[cal.Covers(year)])
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, d := range days {
				fmt.Fprintf(tw, "%s\t%s\t%s\n", d.Date, map[bool]string{true: "上班", false: "休息"}[d.Workday], d.Reason)
			}
			_ = tw.Flush()
		})
	}
	return cmd
}
