package importer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/importer"
	"gongkai/internal/publish"
	"gongkai/internal/store/storetest"
)

// desk is a service over a real database, with two people.
type desk struct {
	*importer.Service
	publish *publish.Service
	catalog *disclosure.Catalog
	now     time.Time
}

var (
	editor   = disclosure.Actor{Name: "李录入", Role: disclosure.RoleEditor}
	reviewer = disclosure.Actor{Name: "王核验", Role: disclosure.RoleReviewer}
)

func newDesk(t testing.TB) *desk {
	t.Helper()
	s, _ := storetest.SQLite(t)
	d := &desk{catalog: s.Catalog(), now: storetest.Start}
	d.publish = &publish.Service{Store: s, Now: func() time.Time { return d.now }}
	d.Service = importer.New(d.publish, d.publish, func() time.Time { return d.now })
	return d
}

func (d *desk) typ(t testing.TB, code string) *disclosure.NoticeType {
	t.Helper()
	typ, err := d.catalog.Type(code)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// template opens the template of a type, without its example rows.
func (d *desk) template(t testing.TB, code string) *excelize.File {
	t.Helper()
	data, err := importer.Template(d.catalog, d.typ(t, code), d.now)
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// col finds the column of a key in the hidden row of a sheet.
func col(t testing.TB, f *excelize.File, sheet, key string) string {
	t.Helper()
	rows, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.Index(rows[0], key)
	if i < 0 {
		t.Fatalf("%s has no column %s: %v", sheet, key, rows[0])
	}
	name, err := excelize.ColumnNumberToName(i + 1)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// fill writes cells of a row by key.
func fill(t testing.TB, f *excelize.File, sheet string, row int, cells map[string]any) {
	t.Helper()
	for key, v := range cells {
		at := "A"
		if key != "no" {
			at = col(t, f, sheet, key)
		}
		if err := f.SetCellValue(sheet, at+fmt.Sprint(row), v); err != nil {
			t.Fatal(err)
		}
	}
}

func save(t testing.TB, f *excelize.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (d *desk) send(t testing.TB, name, typ string, data []byte) disclosure.Import {
	t.Helper()
	i, err := d.Send(t.Context(), editor, name, typ, data)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (d *desk) commit(t testing.TB, i disclosure.Import) disclosure.Import {
	t.Helper()
	done, err := d.Commit(t.Context(), disclosure.Request{Actor: editor}, i.ID, disclosure.Acknowledgement{}, true)
	if err != nil {
		t.Fatalf("commit: %v\n%s", err, issues(i))
	}
	return done
}

func issues(i disclosure.Import) string {
	var b strings.Builder
	for _, x := range i.Issues {
		fmt.Fprintf(&b, "%s %s %s %s %q %s | %s\n", x.Severity, x.Cell(), x.Field, x.Code, x.Value, x.Message, x.Hint)
	}
	return b.String()
}

func refused(t testing.TB, err error, code disclosure.Code) {
	t.Helper()
	if !errors.Is(err, &disclosure.Error{Code: code}) {
		t.Errorf("error = %v, want %s", err, code)
	}
}

// contentJSON is a notice's content as the public reads it.
func (d *desk) published(t *testing.T, code string) disclosure.Content {
	t.Helper()
	ref := disclosure.NoticeRef{Code: code}
	out, err := d.publish.Publish(t.Context(), disclosure.Request{Actor: reviewer}, ref, disclosure.Approval{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Content
}

// TestRoundTrip: for every type, a notice entered in the template, with its
// tables, imported, submitted and published, is the same as one sent as JSON.
func TestRoundTrip(t *testing.T) {
	d := newDesk(t)
	for _, typ := range d.catalog.Types {
		t.Run(typ.Code, func(t *testing.T) {
			draft := storetest.Draft(t, d.catalog, typ.Code, typ.Name+"往返")
			f := d.template(t, typ.Code)
			main := f.GetSheetName(0)
			cells := map[string]any{"no": "1", "title": draft.Title, "body": "区公共资源交易中心", "source.name": draft.Source.Name, "region": *draft.Region,
				"body_html": typ.Name + "往返，详见附件。"}
			examples, err := typ.ExamplesAt(d.now)
			if err != nil {
				t.Fatal(err)
			}
			sheet := 1
			for _, field := range typ.Fields {
				if field.Kind == disclosure.FieldTable {
					rows := examples[field.Key].([]any)
					for i, row := range rows {
						sub := map[string]any{"no": "1"}
						for _, c := range field.Columns {
							put(sub, c.Key, row.(map[string]any)[c.Key])
						}
						fill(t, f, f.GetSheetName(sheet), 4+i, sub)
					}
					sheet++
					continue
				}
				put(cells, "fields."+field.Key, examples[field.Key])
			}
			fill(t, f, main, 4, cells)
			i := d.send(t, "a.xlsx", "", save(t, f))
			if i.State != disclosure.ImportChecked || i.Rows.New != 1 {
				t.Fatalf("state %s, rows %+v\n%s", i.State, i.Rows, issues(i))
			}
			imported := d.published(t, d.commit(t, i).Notices[0])

			out, err := d.publish.Create(t.Context(), disclosure.Request{Actor: editor}, draft)
			if err != nil {
				t.Fatal(err)
			}
			ref := disclosure.NoticeRef{ID: out.ID}
			if _, err := d.publish.Submit(t.Context(), disclosure.Request{Actor: editor}, ref, disclosure.Acknowledgement{}); err != nil {
				t.Fatal(err)
			}
			if sent := d.published(t, out.Code); !reflect.DeepEqual(imported, sent) {
				a, _ := json.MarshalIndent(imported, "", " ")
				b, _ := json.MarshalIndent(sent, "", " ")
				t.Errorf("imported %s\nsent %s", a, b)
			}
		})
	}
}

// put adds a value as a person types it.
func put(cells map[string]any, key string, v any) {
	switch v := v.(type) {
	case nil:
	case json.Number:
		n, _ := v.Float64()
		cells[key] = n
	case bool:
		cells[key] = map[bool]string{true: "是", false: "否"}[v]
	case map[string]any:
		cells[key+".from"], cells[key+".to"] = v["from"], v["to"]
	default:
		cells[key] = v
	}
}
