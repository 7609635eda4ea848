package handlers

import (
	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// routePublic mounts what anybody may read.
func (s *Server) routePublic(app *fiber.App) {
	s.get(app, "/api/v1/home", s.getHome)
	s.get(app, "/api/v1/sectors", s.listSectors)
	s.get(app, "/api/v1/archive", s.getArchive)
	s.get(app, "/api/v1/catalog", s.listCatalog)
	s.get(app, "/api/v1/catalog.csv", s.getCatalogCSV)
	s.get(app, "/api/v1/catalog/:id", s.getCatalogItem)
	s.get(app, "/api/v1/bodies", s.listBodies)
	s.get(app, "/api/v1/notice-types", s.listNoticeTypes)
	s.get(app, "/api/v1/attachments/:sha256", s.getAttachment)
	s.get(app, "/api/v1/notices", s.listNotices)
	s.get(app, "/api/v1/notices/:id", s.getNotice)
	s.get(app, "/api/v1/notices/:id/head", s.getHead)
	s.get(app, "/api/v1/notices/:id/revisions", s.listRevisions)
	s.get(app, "/api/v1/notices/:id/revisions/:rev", s.getRevision)
	s.get(app, "/api/v1/notices/:id/diff", s.getDiff)
	s.get(app, "/api/v1/notices/:id/qr.svg", s.getQR)
	s.get(app, "/api/v1/notices/:id/speech", s.getSpeech)
	s.get(app, "/api/v1/projects", s.listProjects)
	s.get(app, "/api/v1/projects/*", s.getProject)
	s.get(app, "/api/v1/deadlines", s.listDeadlines)
	s.get(app, "/api/v1/deadlines.ics", s.getDeadlinesICS)
	s.get(app, "/api/v1/deadlines/explain", s.explainDeadline)
	s.get(app, "/api/v1/rules", s.listRules)
	s.get(app, "/api/v1/calendar/:year", s.getCalendar)
	s.get(app, "/api/v1/timeliness", s.listTimeliness)
	s.routeHotline(app)
	s.get(app, "/api/v1/changes", s.listChanges)
	s.get(app, "/api/v1/feeds/:file", s.getFeed)
	s.get(app, "/api/v1/feeds/saved/:file", s.getSavedFeed)
	s.routeKiosk(app)
	s.add(app, fiber.MethodPost, "/api/v1/housing/lookup", s.lookupHousing)
	s.get(app, "/swagger.json", s.getSwagger)
	s.get(app, "/openapi.json", s.getOpenAPI)
	s.get(app, "/docs", s.getDocs)
	s.get(app, "/docs/:file", s.getDocsFile)
	s.get(app, "/problems/:code", s.getProblem)
}

// routeStaff mounts what needs a token.
func (s *Server) routeStaff(app *fiber.App) {
	const (
		editor, reviewer = disclosure.RoleEditor, disclosure.RoleReviewer
		admin, auditor   = disclosure.RoleAdmin, disclosure.RoleAuditor
	)
	read := s.authenticate(editor, reviewer, admin, auditor)
	write := s.authenticate(writers...)
	check := s.authenticate(reviewer, admin)
	manage := s.authenticate(admin)

	s.add(app, fiber.MethodPost, "/api/v1/staff/attachments", write, s.uploadFile)
	s.add(app, fiber.MethodGet, "/api/v1/staff/notices", read, s.listStaffNotices)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices", write, s.createNotice)
	s.add(app, fiber.MethodGet, "/api/v1/staff/notices/:id", read, s.getStaffNotice)
	s.add(app, fiber.MethodPut, "/api/v1/staff/notices/:id", write, s.editNotice)
	s.add(app, fiber.MethodDelete, "/api/v1/staff/notices/:id", write, s.deleteNotice)
	s.add(app, fiber.MethodGet, "/api/v1/staff/notices/:id/preview", read, s.previewNotice)
	s.add(app, fiber.MethodGet, "/api/v1/staff/notices/:id/attachments/:sha256", read, s.getStaffAttachment)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/submit", write, s.submitNotice)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/reject", check, s.rejectNotice)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/publish", check, s.publishNotice)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/correct", write, s.correctNotice)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/terminate", write, s.terminateNotice)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/withdraw", check, s.withdrawNotice)
	s.add(app, fiber.MethodGet, "/api/v1/staff/kiosks", read, s.listKiosks)
	s.add(app, fiber.MethodPost, "/api/v1/staff/kiosks/:pairing_code/approve", manage, s.approveKiosk)
	s.add(app, fiber.MethodPost, "/api/v1/staff/kiosks/:id/revoke", manage, s.revokeKiosk)
	s.routeImports(app, read, write)
	s.routeCallbacks(app, read, write)
	s.add(app, fiber.MethodPost, "/api/v1/staff/notices/:id/privacy-override", check, s.overridePrivacy)
	s.add(app, fiber.MethodGet, "/api/v1/staff/audit", s.authenticate(admin, auditor), s.listAudit)

	s.add(app, fiber.MethodGet, "/api/v1/staff/pushes", read, s.listPushes)
	s.add(app, fiber.MethodGet, "/api/v1/staff/pushes/:event", read, s.getPush)
	s.add(app, fiber.MethodPost, "/api/v1/staff/pushes/:event/release", check, s.releasePush)
	s.add(app, fiber.MethodPost, "/api/v1/staff/pushes/:event/pause", check, s.pausePush)
	s.add(app, fiber.MethodPost, "/api/v1/staff/pushes/:event/resume", check, s.resumePush)
	s.add(app, fiber.MethodPost, "/api/v1/staff/pushes/:event/resend", check, s.resendPush)
	s.add(app, fiber.MethodGet, "/api/v1/staff/push/status", read, s.getPushStatus)
	s.add(app, fiber.MethodPost, "/api/v1/staff/push/switches", manage, s.setSwitch)
	s.add(app, fiber.MethodGet, "/api/v1/staff/quota", read, s.getQuota)

	for _, kind := range []disclosure.DefinitionKind{disclosure.KindSector, disclosure.KindBody, disclosure.KindItem, disclosure.KindNoticeType,
		disclosure.KindRule, disclosure.KindYear} {
		path := "/api/v1/staff/" + string(kind)
		named := func(h fiber.Handler) fiber.Handler {
			return func(c *fiber.Ctx) error {
				c.Locals(keyKind, kind)
				return h(c)
			}
		}
		s.add(app, fiber.MethodGet, path, read, named(s.listDefinitions))
		s.add(app, fiber.MethodPost, path, manage, named(s.createDefinition))
		s.add(app, fiber.MethodGet, path+"/:id", read, named(s.getDefinition))
		s.add(app, fiber.MethodPatch, path+"/:id", manage, named(s.changeDefinition))
		s.add(app, fiber.MethodGet, path+"/:id/history", read, named(s.listDefinitionHistory))
	}
}

// get mounts a public GET, with HEAD and the preflight that browsers send
// before a cross-origin If-None-Match.
func (s *Server) get(app *fiber.App, path string, h fiber.Handler) {
	s.add(app, fiber.MethodGet, path, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAccessControlAllowOrigin, "*") // also where the answer is a problem
		return h(c)
	})
	app.Options(path, func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
		c.Set(fiber.HeaderAccessControlAllowMethods, "GET, HEAD, OPTIONS")
		c.Set(fiber.HeaderAccessControlAllowHeaders, "If-None-Match, X-Request-Id")
		c.Set(fiber.HeaderAccessControlMaxAge, "86400")
		return c.SendStatus(fiber.StatusNoContent)
	})
}

// add mounts handlers and notes the route's template for logs and metrics.
func (s *Server) add(app *fiber.App, method, path string, handlers ...fiber.Handler) {
	note := func(c *fiber.Ctx) error {
		c.Context().SetUserValue(keyRoute, path)
		return c.Next()
	}
	all := append([]fiber.Handler{note}, handlers...)
	if method == fiber.MethodGet {
		app.Get(path, all...)
		return
	}
	app.Add(method, path, all...)
}
