package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed dist
var distFiles embed.FS

// Asset is a style sheet, script or picture of the pages.
type Asset struct {
	Type string // media type
	Body []byte
	Hash string // of Body, part of its address
}

var mediaTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png"}

// assets reads what is embedded once: every asset by its name.
var assets = sync.OnceValue(func() map[string]Asset {
	out := map[string]Asset{}
	entries, err := fs.ReadDir(distFiles, "dist")
	if err != nil {
		panic(fmt.Sprintf("web: embedded files: %v", err)) // a broken build
	}
	for _, e := range entries {
		body, err := distFiles.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(fmt.Sprintf("web: embedded files: %v", err)) // likewise
		}
		sum := sha256.Sum256(body)
		out[e.Name()] = Asset{Type: mediaTypes[path.Ext(e.Name())], Body: body, Hash: hex.EncodeToString(sum[:5])}
	}
	return out
})

// AssetPath returns the address of an asset: it holds the content's hash, so
// that an answer may be kept for good.
func AssetPath(name string) string {
	ext := path.Ext(name)
	return "/assets/" + strings.TrimSuffix(name, ext) + "." + assets()[name].Hash + ext
}

// FindAsset returns the asset with the last part of an address of AssetPath.
// exact is false when the hash is another build's: the page that asks was kept
// by a browser, and the present asset is what it gets.
func FindAsset(file string) (a Asset, exact, ok bool) {
	parts := strings.Split(file, ".")
	if len(parts) != 3 {
		return Asset{}, false, false
	}
	a, ok = assets()[parts[0]+"."+parts[2]]
	return a, a.Hash == parts[1], ok
}

// Worker returns the kiosk's service worker.
func Worker() Asset { return assets()["sw.js"] }

// Revision names the build of everything the kiosk runs, so that an open page
// can tell that a newer one is served.
func Revision() string {
	sum := sha256.New()
	for _, name := range []string{"kiosk.js", "kiosk.css", "sw.js"} {
		sum.Write(assets()[name].Body) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:5])
}

// readyScript is the one script within the pages: it sets large type before
// anything is drawn.
const readyScript = `try{localStorage.elder&&(document.documentElement.className="elder")}catch(e){}`

func scriptHash(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Policy is the Content-Security-Policy of every page: nothing but the server's
// own, no frames, no foreign scripts.
var Policy = "default-src 'none'; script-src 'self' " + scriptHash(readyScript) + "; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// WeChatPolicy is that of the subscribe page when WeChat's JS-SDK is configured:
// its script, what it calls, and the frame and style of its button besides.
var WeChatPolicy = "default-src 'none'; script-src 'self' https://res.wx.qq.com " + scriptHash(readyScript) + "; " +
	"style-src 'self' 'unsafe-inline'; img-src 'self' data: https://res.wx.qq.com; connect-src 'self' https://*.qq.com; " +
	"frame-src https://*.qq.com; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// WeChatScript is the address of the JS-SDK; 1.6.0 is the first with
// wx-open-subscribe.
const WeChatScript = "https://res.wx.qq.com/open/js/jweixin-1.6.0.js"
