package handlers_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"testing"
)

// samplePDF is small and begins as PDF files begin.
const samplePDF = "%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"

const uploads = "/api/v1/staff/attachments"

// part is one part of a multipart form; a part without a file name is a value.
type part struct{ field, file, data string }

// form encodes a multipart form and its content type.
func form(t *testing.T, parts ...part) (body []byte, media string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"`, p.field))
		if p.file != "" {
			h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, p.field, p.file))
		}
		to, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write([]byte(p.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// upload keeps a file for a draft.
func (w *world) upload(t *testing.T, who, name, data string) reply {
	t.Helper()
	body, media := form(t, part{"file", name, data})
	return w.call(t, "POST", uploads, opts{as: who, body: body, header: map[string]string{"Content-Type": media}, want: 201})
}
