package disclosure

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"gongkai/internal/workday"
)

// district is the publishing of a district of ten thousand notices a year: five
// years, fewer at weekends and most in December, and an import of two thousand
// on one day.
func district() map[string][]DayCount {
	rng := rand.New(rand.NewPCG(5, 1))
	sectors := map[string]float64{"construction": 0.45, "procurement": 0.3, "land": 0.1, "property": 0.08, "housing": 0.05, "medical": 0.02}
	out := map[string][]DayCount{}
	for sector, share := range sectors {
		for day := (workday.Date{Year: 2022, Month: 1, Day: 1}); day.Compare(workday.Date{Year: 2026, Month: 11, Day: 27}) <= 0; day = day.AddDays(1) {
			perDay := 10000. / 365 * share * (0.5 + rng.Float64())
			switch {
			case day.Weekday() == 0 || day.Weekday() == 6:
				perDay /= 10
			case day.Month == 12:
				perDay *= 2.5
			}
			for _, typ := range []string{".tender_notice", ".award_result", ".contract"} {
				if n := int(perDay/3 + rng.Float64()); n > 0 {
					out[sector] = append(out[sector], DayCount{sector + typ, day, n})
				}
			}
		}
	}
	out["medical"] = append(out["medical"], DayCount{"medical.contract", workday.Date{Year: 2024, Month: 2, Day: 29}, 2000})
	return out
}

// TestEveryNoticeIsThreeTapsAway walks the tree a kiosk shows – sector, period,
// notice – for every notice of a district: each is in exactly one period of its
// sector, whatever type the list is narrowed to, and a period promises as many
// as its days hold.
func TestEveryNoticeIsThreeTapsAway(t *testing.T) {
	for sector, days := range district() {
		for _, typ := range []string{"", sector + ".contract"} {
			a, total := NewArchive(days, typ), 0
			held := make([]int, len(a.Periods))
			for _, d := range days {
				if typ != "" && d.Type != typ {
					continue
				}
				total += d.Count
				found := 0
				for i, p := range a.Periods {
					if d.Day.Compare(p.Since) >= 0 && d.Day.Compare(p.Until) <= 0 {
						found++
						held[i] += d.Count
					}
				}
				if found != 1 {
					t.Fatalf("%s: the notices of %v are in %d periods", sector, d.Day, found)
				}
			}
			for i, p := range a.Periods {
				if p.Count != held[i] || p.Count == 0 || p.Count > PeriodRows && !p.IsDay() {
					t.Errorf("%s: %s says %d and holds %d", sector, p.Name(), p.Count, held[i])
				}
			}
			if a.Total != total || !slices.IsSortedFunc(a.Periods, func(x, y Period) int { return y.Since.Compare(x.Since) }) {
				t.Errorf("%s: %d of %d notices in %v", sector, a.Total, total, a.Periods)
			}
		}
	}
}

// TestPeriodsStayFew: five years of a district are months to choose from, not
// days; an import takes only its own month apart, and so does a great December.
func TestPeriodsStayFew(t *testing.T) {
	for sector, days := range district() {
		a := NewArchive(days, "")
		if len(a.Periods) > 400 || len(a.Types) != 3 || a.Types[0].Count < a.Types[2].Count {
			t.Errorf("%s has %d periods, %v", sector, len(a.Periods), a.Types)
		}
		t.Logf("%-12s %5d notices in %3d periods", sector, a.Total, len(a.Periods))
	}
	february := slices.DeleteFunc(NewArchive(district()["medical"], "").Periods, func(p Period) bool {
		return p.MonthName() != "2024年2月"
	})
	if len(february) < 2 || !february[0].IsDay() || february[0].Count < 2000 || february[0].Name() != "2024年2月29日" {
		t.Errorf("the month of the import is %v", february)
	}
	if a := NewArchive(nil, ""); a.Total != 0 || len(a.Periods) != 0 || len(a.Types) != 0 {
		t.Errorf("of nothing: %+v", a)
	}
}

func TestParsePeriod(t *testing.T) {
	for in, want := range map[string]string{"2026-11": "2026年11月", "2026-02-28": "2026年2月28日", "2024-02-29": "2024年2月29日", "1999-12": "1999年12月"} {
		p, err := ParsePeriod(in)
		if err != nil || p.Name() != want || p.String() != in {
			t.Errorf("ParsePeriod(%q) = %v, %v; want %s", in, p, err, want)
		}
	}
	if p, _ := ParsePeriod("2024-02"); p.Until.String() != "2024-02-29" {
		t.Errorf("February 2024 ends on %v", p.Until)
	}
	for _, in := range []string{"", "2026", "2026-13", "2026-1", "2026-02-30", "2026-11-", "11月", "2026-11-01-01", "0001-01", "-01", "2026-11 "} {
		if _, err := ParsePeriod(in); !errors.Is(err, &Error{Code: CodeParam}) {
			t.Errorf("ParsePeriod(%q) = %v, want %s", in, err, CodeParam)
		}
	}
}
