package disclosure

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gongkai/internal/workday"
)

// The smallest good definition of each kind; tests replace pieces of them.
const (
	goodSector = `{"code":"water","name":"水利","sort":80,"valid_from":null,"valid_to":null}`
	goodBody   = `{"id":"water-bureau","name":"区水利局","kind":"department","parent":"district-government"}`
	goodItem   = `{"id":"B1-01","sector":"land","content":"取水许可","stage":"result","bodies":["district-government"],"duty":"approver"}`
	goodType   = `{"code":"land.water_permit","sector":"land","name":"取水许可","stage":"result","items":["A1-04"],` +
		`"deadline_field":"due","amount_field":"price","fields":[` +
		`{"key":"due","label":"截止","kind":"date","example":"today+7"},` +
		`{"key":"price","label":"价格","kind":"money","example":"1.00"},` +
		`{"key":"method","label":"方式","kind":"enum","options":["招标","拍卖"],"required":true,"example":"招标"},` +
		`{"key":"rows","label":"明细","kind":"table","columns":[{"key":"holder","label":"权利人","kind":"person","mask":"name","example":"王小明"}]}]}`
)

type definitionTest struct {
	name     string
	old, new string // what is replaced in the good definition
	code     Code
	faults   string
}

func checkDefinitions(t *testing.T, kind DefinitionKind, good, id string, tests []definitionTest) {
	t.Helper()
	def, err := ParseDefinition(kind, []byte(good))
	if err != nil || def.ID != id || def.Kind != kind {
		t.Fatalf("ParseDefinition(%s, %s) = %s %s, %v, want %s", kind, good, def.Kind, def.ID, err, id)
	}
	for _, tt := range tests {
		if strings.Count(good, tt.old) != 1 {
			t.Fatalf("%s: %q is not once in %s", tt.name, tt.old, good)
		}
		_, err := ParseDefinition(kind, []byte(strings.Replace(good, tt.old, tt.new, 1)))
		if codeOf(err) != tt.code || faultsOf(err) != tt.faults {
			t.Errorf("%s: ParseDefinition(%s for %s) = %v, want code %q and %q", tt.name, tt.new, tt.old, err, tt.code, tt.faults)
		}
	}
}

func TestSectorDefinition(t *testing.T) {
	checkDefinitions(t, KindSector, goodSector, "water", []definitionTest{
		{"Chinese code", `"water"`, `"水利"`, CodeDefinition, "code code.invalid"},
		{"capital", `"water"`, `"Water"`, CodeDefinition, "code code.invalid"},
		{"a dot", `"water"`, `"water.a"`, CodeDefinition, "code code.invalid"},
		{"no name", `"水利"`, `""`, CodeDefinition, "name name.invalid"},
		{"ends before it begins", `"valid_from":null,"valid_to":null`, `"valid_from":"2026-11-23","valid_to":"2026-11-22"`,
			CodeDefinition, "valid_to date.order"},
		{"one day", `"valid_from":null,"valid_to":null`, `"valid_from":"2026-11-23","valid_to":"2026-11-23"`, "", ""},
		{"an end only", `"valid_to":null`, `"valid_to":"2026-11-23"`, "", ""},
		{"no such day", `"valid_to":null`, `"valid_to":"2026-02-29"`, CodeJSON, "valid_to request.json"},
		{"unknown member", `"sort"`, `"order"`, CodeUnknown, "order request.unknown"},
		{"wrong type", `80`, `"80"`, CodeJSON, "sort request.json"},
	})
	if _, err := ParseDefinition("nothing", []byte(goodSector)); codeOf(err) != CodeNoItem {
		t.Errorf("ParseDefinition(nothing) = %v, want code %q", err, CodeNoItem)
	}
}

func TestBodyDefinition(t *testing.T) {
	checkDefinitions(t, KindBody, goodBody, "water-bureau", []definitionTest{
		{"capitals", `"water-bureau"`, `"Water-Bureau"`, CodeDefinition, "id id.invalid"},
		{"one letter", `"water-bureau"`, `"w"`, CodeDefinition, "id id.invalid"},
		{"no name", `"区水利局"`, `""`, CodeDefinition, "name name.invalid"},
		{"201 characters of name", `"区水利局"`, quoted(strings.Repeat("局", 201)), CodeDefinition, "name name.invalid"},
		{"unknown kind", `"department"`, `"bureau"`, CodeDefinition, "kind enum.invalid"},
		{"its own parent", `"district-government"`, `"water-bureau"`, CodeDefinition, "parent reference.self"},
		{"its own successor", `"parent"`, `"successor":"water-bureau","parent"`, CodeDefinition, "successor reference.self"},
		{"everything at once", `"id":"water-bureau","name":"区水利局","kind":"department"`, `"id":""`, CodeDefinition,
			"id id.invalid; name name.invalid"}, // without a kind it is another body
	})
}

func TestItemDefinition(t *testing.T) {
	checkDefinitions(t, KindItem, goodItem, "B1-01", []definitionTest{
		{"of another form", `"B1-01"`, `"B1-1"`, CodeDefinition, "id id.invalid"},
		{"no content", `"取水许可"`, `""`, CodeDefinition, "content name.invalid"},
		{"unknown stage", `"result"`, `"done"`, CodeDefinition, "stage enum.invalid"},
		{"unknown duty", `"approver"`, `"owner"`, CodeDefinition, "duty enum.invalid"},
		{"no duty", `"approver"`, `""`, "", ""},
		{"negative annex", `"sector"`, `"annex":-1,"sector"`, CodeDefinition, "annex number.range"},
		{"unknown member of the contact", `"sector"`, `"supervision":{"tel":"1"},"sector"`, CodeUnknown, "supervision.tel request.unknown"},
	})
}

func TestTypeDefinition(t *testing.T) {
	const id = "land.water_permit"
	checkDefinitions(t, KindNoticeType, goodType, id, []definitionTest{
		{"of another sector", `"sector":"land"`, `"sector":"water"`, CodeDefinition, "code code.invalid"},
		{"no word after the dot", `"land.water_permit"`, `"land."`, CodeDefinition, "code code.invalid"},
		{"unknown stage", `"result"`, `"done"`, CodeDefinition, "stage enum.invalid"},
		{"negative retention", `"items"`, `"retention_days":-1,"items"`, CodeDefinition, "retention_days number.range"},
		{"deadline of no field", `"deadline_field":"due"`, `"deadline_field":"nope"`, CodeDefinition, "deadline_field field.unknown"},
		{"deadline of a money field", `"deadline_field":"due"`, `"deadline_field":"price"`, CodeDefinition, "deadline_field field.unknown"},
		{"deadline of a text field", `"kind":"date","example":"today+7"`, `"kind":"text","example":"甲"`, CodeDefinition,
			"deadline_field field.unknown"},
		{"amount of a date", `"amount_field":"price"`, `"amount_field":"due"`, CodeDefinition, "amount_field field.unknown"},
		{"neither", `"deadline_field":"due","amount_field":"price",`, ``, "", ""},
		{"no name", `"name":"取水许可"`, `"name":""`, CodeDefinition, "name name.invalid"},
	})
	if _, err := ParseDefinition(KindNoticeType,
		[]byte(`{"code":"land.empty","sector":"land","name":"甲","stage":"result","fields":[]}`)); faultsOf(err) != "fields field.required" {
		t.Errorf("ParseDefinition(a type without fields) = %v, want fields field.required", err)
	}
}

func TestFieldDefinition(t *testing.T) {
	checkDefinitions(t, KindNoticeType, goodType, "land.water_permit", []definitionTest{
		{"a spoken sentence", `"deadline_field"`, `"speak":"截止到{due}，价格{price}。","deadline_field"`, "", ""},
		{"a spoken sentence of an unknown field", `"deadline_field"`, `"speak":"截止到{until}。","deadline_field"`, CodeDefinition, "speak field.unknown"},
		{"a spoken sentence with an open brace", `"deadline_field"`, `"speak":"截止到{due","deadline_field"`, CodeDefinition, "speak field.unknown"},
		{"Chinese key", `"key":"method"`, `"key":"方式"`, CodeDefinition, "fields[2].key key.invalid"},
		{"key of one letter", `"key":"method"`, `"key":"m"`, CodeDefinition, "fields[2].key key.invalid"},
		{"key with a dash", `"key":"method"`, `"key":"the-method"`, CodeDefinition, "fields[2].key key.invalid"},
		{"key of a draft's member", `"key":"method"`, `"key":"title"`, CodeDefinition, "fields[2].key key.invalid"},
		{"column with the key of a draft's member", `"key":"holder"`, `"key":"title"`, "", ""},
		{"duplicate key", `"key":"method"`, `"key":"price"`, CodeDefinition, "fields[2].key key.duplicate"},
		{"no label", `"label":"方式"`, `"label":""`, CodeDefinition, "fields[2].label name.invalid"},
		{"unknown kind", `"kind":"money"`, `"kind":"amount"`, CodeDefinition, "fields[1].kind enum.invalid; amount_field field.unknown"},
		{"enum without options", `"options":["招标","拍卖"],`, ``, CodeDefinition, "fields[2].options enum.options"},
		{"options of another kind", `"kind":"date"`, `"kind":"date","options":["甲"]`, CodeDefinition, "fields[0].options enum.options"},
		{"table without columns", `"columns":[{"key":"holder","label":"权利人","kind":"person","mask":"name","example":"王小明"}]`, `"columns":[]`,
			CodeDefinition, "fields[3].columns table.columns"},
		{"table in a table", `"kind":"person","mask":"name","example":"王小明"`,
			`"kind":"table","columns":[{"key":"ab","label":"甲","kind":"text","example":"甲"}]`,
			CodeDefinition, "fields[3].columns[0].kind enum.invalid"},
		{"mask on money", `"kind":"money"`, `"kind":"money","mask":"account"`, CodeDefinition, "fields[1].mask enum.invalid"},
		{"unknown mask", `"mask":"name"`, `"mask":"all"`, CodeDefinition, "fields[3].columns[0].mask enum.invalid"},
		{"no example: the usual one", `,"example":"today+7"`, ``, "", ""},
		{"null for an example", `"example":"today+7"`, `"example":null`, "", ""},
		{"example of another kind", `"example":"1.00"`, `"example":1`, CodeDefinition, "fields.price field.type"},
		{"example that is no option", `"example":"招标"`, `"example":"挂牌"`, CodeDefinition, "fields.method enum.invalid"},
		{"example of no day", `"example":"today+7"`, `"example":"today+x"`, CodeDefinition, "fields example.invalid"},
		{"example of a column", `"kind":"person","mask":"name","example":"王小明"`, `"kind":"date","example":"明天"`,
			CodeDefinition, "fields.rows[0].holder date.invalid"},
		{"example out of range", `"example":"1.00"`, `"min":2,"example":"1.00"`, CodeDefinition, "fields.price number.range"},
		{"unknown member", `"options"`, `"choices":[],"options"`, CodeUnknown, "fields[2].choices request.unknown"},
		{"wrong type of a member", `"required":true`, `"required":"yes"`, CodeJSON, "fields.required request.json"},
	})
}

// The canonical document reads as itself, with every list there.
func TestDefinitionIsCanonical(t *testing.T) {
	for kind, good := range map[DefinitionKind]string{KindSector: goodSector, KindBody: goodBody, KindItem: goodItem, KindNoticeType: goodType} {
		def, err := ParseDefinition(kind, []byte(good))
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseDefinition(kind, def.Doc)
		if err != nil || string(again.Doc) != string(def.Doc) {
			t.Errorf("ParseDefinition(%s, %s) = %s, %v, want no change", kind, def.Doc, again.Doc, err)
		}
		for _, list := range []string{"aliases", "bodies", "items", "options", "columns"} {
			if strings.Contains(string(def.Doc), `"`+list+`":null`) {
				t.Errorf("ParseDefinition(%s) = %s, want [] for %s", kind, def.Doc, list)
			}
		}
	}
}

func TestCatalogCheckKnowsItsReferences(t *testing.T) {
	tests := []struct {
		name     string
		kind     DefinitionKind
		good     string
		old, new string
		faults   string
	}{
		{"sector", KindSector, goodSector, "water", "water", ""},
		{"body", KindBody, goodBody, "district-government", "district-government", ""},
		{"unknown parent", KindBody, goodBody, "district-government", "nobody", "parent reference.unknown"},
		{"unknown successor", KindBody, goodBody, `"parent"`, `"successor":"nobody","parent"`, "successor reference.unknown"},
		{"item", KindItem, goodItem, "land", "land", ""},
		{"item of an unknown sector", KindItem, goodItem, "land", "water", "sector reference.unknown"},
		{"item of an unknown body", KindItem, goodItem, `["district-government"]`, `["district-government","nobody"]`, "bodies[1] reference.unknown"},
		{"type", KindNoticeType, goodType, "A1-04", "A1-04", ""},
		{"type of an unknown sector", KindNoticeType, goodType, `"land.water_permit","sector":"land"`,
			`"water.permit","sector":"water"`, "sector reference.unknown"},
		{"type of an unknown item", KindNoticeType, goodType, `["A1-04"]`, `["A1-04","B9-99"]`, "items[1] reference.unknown"},
	}
	for _, tt := range tests {
		def, err := ParseDefinition(tt.kind, []byte(strings.Replace(tt.good, tt.old, tt.new, 1)))
		if err != nil {
			t.Fatalf("%s: ParseDefinition() = %v", tt.name, err)
		}
		if err := sharedCatalog(t).Check(def); faultsOf(err) != tt.faults || tt.faults != "" && codeOf(err) != CodeDefinition {
			t.Errorf("%s: Check(%s) = %v, want %q", tt.name, def.Doc, err, tt.faults)
		}
	}
}

func TestCatalogHoldsTheNewestVersions(t *testing.T) {
	c := twoVersions(t)
	newest, err := c.Type("land.notice")
	if err != nil || newest.Version != 2 || len(c.Types) != 1 {
		t.Fatalf("Type(land.notice) = %+v of %d, %v, want version 2 of one", newest, len(c.Types), err)
	}
	for version := 1; version <= 2; version++ {
		if typ, err := c.TypeAt("land.notice", version); err != nil || typ.Version != version {
			t.Errorf("TypeAt(land.notice, %d) = %+v, %v, want that version", version, typ, err)
		}
	}
	if _, err := c.TypeAt("land.notice", 3); codeOf(err) != CodeNoItem {
		t.Errorf("TypeAt(land.notice, 3) = %v, want code %q", err, CodeNoItem)
	}
	for _, doc := range []Definition{{Kind: KindSector, Doc: raw(`[]`)}, {Kind: "nothing", Doc: raw(`{}`)},
		{Kind: KindNoticeType, Doc: raw(`{"fields":5}`)}} {
		if _, err := NewCatalog([]Definition{doc}); err == nil {
			t.Errorf("NewCatalog(%s %s) = nil, want an error", doc.Kind, doc.Doc)
		}
	}
}

func TestCatalogIsInOrder(t *testing.T) {
	c, err := NewCatalog([]Definition{
		{Kind: KindSector, ID: "b", Doc: raw(`{"code":"b","sort":1}`)}, {Kind: KindSector, ID: "a", Doc: raw(`{"code":"a","sort":2}`)},
		{Kind: KindBody, ID: "y", Doc: raw(`{"id":"y","name":"乙"}`)}, {Kind: KindBody, ID: "x", Doc: raw(`{"id":"x"}`)},
		{Kind: KindItem, ID: "B1-01", Doc: raw(`{"id":"B1-01","annex":0,"seq":1}`)}, {Kind: KindItem, ID: "A2-01",
			Doc: raw(`{"id":"A2-01","annex":2,"seq":1}`)},
		{Kind: KindItem, ID: "A1-10", Doc: raw(`{"id":"A1-10","annex":1,"seq":10}`)}, {Kind: KindItem, ID: "A1-09",
			Doc: raw(`{"id":"A1-09","annex":1,"seq":9}`)},
		{Kind: KindNoticeType, ID: "a.x", Doc: raw(`{"code":"a.x","sector":"a","sort":1,"items":["A1-09"],"valid_to":"2026-11-22"}`)},
		{Kind: KindNoticeType, ID: "b.z", Doc: raw(`{"code":"b.z","sector":"b","sort":1,"items":["A1-09"]}`)},
		{Kind: KindNoticeType, ID: "b.y", Doc: raw(`{"code":"b.y","sector":"b","sort":1}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range c.Sectors {
		got = append(got, s.Code)
	}
	for _, b := range c.Bodies {
		got = append(got, b.ID)
	}
	for _, i := range c.Items {
		got = append(got, i.ID)
	}
	for _, typ := range slices.Concat(c.Types, c.TypesOf("a"), c.TypesOf("")) {
		got = append(got, typ.Code)
	}
	if want := "b a x y A1-09 A1-10 A2-01 B1-01 b.y b.z a.x a.x b.y b.z a.x"; strings.Join(got, " ") != want {
		t.Errorf("order of the catalogue = %q, want %q", strings.Join(got, " "), want)
	}
	if got := c.TypesFulfilling("A1-09", testDay); !slices.Equal(got, []string{"b.z"}) {
		t.Errorf("TypesFulfilling(A1-09, %s) = %v, want only the type in force", testDay, got)
	}
	if c.BodyName("y") != "乙" || c.BodyName("nobody") != "nobody" {
		t.Errorf("BodyName(y) = %q, BodyName(nobody) = %q", c.BodyName("y"), c.BodyName("nobody"))
	}
}

func TestExampleOn(t *testing.T) {
	endOfYear := workday.Date{Year: 2026, Month: 12, Day: 31}
	tests := []struct {
		name  string
		field Field
		want  string
	}{
		{"plain", Field{Kind: FieldText, Example: raw(`"甲"`)}, `"甲"`},
		{"a number keeps its digits", Field{Kind: FieldNumber, Example: raw(`58.60`)}, `58.60`},
		{"today", Field{Kind: FieldDate, Example: raw(`"today"`)}, `"2026-12-31"`},
		{"into the next year", Field{Kind: FieldDate, Example: raw(`"today+60"`)}, `"2027-03-01"`},
		{"back", Field{Kind: FieldDate, Example: raw(`"today-31"`)}, `"2026-11-30"`},
		{"an instant", Field{Kind: FieldDatetime, Example: raw(`"today+1T09:30"`)}, `"2027-01-01T09:30:00+08:00"`},
		{"a period", Field{Kind: FieldPeriod, Example: raw(`"today-1..today+1"`)}, `{"from":"2026-12-30","to":"2027-01-01"}`},
		{"a table from its columns", Field{Kind: FieldTable, Columns: []Field{{Key: "a", Example: raw(`"today"`)}}}, `[{"a":"2026-12-31"}]`},
		{"a table as the catalogue keeps it", Field{Kind: FieldTable, Example: raw(`null`), Columns: []Field{{Key: "a",
			Example: raw(`1`)}}}, `[{"a":1}]`},
		{"a table of its own", Field{Kind: FieldTable, Example: raw(`[{"a":2}]`), Columns: []Field{{Key: "a", Example: raw(`1`)}}}, `[{"a":2}]`},
		{"no number", Field{Kind: FieldDate, Example: raw(`"today+x"`)}, ""},
		{"no time", Field{Kind: FieldDatetime, Example: raw(`"todayT25:00"`)}, ""},
		{"half a period", Field{Kind: FieldPeriod, Example: raw(`"today..later"`)}, ""},
		{"no JSON", Field{Kind: FieldText, Example: raw(`甲`)}, ""},
		{"a column without", Field{Kind: FieldTable, Columns: []Field{{Key: "a"}}}, ""},
	}
	for _, tt := range tests {
		v, err := tt.field.ExampleOn(endOfYear)
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: ExampleOn(%s) = %v, %v, want %q", tt.name, endOfYear, v, err, tt.want)
			continue
		}
		if b, _ := json.Marshal(v); err == nil && string(b) != tt.want {
			t.Errorf("%s: ExampleOn(%s) = %s, want %s", tt.name, endOfYear, b, tt.want)
		}
	}
}

// A definition may be as short as what only its author knows; every kind of
// field has a usual example that is valid.
func TestShortDefinitions(t *testing.T) {
	for _, tt := range []struct {
		kind DefinitionKind
		doc  string
	}{
		{KindSector, `{"code":"forestry","name":"林业"}`},
		{KindBody, `{"id":"forestry-bureau","name":"区林业局"}`},
		{KindItem, `{"id":"B1-01","sector":"land","content":"林地使用许可"}`},
	} {
		if _, err := ParseDefinition(tt.kind, []byte(tt.doc)); err != nil {
			t.Errorf("ParseDefinition(%s) = %v", tt.doc, err)
		}
	}
	for _, kind := range fieldKinds {
		more := map[FieldKind]string{FieldEnum: `,"options":["甲","乙"]`,
			FieldTable: `,"columns":[{"key":"column","label":"列","kind":"text"}]`}[kind]
		doc := `{"code":"land.short","sector":"land","name":"甲","fields":[{"key":"field","label":"字段","kind":"` + string(kind) + `"` + more + `}]}`
		if _, err := ParseDefinition(KindNoticeType, []byte(doc)); err != nil {
			t.Errorf("ParseDefinition(a field of kind %s without example) = %v", kind, err)
		}
	}
}
