package handlers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/throttled/throttled/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

// Pairer lets devices in and hears them.
type Pairer interface {
	CreateKiosk(ctx context.Context, p disclosure.Pairing) error
	ClaimKiosk(ctx context.Context, id string, secretHash, tokenHash []byte, now time.Time) (disclosure.Kiosk, error)
	Heartbeat(ctx context.Context, tokenHash []byte, report disclosure.KioskReport, now time.Time) (disclosure.Kiosk, error)
}

// Fleet is the devices as staff see them.
type Fleet interface {
	Kiosks(ctx context.Context, now time.Time) ([]disclosure.Kiosk, error)
	ApproveKiosk(ctx context.Context, by disclosure.Actor, code, name, location string, now time.Time) (disclosure.Kiosk, error)
	RevokeKiosk(ctx context.Context, by disclosure.Actor, id string, now time.Time) (disclosure.Kiosk, error)
}

// Kiosks keeps the devices.
type Kiosks interface {
	Pairer
	Fleet
}

// routeKiosk mounts what devices call; their staff side is in routeStaff.
func (s *Server) routeKiosk(app *fiber.App) {
	s.add(app, fiber.MethodPost, "/api/v1/kiosk/pair", s.pairKiosk)
	s.add(app, fiber.MethodPost, "/api/v1/kiosk/claim", s.claimKiosk)
	s.add(app, fiber.MethodPost, "/api/v1/kiosk/heartbeat", s.beatKiosk)
	s.get(app, "/api/v1/kiosk/subscribe-qr.svg", s.getSubscribeQR)
}

// pairingQuota is how often one client may begin a pairing or guess at one.
var pairingQuota = throttled.RateQuota{MaxRate: throttled.PerMin(6), MaxBurst: 11}

// chargePairing counts one try of the key against the pairing quota.
func (s *Server) chargePairing(c *fiber.Ctx, key string) error {
	limited, result, err := s.pairings.RateLimitCtx(c.UserContext(), key, 1)
	if err != nil || !limited { // an error means that many requests raced for one counter
		return nil
	}
	seconds := max(int((result.RetryAfter+time.Second-1)/time.Second), 1)
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	return disclosure.Errorf(disclosure.CodeRateLimited, "尝试过于频繁，请在 %d 秒后重试", seconds)
}

func (s *Server) chargeClient(c *fiber.Ctx) error {
	return s.chargePairing(c, limitKey(clientIP(c.Context(), s.Trusted)))
}

// chargeMiss counts a wrong guess at a pairing; other errors are free.
func (s *Server) chargeMiss(c *fiber.Ctx, key string, err error) error {
	if !isCode(err, disclosure.CodeNoKiosk) {
		return err
	}
	if limited := s.chargePairing(c, key); limited != nil {
		return limited
	}
	return err
}

// KioskPairing starts a device's life. The secret is told once, to the device.
type KioskPairing struct {
	PairingCode string `json:"pairing_code" example:"048213"`
	DeviceID    string `json:"device_id"`
	ClaimSecret string `json:"claim_secret"`
	ExpiresAt   string `json:"expires_at"`
}

// pairKiosk begins a pairing.
//
//	@Summary	终端申请配对
//	@Tags		自助终端
//	@Success	201	{object}	KioskPairing
//	@Failure	429	{object}	Problem
//	@Router		/api/v1/kiosk/pair [post]
func (s *Server) pairKiosk(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	if err := readParams(c).err(); err != nil {
		return err
	}
	if err := readBody(c, &struct{}{}); err != nil {
		return err
	}
	if err := s.chargeClient(c); err != nil {
		return err
	}
	now, secret := s.Now(), randomWord()
	p := disclosure.Pairing{SecretHash: disclosure.KioskHash(secret), Kiosk: disclosure.Kiosk{
		ID: uuid.NewString(), Status: disclosure.KioskPending, CreatedAt: now, ExpiresAt: now.Add(disclosure.PairingLife)}}
	err := fmt.Errorf("handlers: no pairing code")
	for range 5 { // a code in use is one in five thousand, at the worst
		p.PairingCode = randomDigits()
		if err = s.Kiosks.CreateKiosk(c.UserContext(), p); !isCode(err, disclosure.CodeExists) {
			break
		}
	}
	if err != nil {
		return err
	}
	c.Status(fiber.StatusCreated)
	return sendJSON(c, KioskPairing{p.PairingCode, p.ID, secret, disclosure.FormatInstant(p.ExpiresAt)})
}

// randomWord returns 256 random bits as text.
func randomWord() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func randomDigits() string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(b[:])%1_000_000)
}

// KioskClaimRequest is what a device claims its token with.
type KioskClaimRequest struct {
	DeviceID    string `json:"device_id"`
	ClaimSecret string `json:"claim_secret"`
}

// KioskClaim says whether the device was approved.
type KioskClaim struct {
	Status   string  `json:"status" enums:"pending,approved"`
	Name     *string `json:"name" extensions:"x-nullable"`
	Location *string `json:"location" extensions:"x-nullable"`
}

// claimKiosk hands an approved device its token, as a cookie no script reads.
//
//	@Summary	终端领取令牌（HttpOnly Cookie）；未批准时为 202
//	@Tags		自助终端
//	@Param		claim	body		KioskClaimRequest	true	"配对时得到的编号和密钥"
//	@Success	200		{object}	KioskClaim
//	@Success	202		{object}	KioskClaim
//	@Failure	404		{object}	Problem
//	@Router		/api/v1/kiosk/claim [post]
func (s *Server) claimKiosk(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	if err := readParams(c).err(); err != nil {
		return err
	}
	var claim KioskClaimRequest
	if err := readBody(c, &claim); err != nil {
		return err
	}
	token := randomWord()
	k, err := s.Kiosks.ClaimKiosk(c.UserContext(), claim.DeviceID, disclosure.KioskHash(claim.ClaimSecret), disclosure.KioskHash(token), s.Now())
	if err != nil {
		return s.chargeMiss(c, limitKey(clientIP(c.Context(), s.Trusted)), err)
	}
	if k.Status == disclosure.KioskPending {
		c.Status(fiber.StatusAccepted)
		return sendJSON(c, KioskClaim{Status: string(k.Status)})
	}
	s.setKioskCookie(c, token)
	return sendJSON(c, KioskClaim{string(k.Status), nullable(k.Name), nullable(k.Location)})
}

const kioskCookie = "gongkai_kiosk"

// setKioskCookie keeps the token for as long as browsers allow; each heartbeat
// begins the time anew.
func (s *Server) setKioskCookie(c *fiber.Ctx, token string) {
	c.Cookie(&fiber.Cookie{Name: kioskCookie, Value: token, Path: "/api/v1/kiosk", MaxAge: 400 * 24 * 60 * 60,
		HTTPOnly: true, Secure: strings.HasPrefix(s.PublicURL, "https:"), SameSite: fiber.CookieSameSiteStrictMode})
}

// KioskBeat answers a heartbeat.
type KioskBeat struct {
	ServerTime string  `json:"server_time"`
	Name       *string `json:"name" extensions:"x-nullable"`
	Location   *string `json:"location" extensions:"x-nullable"`
	Interval   int     `json:"interval_s"`
	Revision   string  `json:"ui_rev"`
}

// KioskReport documents a heartbeat; disclosure.KioskReport reads it.
type KioskReport struct {
	Revision  string   `json:"ui_rev" validate:"optional"`
	Position  int64    `json:"seq" validate:"optional"`
	Uptime    int64    `json:"uptime_s" validate:"optional"`
	Offline   int64    `json:"offline_s" validate:"optional"`
	Idle      int64    `json:"idle_s" validate:"optional"`
	Width     int      `json:"width" validate:"optional"`
	Height    int      `json:"height" validate:"optional"`
	Printer   string   `json:"printer" validate:"optional" example:"ok"`
	Errors    []string `json:"errors" validate:"optional"`
	ClockSkew int64    `json:"clock_skew_s" validate:"optional"`
}

// beatKiosk hears a device. Times are the server's: a device's clock may be
// wrong.
//
//	@Summary	终端心跳
//	@Tags		自助终端
//	@Param		report	body		KioskReport	true	"终端的状态，不含任何人输入的内容"
//	@Success	200		{object}	KioskBeat
//	@Failure	401		{object}	Problem	"尚未登记"
//	@Failure	403		{object}	Problem	"已停用"
//	@Router		/api/v1/kiosk/heartbeat [post]
func (s *Server) beatKiosk(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	if err := readParams(c).err(); err != nil {
		return err
	}
	token := strings.Clone(c.Cookies(kioskCookie))
	if token == "" {
		return disclosure.Errorf(disclosure.CodeKioskToken, "本机尚未登记")
	}
	var report disclosure.KioskReport
	if err := readBody(c, &report); err != nil {
		return err
	}
	if err := report.Check(); err != nil {
		return err
	}
	now := s.Now()
	k, err := s.Kiosks.Heartbeat(c.UserContext(), disclosure.KioskHash(token), report, now)
	if err != nil {
		return err
	}
	s.setKioskCookie(c, token)
	return sendJSON(c, KioskBeat{disclosure.FormatInstant(now), nullable(k.Name), nullable(k.Location),
		int(disclosure.HeartbeatInterval / time.Second), web.Revision()})
}

// getSubscribeQR draws the link to the subscribe page.
//
//	@Summary	订阅页二维码
//	@Tags		自助终端
//	@Produce	image/svg+xml
//	@Param		sector	query		string	false	"领域"
//	@Success	200		{file}		file
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/kiosk/subscribe-qr.svg [get]
func (s *Server) getSubscribeQR(c *fiber.Ctx) error {
	p := readParams(c, "sector")
	catalog := s.Cache.Catalog()
	sector := p.oneOf("sector", "领域", func(v string) bool { _, err := catalog.Sector(v); return err == nil })
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, "subscribe-qr?"+sector, func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		link := s.PublicURL + "/subscribe"
		if sector != "" {
			link += "?sector=" + sector
		}
		body, err := qrSVG(link, "订阅公告")
		if err != nil {
			return nil, err
		}
		return &disclosure.Answer{Type: "image/svg+xml", ETag: etagOf(body), Body: body, Position: r.Position}, nil
	})
}

// Kiosk is a device as staff see it. A waiting one shows no pairing code: that
// is read from its screen.
type Kiosk struct {
	ID         string      `json:"id"`
	Status     string      `json:"status" enums:"pending,approved,revoked"`
	Health     string      `json:"health" enums:"pending,new,online,late,offline,revoked"`
	Name       *string     `json:"name" extensions:"x-nullable"`
	Location   *string     `json:"location" extensions:"x-nullable"`
	CreatedAt  *string     `json:"created_at" extensions:"x-nullable"`
	ApprovedAt *string     `json:"approved_at" extensions:"x-nullable"`
	ApprovedBy *string     `json:"approved_by" extensions:"x-nullable"`
	RevokedAt  *string     `json:"revoked_at" extensions:"x-nullable"`
	LastSeenAt *string     `json:"last_seen_at" extensions:"x-nullable"`
	Report     KioskReport `json:"report"`
}

// KioskList is the fleet.
type KioskList struct {
	Items       []Kiosk `json:"items"`
	Next        *string `json:"next" extensions:"x-nullable"`
	Total       int     `json:"total"`
	TotalCapped bool    `json:"total_capped"`
	AsOf        string  `json:"as_of"`
}

func kioskJSON(k disclosure.Kiosk, now time.Time) Kiosk {
	r := KioskReport(k.Report)
	r.Errors = orEmpty(r.Errors)
	return Kiosk{k.ID, string(k.Status), k.Health(now), nullable(k.Name), nullable(k.Location), instant(k.CreatedAt), instant(k.ApprovedAt),
		nullable(k.ApprovedBy), instant(k.RevokedAt), instant(k.LastSeenAt), r}
}

// listKiosks lists the devices.
//
//	@Summary	自助终端列表与状态
//	@Tags		经办
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	KioskList
//	@Router		/api/v1/staff/kiosks [get]
func (s *Server) listKiosks(c *fiber.Ctx) error {
	pg, err := readPaging(c, "kiosks", disclosure.MaxLimit)
	if err != nil {
		return err
	}
	now := s.Now()
	fleet, err := s.Kiosks.Kiosks(c.UserContext(), now)
	if err != nil {
		return err
	}
	rows, next := cutPage(pg, fleet)
	out := KioskList{Items: []Kiosk{}, Next: next, Total: min(len(fleet), disclosure.MaxTotal), TotalCapped: len(fleet) > disclosure.MaxTotal,
		AsOf: disclosure.FormatInstant(now)}
	for _, k := range rows {
		out.Items = append(out.Items, kioskJSON(k, now))
	}
	return sendJSON(c, out)
}

// KioskApproval names a device. Both may be left out.
type KioskApproval struct {
	Name     string `json:"name" validate:"optional" example:"政务大厅一楼 1 号机"`
	Location string `json:"location" validate:"optional" example:"区政务服务中心一楼"`
}

// approveKiosk lets the device in that shows the pairing code.
//
//	@Summary	批准终端配对
//	@Tags		经办
//	@Security	Bearer
//	@Param		pairing_code	path		string			true	"终端屏幕上的 6 位配对码"
//	@Param		approval		body		KioskApproval	false	"名称和位置"
//	@Success	200				{object}	Kiosk
//	@Failure	404				{object}	Problem
//	@Router		/api/v1/staff/kiosks/{pairing_code}/approve [post]
func (s *Server) approveKiosk(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	var approval KioskApproval
	if err := readBody(c, &approval); err != nil {
		return err
	}
	for field, v := range map[string]string{"name": approval.Name, "location": approval.Location} {
		if utf8.RuneCountInString(v) > 60 {
			return disclosure.Errorf(disclosure.CodeParam, "最多 60 个字").On(field)
		}
		if strings.ContainsFunc(v, disclosure.Unseen) {
			return disclosure.Errorf(disclosure.CodeParam, "含有不可见字符").On(field)
		}
	}
	code, actor, now := strings.Clone(c.Params("pairing_code")), actorOf(c), s.Now()
	if approval.Name = strings.TrimSpace(approval.Name); approval.Name == "" {
		approval.Name = "终端 " + code
	}
	err := error(disclosure.Errorf(disclosure.CodeNoKiosk, "配对码是 6 位数字").On("pairing_code"))
	var k disclosure.Kiosk
	if disclosure.ValidPairingCode(code) {
		k, err = s.Kiosks.ApproveKiosk(c.UserContext(), actor, code, approval.Name, strings.TrimSpace(approval.Location), now)
	}
	if err != nil {
		return s.chargeMiss(c, "token "+actor.Token, err)
	}
	return sendJSON(c, kioskJSON(k, now))
}

// revokeKiosk takes a device out of the fleet.
//
//	@Summary	停用终端
//	@Tags		经办
//	@Security	Bearer
//	@Param		id	path		string	true	"终端的 id"
//	@Success	200	{object}	Kiosk
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/staff/kiosks/{id}/revoke [post]
func (s *Server) revokeKiosk(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	if err := readBody(c, &struct{}{}); err != nil {
		return err
	}
	now := s.Now()
	k, err := s.Kiosks.RevokeKiosk(c.UserContext(), actorOf(c), strings.Clone(c.Params("id")), now)
	if err != nil {
		return err
	}
	return sendJSON(c, kioskJSON(k, now))
}
