package publish_test

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
	"gongkai/internal/store/storetest"
)

// zipOf is a ZIP with files of the names.
func zipOf(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range names {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte("<xml/>"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file is what its content says, under a name that agrees.
func TestUpload(t *testing.T) {
	s, _ := storetest.SQLite(t)
	service := &publish.Service{Store: s, Now: func() time.Time { return storetest.Start }}
	png := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
	ole := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 512)
	docx := string(zipOf(t, "[Content_Types].xml", "_rels/.rels", "word/document.xml"))
	for _, tt := range []struct {
		name, data string
		kept       string // name
		media      string // "" is refused
	}{
		{"招标文件.pdf", "%PDF-1.4\n", "招标文件.pdf", "application/pdf"},
		{"招标文件.PDF", "%PDF-1.4\n", "招标文件.PDF", "application/pdf"},
		{"公告.docx", docx, "公告.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
		{"公告.doc", ole, "公告.doc", "application/x-ole-storage"},
		{"公告.wps", ole, "公告.wps", "application/x-ole-storage"},
		{"图.png", png, "图.png", "image/png"},
		{"图.jpg", "\xff\xd8\xff\xe0\x00\x10JFIF", "图.jpg", "image/jpeg"},
		{"全部.zip", string(zipOf(t, "a.pdf")), "全部.zip", "application/zip"},
		{"公告.ofd", string(zipOf(t, "OFD.xml", "Doc_0/Document.xml")), "公告.ofd", "application/ofd"},
		{"说明.txt", "说明", "说明.txt", "text/plain"},
		{"表.csv", "a,b\n1,2\n", "表.csv", "text/csv"},
		{"名录.csv", "单位\n甲公司\n", "名录.csv", "text/csv"},
		{`C:\文件\公告.pdf`, "%PDF-1.4\n", "公告.pdf", "application/pdf"},
		{"../../etc/公告.pdf", "%PDF-1.4\n", "公告.pdf", "application/pdf"},
		{"公\x00告\u202efdp.pdf", "%PDF-1.4\n", "公告fdp.pdf", "application/pdf"},
		{strings.Repeat("长", 300) + ".pdf", "%PDF-1.4\n", strings.Repeat("长", 146) + ".pdf", "application/pdf"},
		{"全部.ofd", string(zipOf(t, "a.pdf")), "", ""},
		{"公告.zip", docx, "", ""},
		{"公告.xlsx", docx, "", ""},
		{"公告.pdf", png, "", ""},
		{"公告", "%PDF-1.4\n", "", ""},
		{"公告.exe", "MZ\x90\x00", "", ""},
		{"公告.txt", "MZ\x90\x00\x03\x00", "", ""},
		{"页.txt", "<html><script>alert(1)</script></html>", "", ""},
		{"图.txt", `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`, "", ""},
		{"说明.txt", "\xb2\xc9\xb9\xba", "", ""},
		{"说明.txt", "甲\x00乙", "", ""},
		{"表.csv", "甲\x00乙", "", ""},
		{"空.txt", "", "", ""},
	} {
		f, err := service.Upload(t.Context(), storetest.Editor, tt.name, []byte(tt.data))
		if (err == nil) != (tt.media != "") || f.Type != tt.media && err == nil || f.Name != tt.kept && err == nil {
			t.Errorf("Upload(%.40q) = %q %q, %v, want %q %q", tt.name, f.Name, f.Type, err, tt.kept, tt.media)
		}
	}
	for name, data := range map[string]string{"王小明320902199001010006.exe": "MZ\x90\x00", "320902199001010006.txt": "", "320902199001010006.csv": "\xb2\xc9"} {
		if _, err := service.Upload(t.Context(), storetest.Editor, name, []byte(data)); err == nil || strings.Contains(err.Error(), "19900101") {
			t.Errorf("a refusal repeats the number in the name: %v", err)
		}
	}
	_, err := service.Upload(t.Context(), disclosure.Actor{Name: "孙", Role: disclosure.RoleAuditor}, "a.pdf", []byte("%PDF-1.4\n"))
	if err == nil {
		t.Error("an auditor uploads")
	}
}

func FuzzFileName(f *testing.F) {
	for _, name := range []string{"", ".", "/", "a/b", `a\b`, "\x00", "\u202e", ".pdf", strings.Repeat("a", 200) + "." + strings.Repeat("b", 200), "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := publish.FileName(name)
		if got == "" || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00\r\n") || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("FileName(%q) = %q", name, got)
		}
		if utf8.RuneCountInString(got) > 200 {
			t.Errorf("FileName(%q) has %d characters", name, utf8.RuneCountInString(got))
		}
		if publish.FileName(got) != got {
			t.Errorf("FileName(%q) = %q, and of that %q", name, got, publish.FileName(got))
		}
	})
}
