package workday

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

type vectors struct {
	Workdays map[int]int
	Working  []struct {
		Start, Due Date
		Workdays   int
	} `json:"workday_vectors"`
	Publicity []struct {
		Start  Date `json:"start"`
		Days   int  `json:"calendar_days"`
		Plain  Date `json:"last_day_plain"`
		Rolled Date `json:"last_day_rolled"`
	} `json:"publicity_vectors"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Working) == 0 || len(v.Publicity) == 0 {
		t.Fatal("testdata/vectors.json holds no vectors")
	}
	return v
}

func TestAddMatchesPublishedVectors(t *testing.T) {
	c := Published()
	for _, v := range readVectors(t).Working {
		if got := c.Add(v.Start, v.Workdays); got.Date != v.Due || got.Provisional {
			t.Errorf("Add(%s, %d) = %+v, want %s", v.Start, v.Workdays, got, v.Due)
		}
	}
}

func TestAddDaysRollsOverDaysOff(t *testing.T) {
	c := Published()
	for _, v := range readVectors(t).Publicity {
		if got := v.Start.AddDays(v.Days); got != v.Plain {
			t.Errorf("%s + %d days = %s, want %s", v.Start, v.Days, got, v.Plain)
		}
		if got := c.AddDays(v.Start, v.Days); got.Date != v.Rolled || got.Provisional {
			t.Errorf("AddDays(%s, %d) = %+v, want %s", v.Start, v.Days, got, v.Rolled)
		}
	}
}

func TestWorkdaysOfAYear(t *testing.T) {
	c := Published()
	for year, want := range readVectors(t).Workdays {
		got := 0
		for d := (Date{year, time.January, 1}); d.Year == year; d = d.AddDays(1) {
			if c.IsWorkday(d) {
				got++
			}
		}
		if got != want {
			t.Errorf("%d has %d working days, want %d", year, got, want)
		}
	}
}

func TestUnpublishedYearIsProvisional(t *testing.T) {
	c := Published()
	from := Date{2026, time.December, 30}
	if got := c.Add(from, 1); got.Provisional || got.Date.String() != "2026-12-31" {
		t.Errorf("within 2026: %+v", got)
	}
	// 2027-01-01 is 元旦 (a Friday), then a weekend.
	if got := c.Add(from, 2); !got.Provisional || got.Date.String() != "2027-01-04" {
		t.Errorf("into 2027: %+v, want 2027-01-04 provisional", got)
	}
	if c.Covers(2027) {
		t.Error("2027 is not published yet")
	}
}

func TestDateOfIsShanghai(t *testing.T) {
	at := time.Date(2026, time.June, 8, 16, 30, 0, 0, time.UTC) // 00:30 on the 9th in Shanghai
	if got := DateOf(at).String(); got != "2026-06-09" {
		t.Errorf("DateOf = %s", got)
	}
}

func TestDateText(t *testing.T) {
	tests := []struct {
		in, want string
		ok       bool
	}{
		{"2026-11-23", "2026-11-23", true},
		{"2024-02-29", "2024-02-29", true},
		{"2026-02-29", "", false},
		{"2026-13-01", "", false},
		{"2026/11/23", "", false},
		{"0026-11-23", "", false},
		{"2026-11-23T00:00:00Z", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		got, err := ParseDate(tt.in)
		if (err == nil) != tt.ok || got.String() != tt.want {
			t.Errorf("ParseDate(%q) = %s, %v", tt.in, got, err)
		}
	}
	var pair struct{ A, B Date }
	if err := json.Unmarshal([]byte(`{"A":"2026-11-23","B":null}`), &pair); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(pair)
	if string(b) != `{"A":"2026-11-23","B":null}` {
		t.Errorf("round trip = %s", b)
	}
	if err := json.Unmarshal([]byte(`{"A":20261123}`), &pair); err == nil {
		t.Error("a number is not a date")
	}
}

func TestParseRefusesAnotherIdeaOfTheTable(t *testing.T) {
	for name, in := range map[string]string{
		"weekend listed as off":  `{"years":{"2026":{"off":["2026-02-15"]}}}`,
		"weekday listed as work": `{"years":{"2026":{"work":["2026-02-16"]}}}`,
		"day under another year": `{"years":{"2026":{"off":["2025-10-01"]}}}`,
		"not JSON":               `years`,
	} {
		if _, err := Parse([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), "workday: ") {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func BenchmarkAdd20(b *testing.B) {
	c, from := Published(), Date{2026, time.September, 18}
	for b.Loop() {
		c.Add(from, 20)
	}
}
