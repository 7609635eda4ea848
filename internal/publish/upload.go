package publish

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// MaxUploadBytes bounds one attachment.
const MaxUploadBytes = 20 << 20

const (
	typeZIP  = "application/zip"
	typeOFD  = "application/ofd"
	typeText = "text/plain"
	typeCSV  = "text/csv"
	typeOLE  = "application/x-ole-storage"
)

// extensions lists the media types that are accepted, with the file endings
// that go with each. The type is told from the content, never from the name.
var extensions = map[string][]string{
	"application/pdf": {".pdf"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   {".docx"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         {".xlsx"},
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": {".pptx"},
	"application/msword":            {".doc", ".wps"},
	"application/vnd.ms-excel":      {".xls", ".et"},
	"application/vnd.ms-powerpoint": {".ppt", ".dps"},
	typeOLE:                         {".doc", ".xls", ".ppt", ".wps", ".et", ".dps"},
	"image/png":                     {".png"},
	"image/jpeg":                    {".jpg", ".jpeg"},
	typeZIP:                         {".zip"},
	typeOFD:                         {".ofd"},
	typeText:                        {".txt"},
	typeCSV:                         {".csv", ".txt"},
}

// Upload keeps a file for later use in a draft. Errors: CodeRole, CodeFileSize,
// CodeFileType.
func (s *Service) Upload(ctx context.Context, a disclosure.Actor, name string, data []byte) (disclosure.Attachment, error) {
	if err := a.Require(disclosure.RoleEditor, disclosure.RoleReviewer, disclosure.RoleAdmin); err != nil {
		return disclosure.Attachment{}, err
	}
	name = fileName(name)
	if len(data) == 0 || len(data) > MaxUploadBytes {
		return disclosure.Attachment{}, disclosure.Errorf(disclosure.CodeFileSize, "文件“%s”有 %d 字节，应在 1 字节到 20 MB 之间",
			disclosure.StrikeLeaks(name), len(data)).On("file")
	}
	media, err := mediaType(name, data)
	if err != nil {
		return disclosure.Attachment{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return disclosure.Attachment{}, fmt.Errorf("publish: new id: %w", err)
	}
	sum := sha256.Sum256(data)
	f := disclosure.Attachment{ID: id.String(), Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Type: media}
	if err := s.Store.SaveUpload(ctx, a, f, data, s.Now()); err != nil {
		return f, err
	}
	known, err := s.Store.FileScans(ctx, []string{f.SHA256})
	if _, ok := known[f.SHA256]; ok || err != nil {
		return f, err
	}
	_, err = s.scan(ctx, f, data)
	return f, err
}

// fileName keeps the last part of a path, without control characters and at
// most 150 characters, its ending included.
func fileName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name)
	if name == "." || name == "/" || name == "" {
		return "附件"
	}
	ext := path.Ext(name)
	if utf8.RuneCountInString(ext) > 20 {
		ext = "" // a dot in a long text
	}
	if over := utf8.RuneCountInString(name) - 150; over > 0 {
		stem := []rune(strings.TrimSuffix(name, ext))
		name = string(stem[:len(stem)-over]) + ext
	}
	return name
}

// mediaType tells what a file is and refuses what is not on the list, or whose
// name claims to be something else.
func mediaType(name string, data []byte) (string, error) {
	detected := mimetype.Detect(data)
	media := ""
	for m := detected; m != nil && media == ""; m = m.Parent() {
		base, _, _ := strings.Cut(m.String(), ";")
		if _, ok := extensions[base]; ok {
			media = base
		}
		if strings.HasPrefix(m.String(), "text/html") || strings.HasPrefix(m.String(), "image/svg") {
			break // both are text to the detector, and programs to a browser
		}
	}
	ext := strings.ToLower(path.Ext(name))
	if media == typeZIP && ext == ".ofd" && isOFD(data) {
		media = typeOFD
	}
	if media == typeText && ext == ".csv" { // one column of it has nothing to tell it by
		media = typeCSV
	}
	shown := disclosure.StrikeLeaks(name) // people name files after people
	if (media == typeText || media == typeCSV) && !utf8.Valid(data) {
		return "", disclosure.Errorf(disclosure.CodeFileType, "文本文件“%s”不是 UTF-8 编码，公众打开会是乱码：请另存为 UTF-8 后再上传", shown).On("file")
	}
	if (media == typeText || media == typeCSV) && bytes.IndexByte(data, 0) >= 0 {
		media = ""
	}
	if media == "" {
		return "", disclosure.Errorf(disclosure.CodeFileType, "不接受这种文件：“%s”的内容是 %s", shown, detected.String()).On("file")
	}
	if !slices.Contains(extensions[media], ext) {
		return "", disclosure.Errorf(disclosure.CodeFileType, "文件“%s”的内容是 %s，与扩展名不符，应为 %s", shown, media,
			strings.Join(extensions[media], "、")).On("file")
	}
	return media, nil
}

// isOFD reports whether a ZIP is an OFD document (GB/T 33190-2016).
func isOFD(data []byte) bool {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	return err == nil && slices.ContainsFunc(r.File, func(f *zip.File) bool { return f.Name == "OFD.xml" })
}
