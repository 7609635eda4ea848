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
// The pages are components of templ, compiled to Go (ADR 0003); go generate
// compiles them, and a test does so again and compares. They hold two kinds of
// markup that people wrote: nothing but what templ escapes, and body_html as
// disclosure.SanitizeHTML leaves it.
package web

import (
	"bytes"
	"context"
	"fmt"
	"html"

	"github.com/a-h/templ"
)

// The second sets templ's version apart from the package clause: it is no part of
// the documentation above.
//
//go:generate go tool -modfile=../../tools/go.mod templ generate -log-level=error
//go:generate sed -i "/^.. templ: version/{n;s/^package/\\n&/}" layout_templ.go lists_templ.go notice_templ.go service_templ.go
//go:generate go tool esbuild src/h5.ts src/kiosk.ts src/sw.ts src/wechat.ts src/h5.css src/kiosk.css src/icon.svg src/icon.png --loader:.svg=copy --loader:.png=copy --bundle --minify --charset=utf8 --target=es2017,chrome66,safari12 --supported:destructuring=true --legal-comments=none --outdir=dist --log-level=warning

// Site is what every page says of the site itself.
type Site struct {
	Name    string // as its header shows it
	URL     string // as people reach it, without a final slash
	Hotline string // telephone number for questions, "" for none
	Demo    bool   // the data is made up, and every page says so

	still bool // the page is a preview and runs no script
}

// showing is the site as the page of a notice shows it.
func (s Site) showing(p Notice) Site {
	s.still = p.Preview != nil
	return s
}

// Page is one of the page structs of this package.
type Page interface {
	on(s Site) templ.Component
}

// Renderer turns pages into HTML. It is safe for concurrent use.
type Renderer struct{ site Site }

// New renders for a site.
func New(site Site) *Renderer { return &Renderer{site} }

// Render writes a page as HTML.
func (r *Renderer) Render(p Page) ([]byte, error) {
	var b bytes.Buffer
	if err := p.on(r.site).Render(context.Background(), &b); err != nil { //nolint:forbidigo // nothing is waited for
		return nil, fmt.Errorf("web: render %T: %w", p, err)
	}
	return b.Bytes(), nil
}

// asOfMark is where a page has room for the word that it is not fresh.
const asOfMark = `<div id="as-of" hidden></div>`

// MarkStale returns the page with a banner that says since when its data may
// have changed; asOf is shown as it is.
func MarkStale(page []byte, asOf string) []byte {
	banner := `<div id="as-of" class="banner warn" role="status">数据截至 ` + html.EscapeString(asOf) + `，系统正在恢复，可能不是最新</div>`
	return bytes.Replace(page, []byte(asOfMark), []byte(banner), 1)
}
