package extract_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"gongkai/internal/extract"
)

const (
	pdf  = "application/pdf"
	docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	pptx = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	ofd  = "application/ofd"
	csv  = "text/csv"
	text = "text/plain"
	zipf = "application/zip"
)

// read returns what the reader finds, as "where: text" lines, and whether it
// was all.
func read(t testing.TB, media string, data []byte) (string, bool) {
	t.Helper()
	var b strings.Builder
	whole, err := new(extract.Reader).Text(context.Background(), media, data, func(where, text string) bool {
		fmt.Fprintf(&b, "[%s]\n%s\n", where, text)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), whole
}

// pack makes a package of parts: name, content, name, content, ….
func pack(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		f, err := w.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	workbook = `<workbook xmlns:r="r"><sheets><sheet name="名单" sheetId="1" r:id="rId1"/><sheet name="底稿" sheetId="2" state="veryHidden" r:id="rId2"/></sheets></workbook>`
	rels     = `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>`
	strs     = `<sst><si><t>申请人</t></si><si><r><t>王</t></r><r><t>小明</t></r><rPh><t>wang</t></rPh></si><si><t>两
行</t></si></sst>`
)

func sheet(rows string) string {
	return `<worksheet><sheetData>` + rows + `</sheetData></worksheet>`
}

func TestSheets(t *testing.T) {
	data := pack(t, "xl/workbook.xml", workbook, "xl/_rels/workbook.xml.rels", rels, "xl/sharedStrings.xml", strs,
		"xl/worksheets/sheet1.xml", `<worksheet><cols><col min="2" hidden="1"/></cols><sheetData>
			<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t>号码</t></is></c></row>
			<row r="3" hidden="1"><c r="A3" t="s"><v>1</v></c><c r="B3" t="s"><v>2</v></c><c r="C3"><v>3.20902199001010E+17</v></c></row>
			<row r="4"><c r="A4"><f>1+1</f><v>13800000000</v></c><c r="B4" t="str"><v>合并格下的 320902199001010006</v></c><c r="C4" t="s"><v>99</v></c></row>
			</sheetData><mergeCells><mergeCell ref="A4:C4"/></mergeCells>
			<dataValidations><dataValidation prompt="请填 12345678"/></dataValidations><headerFooter><oddHeader>&amp;C页眉里的字</oddHeader></headerFooter></worksheet>`,
		"xl/worksheets/sheet2.xml", sheet(`<row><c t="inlineStr"><is><t>甲</t></is></c><c t="inlineStr"><is><t>乙</t></is></c></row>`),
		"xl/comments1.xml", `<comments><commentList><comment><text><r><t>批注里的 110101199001011237</t></r></text></comment></commentList></comments>`,
		"xl/drawings/drawing1.xml", `<d><a:t>文本框里的字</a:t></d>`,
		"xl/pivotCache/pivotCacheRecords1.xml", `<r><s v="透视表缓存里的字"/></r>`,
		"docProps/core.xml", `<c><dc:creator>作者姓名</dc:creator></c>`,
		"xl/worksheets/_rels/sheet1.xml.rels", `<Relationships><Relationship Id="a" TargetMode="External" Target="tel:13800000001"/></Relationships>`,
		"xl/styles.xml", `<s a="不是内容的字"/>`)
	got, whole := read(t, xlsx, data)
	for _, want := range []string{
		"[工作表“名单”]\n申请人\t\t号码\n\n王小明\t两 行\t320902199001010000\n13800000000\t合并格下的 320902199001010006\n",
		"[工作表“底稿”]\n甲\t乙\n", "[批注]\n批注里的 110101199001011237", "页眉里的字", "请填 12345678", "文本框里的字", "透视表缓存里的字", "作者姓名", "tel:13800000001"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if !whole || strings.Contains(got, "不是内容的字") || strings.Contains(got, "wang") {
		t.Errorf("whole = %v\n%s", whole, got)
	}
}

func TestDocuments(t *testing.T) {
	body := `<w:document><w:body><w:p><w:r><w:t>身份证</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>320902</w:t></w:r><w:r><w:t>199001010006</w:t></w:r></w:p>
		<w:p><w:del><w:r><w:delText>删去的字</w:delText></w:r></w:del></w:p>
		<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr><w:p><w:t>序号</w:t></w:p></w:tc><w:tc><w:p><w:t>户主</w:t></w:p></w:tc></w:tr>
		<w:tr><w:tc><w:p><w:t>1</w:t></w:p></w:tc><w:tc><w:p><w:t>甲</w:t></w:p><w:p><w:t>乙</w:t></w:p></w:tc><w:tc><w:p><w:t>王小明</w:t></w:p></w:tc></w:tr></w:tbl></w:body></w:document>`
	got, whole := read(t, docx, pack(t, "word/document.xml", body, "word/comments.xml", `<w:comments><w:p><w:t>批注的字</w:t></w:p></w:comments>`,
		"word/header1.xml", `<w:hdr><w:p><w:t>页眉的字</w:t></w:p></w:hdr>`, "word/media/image1.png", "\x89PNG",
		"word/embeddings/sheet.xlsx", string(pack(t, "xl/workbook.xml", workbook, "xl/_rels/workbook.xml.rels", rels, "xl/worksheets/sheet1.xml",
			sheet(`<row r="1"><c r="A1" t="inlineStr"><is><t>嵌入的表</t></is></c></row>`)))))
	for _, want := range []string{"身份证320902199001010006\n", "删去的字", "序号 \t\t户主 \t\n1 \t甲 乙 \t王小明 \t\n", "[批注]\n批注的字", "[页眉]\n页眉的字",
		"“sheet.xlsx”工作表“名单”]\n嵌入的表"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if !whole {
		t.Error("not whole")
	}
	if _, whole := read(t, docx, pack(t, "word/document.xml", `<w:document><w:p/></w:document>`, "word/media/image1.png", "\x89PNG")); whole {
		t.Error("a document of pictures is whole")
	}
	if _, whole := read(t, docx, pack(t, "word/document.xml", body, "word/embeddings/ole.bin", "x")); whole {
		t.Error("a document with an object nobody can read is whole")
	}
	if got, whole := read(t, pptx, pack(t, "ppt/slides/slide1.xml", `<p:sld><a:p><a:r><a:t>标题</a:t></a:r></a:p></p:sld>`)); !whole || got != "[幻灯片]\n标题\n\n" {
		t.Errorf("slides: %v %q", whole, got)
	}
	if got, whole := read(t, ofd, pack(t, "OFD.xml", `<ofd:OFD/>`, "Doc_0/Pages/Page_0/Content.xml", `<ofd:Page><ofd:TextCode X="0">公告正文</ofd:TextCode></ofd:Page>`)); !whole || !strings.Contains(got, "公告正文") {
		t.Errorf("OFD: %v %q", whole, got)
	}
}

// TestScans holds that what a program says of a file – who made it, with what –
// is no text on its pages: a document of nothing but pictures needs a person.
func TestScans(t *testing.T) {
	const app, png = `<Properties><Application>Microsoft Office Word</Application><Template>Normal.dotm</Template></Properties>`, "\x89PNG"
	head := `<w:document><w:p><w:t>附件：名单</w:t></w:p></w:document>`
	long := `<w:document><w:p><w:t>` + strings.Repeat("公告正文", 10) + `</w:t></w:p></w:document>`
	for _, tt := range []struct {
		name  string
		media string
		parts []string
		whole bool
	}{
		{"a scanned letter", docx, []string{"docProps/app.xml", app, "word/document.xml", `<w:document><w:p/></w:document>`, "word/media/image1.png", png}, false},
		{"a scan under a heading", docx, []string{"docProps/app.xml", app, "word/document.xml", head, "word/media/image1.jpeg", png}, false},
		{"a letter with a seal", docx, []string{"docProps/app.xml", app, "word/document.xml", long, "word/media/image1.png", png}, true},
		{"a short letter and its thumbnail", docx, []string{"word/document.xml", head, "docProps/thumbnail.jpeg", png}, true},
		{"a page of another format", docx, []string{"word/document.xml", long, "word/afchunk1.mht", "x"}, false},
		{"a scan in a sheet", xlsx, []string{"docProps/app.xml", app, "xl/workbook.xml", workbook, "xl/_rels/workbook.xml.rels", rels,
			"xl/worksheets/sheet1.xml", sheet(""), "xl/media/image1.png", png}, false},
		{"a scanned OFD", ofd, []string{"OFD.xml", `<ofd:OFD DocType="OFD" Version="1.2"><ofd:CreationDate>2026-11-20</ofd:CreationDate></ofd:OFD>`,
			"Doc_0/Pages/Page_0/Content.xml", `<ofd:Page><ofd:ImageObject Boundary="0 0 210 297"/></ofd:Page>`, "Doc_0/Res/1.jpg", png}, false},
		{"text without a mark of its width", zipf, []string{"a.txt", "3\x002\x000\x009\x00"}, false},
		{"a mail, which may be encoded", zipf, []string{"a.eml", "Content-Transfer-Encoding: base64\n\nMzIwOTAy\n"}, false},
	} {
		if _, whole := read(t, tt.media, pack(t, tt.parts...)); whole != tt.whole {
			t.Errorf("%s: whole = %v, want %v", tt.name, whole, tt.whole)
		}
	}
}

// TestFormulas holds that a number in a formula is seen, whatever the cell shows.
func TestFormulas(t *testing.T) {
	got, _ := read(t, xlsx, pack(t, "xl/workbook.xml", workbook, "xl/_rels/workbook.xml.rels", rels, "xl/worksheets/sheet1.xml",
		sheet(`<row r="1"><c r="A1" t="str"><f>LEFT("320902199001010006",4)&amp;"***"</f><v>3209***</v></c><c r="B1"><f>SUM(A1:A9)</f><v>1</v></c></row>`)))
	if !strings.Contains(got, `LEFT("320902199001010006",4)`) || !strings.Contains(got, "3209***\t1") || strings.Contains(got, "SUM") {
		t.Errorf("read %q", got)
	}
}

func TestPlain(t *testing.T) {
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String("姓名,结果\n王小明,合格\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, media, data, want string }{
		{"text", text, "第一行\n第二行", "[]\n第一行\n第二行\n"},
		{"with a mark", text, "\ufeff第一行", "[]\n第一行\n"},
		{"UTF-16", text, "\xff\xfe\x2c\x7b\x00\x4e", "[]\n第一\n"},
		{"UTF-16 the other way", text, "\xfe\xff\x7b\x2c\x4e\x00", "[]\n第一\n"},
		{"GB18030", csv, gbk, "[]\n姓名\t结果\n王小明\t合格\n\n"},
		{"commas", csv, "a,b\n\"x,\ny\",2\n", "[]\na\tb\nx, y\t2\n\n"},
		{"semicolons", csv, "a;b;c\n1;2;3\n", "[]\na\tb\tc\n1\t2\t3\n\n"},
		{"rows keep their lines", csv, "a,b\n\n\nc,d\n", "[]\na\tb\n\n\nc\td\n\n"},
	} {
		if got, whole := read(t, tt.media, []byte(tt.data)); got != tt.want || !whole {
			t.Errorf("%s = %q, %v, want %q", tt.name, got, whole, tt.want)
		}
	}
	if _, whole := read(t, "image/png", []byte("\x89PNG\r\n\x1a\n")); whole {
		t.Error("a picture is whole")
	}
	old := append([]byte("\xd0\xcf\x11\xe0"), 0, 0)
	for _, r := range "身份证320902199001010006" {
		old = append(old, byte(r), byte(r>>8))
	}
	if got, whole := read(t, "application/vnd.ms-excel", old); whole || !strings.Contains(got, "身份证320902199001010006") {
		t.Errorf("Excel 97: %v %q", whole, got)
	}
}

func TestArchives(t *testing.T) {
	inner := pack(t, "甲.txt", "里面的字", "乙.png", "\x89PNG")
	got, whole := read(t, zipf, pack(t, "名单/王小明.csv", "姓名,结果\n", "再包.zip", string(inner)))
	for _, want := range []string{"[文件名]\n名单/王小明.csv", "[“王小明.csv”]\n姓名\t结果", "[“再包.zip”“甲.txt”]\n里面的字"} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if whole {
		t.Error("an archive with a picture is whole")
	}
	if _, whole := read(t, zipf, pack(t, "甲.txt", "字")); !whole {
		t.Error("an archive of text is not whole")
	}
	deep := inner
	for range 5 {
		deep = pack(t, "又.zip", string(deep))
	}
	if _, whole := read(t, zipf, deep); whole {
		t.Error("archives in archives without end are whole")
	}
	for _, name := range []string{"../../etc/passwd", "/etc/passwd", `a\..\..\b`} {
		if _, whole := read(t, zipf, pack(t, name, "x")); whole {
			t.Errorf("an archive with the name %q is whole", name)
		}
	}
}

// TestPDF reads what LibreOffice and Chromium write.
func TestPDF(t *testing.T) {
	for _, tt := range []struct {
		file string
		want []string
	}{
		{"calc.pdf", []string{"申请人", "王小明", "320902199001010006", "13800000000"}},
		{"chromium.pdf", []string{"公共租赁住房分配对象公示", "320902199001010006", "王小明", "13800000000", "139 1234 5678"}},
	} {
		data, err := os.ReadFile("testdata/" + tt.file)
		if err != nil {
			t.Fatal(err)
		}
		got, whole := read(t, pdf, data)
		if !whole {
			t.Errorf("%s is not whole", tt.file)
		}
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: missing %q in\n%s", tt.file, want, got)
			}
		}
	}
}

// makePDF writes objects as a file, without the table of positions.
func makePDF(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	b.WriteString("trailer\n<</Root 1 0 R>>\n%%EOF")
	return b.Bytes()
}

func streamOf(dict, body string) string {
	return fmt.Sprintf("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(body), body)
}

const (
	catalogue = "<</Type/Catalog/Pages 2 0 R>>"
	tree      = "<</Type/Pages/Kids[3 0 R]/Count 1>>"
	onePage   = "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</X 6 0 R>>>>>>"
	latin     = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
)

func TestMadeUpPDF(t *testing.T) {
	toUnicode := streamOf("", "1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0001> <738B> <0002> <5C0F660E> endbfchar 1 beginbfrange <0010> <0019> <0030> endbfrange")
	for _, tt := range []struct {
		name    string
		objects []string
		want    string
		whole   bool
	}{
		{"plain font", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf 10 700 Td (ID 320902) Tj (199001010006) Tj 0 -20 Td [(138)-50(0000)2000(0000)] TJ ET"), latin, "null"},
			"ID 320902199001010006\n1380000", true},
		{"mapped font", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf <000100020013001200100019001000120001> Tj ET"),
			"<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[<</DW 1000>>]/ToUnicode 7 0 R>>", "null", toUnicode}, "王小明320902王", true},
		{"GBK font", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf <CDF5D0A1C3F7333230> Tj ET"),
			"<</Type/Font/Subtype/Type0/Encoding/GBK-EUC-H/DescendantFonts[<</DW 1000>>]>>", "null"}, "王小明320", true},
		{"font without a meaning", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf <00410042004300440045004600470048004900500051> Tj ET"),
			"<</Type/Font/Subtype/Type0/Encoding/Identity-H/DescendantFonts[<</DW 1000>>]>>", "null"}, "", false},
		{"named glyphs", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf (abc) Tj ET"),
			"<</Type/Font/Subtype/Type1/BaseFont/X/Encoding<</Differences[97/three/two/uni0030]>>>>", "null"}, "320", true},
		{"a form", []string{catalogue, tree, onePage, streamOf("", "q /X Do Q"), latin,
			streamOf("/Subtype/Form/Resources<</Font<</F1 5 0 R>>>>", "BT /F1 9 Tf (in a form) Tj ET")}, "in a form", true},
		{"a form that draws itself", []string{catalogue, tree, onePage, streamOf("", "/X Do"), latin,
			streamOf("/Subtype/Form/Resources<</XObject<</X 6 0 R>>>>", "/X Do /X Do")}, "", false},
		{"a scan", []string{catalogue, tree, onePage, streamOf("", "q 600 0 0 800 0 0 cm /X Do Q"), latin, streamOf("/Subtype/Image/Width 1/Height 1/Filter/DCTDecode", "x")}, "", false},
		{"a notes and fields", []string{catalogue, tree, onePage, streamOf("", ""), "<</Subtype/Text/Contents<FEFF62799 6CE8>>>", "<</FT/Tx/V(13800000000)>>"}, "13800000000", true},
		{"hexadecimal and base 85", []string{catalogue, tree, onePage, streamOf("/Filter[/ASCIIHexDecode]", "4254202F46312031322054662028746573742920546A204554>"), latin, "null"}, "test", true},
		{"encrypted", []string{catalogue, tree, onePage, streamOf("", "BT (x) Tj ET"), latin + "\nendobj\ntrailer <</Encrypt 9 0 R>>\n6 0 obj null"}, "", false},
		{"a filter nobody knows", []string{catalogue, tree, onePage, streamOf("/Filter/JBIG9Decode", "x"), latin, "null"}, "", false},
		{"a loop of pages", []string{catalogue, "<</Type/Pages/Kids[2 0 R 3 0 R]/Parent 2 0 R>>", "<</Type/Page/Parent 2 0 R>>"}, "", true},
		{"an older revision in the file", []string{catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf (new) Tj ET"), latin, "<</Type/Page/Contents 7 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
			streamOf("", "BT /F1 12 Tf (old page) Tj ET")}, "old page", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, whole := read(t, pdf, makePDF(tt.objects...))
			if whole != tt.whole || !strings.Contains(got, tt.want) {
				t.Errorf("whole = %v, want %v; %q is to hold %q", whole, tt.whole, got, tt.want)
			}
		})
	}
	if _, whole := read(t, pdf, []byte("%PDF-1.4\n%%EOF")); !whole {
		t.Error("a file with nothing in it has something unread")
	}
}

// bomb is a part of n megabytes that packs to little.
func bomb(n int) string { return strings.Repeat("<c><v>1</v></c>                 ", n<<20/32) }

// TestBombs holds that no file costs more than the limits: what unpacks to too
// much is left unread, and said to be.
func TestBombs(t *testing.T) {
	rows := `<row><c t="inlineStr"><is><t>字</t></is></c></row>`
	for name, file := range map[string]struct {
		media string
		data  []byte
	}{
		"a sheet of 200 MB":       {xlsx, pack(t, "xl/workbook.xml", workbook, "xl/worksheets/sheet1.xml", sheet(bomb(200)))},
		"64 MB of strings":        {xlsx, pack(t, "xl/sharedStrings.xml", "<sst>"+bomb(64)+"</sst>")},
		"1,000,000 rows":          {xlsx, pack(t, "xl/worksheets/sheet1.xml", sheet(strings.Repeat(rows, 1_000_000)))},
		"a row far below":         {xlsx, pack(t, "xl/worksheets/sheet1.xml", sheet(strings.Repeat(`<row r="1048576"><c r="XFD1048576" t="s"><v>0</v></c></row>`, 1000)))},
		"a document of 64 MB":     {docx, pack(t, "word/document.xml", bomb(64))},
		"elements without an end": {docx, pack(t, "word/document.xml", strings.Repeat("<a>", 3<<20))},
		"an archive of archives":  {zipf, pack(t, "a.zip", string(pack(t, "b.txt", bomb(64))))},
		"10,000 files":            {zipf, pack(t, strings.Split(strings.Repeat("a,x,", 9999)+"a,x", ",")...)},
		"a PDF of 64 MB":          {pdf, makePDF(catalogue, tree, onePage, flateOf(t, strings.Repeat(" ", 64<<20)), latin)},
		"dictionaries within":     {pdf, []byte("%PDF-1.4\n1 0 obj\n" + strings.Repeat("<</a ", 1<<20))},
		"a million objects":       {pdf, []byte("%PDF-1.4\n" + strings.Repeat("1 0 obj\nnull\nendobj\n", 1_000_000))},
		"a CSV of quotes":         {csv, []byte("a,b\n" + strings.Repeat(`"`, 5<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			peak, stop := watch()
			start := time.Now()
			text := 0
			_, err := new(extract.Reader).Text(t.Context(), file.media, file.data, func(_, s string) bool { text += len(s); return true })
			took := time.Since(start)
			stop()
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Error(err)
			}
			if used := int64(*peak) - int64(before.HeapInuse); used > 96<<20 {
				t.Errorf("%d MB of memory at the peak", used>>20)
			}
			t.Logf("%d KB, %d KB of text, %s, %d MB allocated", len(file.data)>>10, text>>10, took.Round(time.Millisecond), (after.TotalAlloc-before.TotalAlloc)>>20)
		})
	}
}

// watch samples the heap until it is stopped.
func watch() (*uint64, func()) {
	peak, done, ended := new(uint64), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return peak, func() { close(done); <-ended }
}

// TestStops holds that reading ends with its context, and when nobody listens.
func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := pack(t, "xl/worksheets/sheet1.xml", sheet(strings.Repeat("<row><c><v>1</v></c></row>", 10_000)))
	if whole, err := new(extract.Reader).Text(ctx, xlsx, data, func(string, string) bool { return true }); whole || !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v, %v", whole, err)
	}
	n := 0
	many := pack(t, "a.txt", "x", "b.txt", "y", "c.txt", "z")
	if whole, err := new(extract.Reader).Text(t.Context(), zipf, many, func(string, string) bool { n++; return false }); whole || err != nil || n != 1 {
		t.Errorf("after one part: %d, %v, %v", n, whole, err)
	}
}

func fuzz(f *testing.F, media string, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	r := &extract.Reader{Limits: extract.Limits{Unpacked: 4 << 20, Entries: 500, Depth: 2, Part: 1 << 16}}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		size := 0
		if _, err := r.Text(ctx, media, data, func(_, s string) bool { size += len(s); return true }); err != nil {
			t.Fatal(err)
		}
		if size > 64<<20 {
			t.Errorf("%d bytes of text out of %d", size, len(data))
		}
	})
}

func FuzzPDF(f *testing.F) {
	calc, err := os.ReadFile("testdata/calc.pdf")
	if err != nil {
		f.Fatal(err)
	}
	fuzz(f, pdf, calc, makePDF(catalogue, tree, onePage, streamOf("", "BT /F1 12 Tf [(a)1<62>] TJ T* (c) ' ET BI EI q 1 0 0 1 0 0 cm Q"), latin, "null"),
		makePDF(catalogue, streamOf("/Type/ObjStm/N 2/First 10", "3 0 4 5   <</Type/Page>> [1]")))
}

func FuzzXLSX(f *testing.F) {
	fuzz(f, xlsx, pack(f, "xl/workbook.xml", workbook, "xl/_rels/workbook.xml.rels", rels, "xl/sharedStrings.xml", strs, "xl/worksheets/sheet1.xml",
		sheet(`<row r="2"><c r="B2" t="s"><v>1</v></c><c><v>1e10</v></c></row>`)))
}

func FuzzDOCX(f *testing.F) {
	fuzz(f, docx, pack(f, "word/document.xml", `<w:p><w:t>a</w:t><w:tc><w:gridSpan w:val="3"/></w:tc></w:p>`, "word/embeddings/a.xlsx", string(pack(f, "x", "y"))))
}

func FuzzCSV(f *testing.F) { fuzz(f, csv, []byte("a,b\n\"c\n\",d\n"), []byte("\xff\xfea;b")) }

func FuzzZIP(f *testing.F) {
	fuzz(f, zipf, pack(f, "a.csv", "x,y", "b.zip", string(pack(f, "c.txt", "z"))))
}
