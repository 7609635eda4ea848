package extract

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode"
)

// parts are the files in a package, by name.
type parts struct {
	*job
	files []*zip.File
	named map[string]*zip.File

	letters  int  // of text on the pages, not of properties and the like
	pictures bool // there are some
}

// pictured says that the pages are pictures, perhaps: there is nothing on them to
// read, or so little that it is their heading.
func (p *parts) pictured() bool { return p.letters == 0 || p.pictures && p.letters < fewLetters }

// isPicture tells pictures in a document from its thumbnail.
func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".emf", ".wmf", ".jb2", ".gbig2", ".webp", ".svg":
		return !strings.HasPrefix(name, "docProps/")
	}
	return false
}

// lettersIn counts what is no blank.
func lettersIn(text string) (n int) {
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// open reads a package's directory and refuses one that says it holds too much.
func (j *job) open(data []byte, counts func(name string) bool) (*parts, error) {
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	if len(r.File) > j.limits.Entries {
		return nil, errLimit
	}
	p := &parts{job: j, named: map[string]*zip.File{}}
	var declared uint64
	for _, f := range r.File {
		if f.Flags&1 != 0 || strings.Contains(f.Name, "..") || strings.HasPrefix(f.Name, "/") || strings.Contains(f.Name, `\..`) {
			j.whole = false // encrypted, or a name that wants out of its folder
			continue
		}
		if counts(f.Name) {
			declared += min(f.UncompressedSize64, 1<<40)
		}
		p.files = append(p.files, f)
		p.named[strings.TrimPrefix(f.Name, "/")] = f
	}
	if declared > uint64(max(j.left, 0)) {
		return nil, errLimit
	}
	return p, nil
}

func (p *parts) reader(f *zip.File) (io.ReadCloser, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{metered{p.job, r}, r}, nil
}

func (p *parts) bytes(f *zip.File) ([]byte, error) {
	r, err := p.reader(f)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return readPiece(r)
}

func isXML(name string) bool {
	return strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".rels") || strings.HasSuffix(name, ".vml")
}

// mediaOf tells the kind of a file in an archive by its name.
func mediaOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".pdf":
		return mediaPDF
	case ".xlsx", ".xlsm", ".xltx":
		return mediaXLSX
	case ".docx", ".docm", ".dotx":
		return mediaDOCX
	case ".pptx", ".pptm":
		return mediaPPTX
	case ".ofd":
		return mediaOFD
	case ".zip":
		return mediaZIP
	case ".csv":
		return mediaCSV
	case ".txt", ".xml", ".json", ".md": // the text of pages and mails may be encoded
		return mediaText
	}
	return ""
}

// archive reads the files in a ZIP.
func (j *job) archive(data []byte, depth int) error {
	if depth >= j.limits.Depth {
		return errLimit
	}
	p, err := j.open(data, func(string) bool { return true })
	if err != nil {
		return err
	}
	for _, f := range p.files {
		name := f.Name
		if f.NonUTF8 {
			name = Decode([]byte(name))
		}
		if err := j.tell("文件名", name+"\n"); err != nil {
			return err
		}
		if f.FileInfo().IsDir() {
			continue
		}
		if err := p.nested(f, name, depth); err != nil {
			return err
		}
	}
	return nil
}

// nested reads a file in a package as a file of its own.
func (p *parts) nested(f *zip.File, name string, depth int) error {
	content, err := p.bytes(f)
	if err != nil {
		return err
	}
	outer := p.prefix
	p.prefix = fmt.Sprintf("%s“%s”", outer, path.Base(name))
	p.read(mediaOf(name), content, depth+1)
	p.prefix = outer
	return p.ctx.Err()
}
