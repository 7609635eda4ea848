package handlers

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// Route is a method and a path as the OpenAPI document writes it.
type Route struct{ Method, Path string }

// Routes lists what the public listener routes, HEAD and OPTIONS left out: they
// come with every GET.
func (s *Server) Routes() []Route {
	var out []Route
	for _, r := range s.public.app.GetRoutes(true) {
		if r.Method == fiber.MethodHead || r.Method == fiber.MethodOptions {
			continue
		}
		parts := strings.Split(strings.ReplaceAll(r.Path, "*", ":code"), "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		if route := (Route{r.Method, strings.Join(parts, "/")}); !slices.Contains(out, route) {
			out = append(out, route)
		}
	}
	return out
}

// Limits returns the public listener's settings.
func (s *Server) Limits() *fasthttp.Server { return s.public.server }

// Mount adds a route to the public listener, for tests of what surrounds
// handlers.
func (s *Server) Mount(path string, h fiber.Handler) {
	s.public.app.Get(path, h)
	s.public.handle = s.public.app.Handler()
}
