// Package web renders the pages people touch: the H5 that a push card opens, in
// WeChat's browser or any other, and the lobby kiosk. A page is a struct of what
// was read elsewhere; Render turns it into HTML. The package asks for nothing:
// no query, no clock, no network.
//
// The pages need no script. What scripts add – whether the copy is still
// current, large type, reading aloud – is a few kilobytes of TypeScript under
// src, bundled by esbuild into dist (go generate), which is embedded. A test
// bundles again and compares.
//
// Rendered pages hold two kinds of markup that people wrote: nothing but what
// html/template escapes, and body_html as disclosure.SanitizeHTML leaves it.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
)

//go:generate go tool esbuild src/h5.ts src/kiosk.ts src/sw.ts src/wechat.ts src/h5.css src/kiosk.css src/icon.svg --loader:.svg=copy --bundle --minify --charset=utf8 --target=es2017,chrome66,safari12 --supported:destructuring=true --legal-comments=none --outdir=dist --log-level=warning

//go:embed templates
var templateFiles embed.FS

// Site is what every page says of the site itself.
type Site struct {
	Name    string // as its header shows it
	URL     string // as people reach it, without a final slash
	Hotline string // telephone number for questions, "" for none
	Demo    bool   // the data is made up, and every page says so
}

// Page is one of the page structs of this package.
type Page interface {
	template() string // the name of its template
}

// Renderer turns pages into HTML. It is safe for concurrent use.
type Renderer struct {
	site  Site
	pages map[string]*template.Template
}

// New parses the templates for a site.
func New(site Site) (*Renderer, error) {
	r := &Renderer{site: site, pages: map[string]*template.Template{}}
	layout, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	for _, name := range names {
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("web: %s: %w", name, err)
		}
		r.pages[name[len("templates/"):len(name)-len(".html")]] = t
	}
	return r, nil
}

// frame is what a template sees: the page under Page, the site beside it.
type frame struct {
	Site Site
	Page Page
}

// Render writes a page as HTML.
func (r *Renderer) Render(p Page) ([]byte, error) {
	t, ok := r.pages[p.template()]
	if !ok {
		return nil, fmt.Errorf("web: no template %q", p.template())
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", frame{r.site, p}); err != nil {
		return nil, fmt.Errorf("web: render %s: %w", p.template(), err)
	}
	return b.Bytes(), nil
}

// asOfMark is where a page has room for the word that it is not fresh.
const asOfMark = `<div id="as-of" hidden></div>`

// MarkStale returns the page with a banner that says since when its data may
// have changed; asOf is shown as it is.
func MarkStale(page []byte, asOf string) []byte {
	banner := `<div id="as-of" class="banner warn" role="status">数据截至 ` + template.HTMLEscapeString(asOf) + `，系统正在恢复，可能不是最新</div>`
	return bytes.Replace(page, []byte(asOfMark), []byte(banner), 1)
}
