package handlers

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// Tokens looks up API tokens by the hash of their secret; an unknown one is
// CodeBadToken.
type Tokens interface {
	Token(ctx context.Context, hash []byte) (disclosure.Token, error)
}

const keyActor = "gongkai.actor"

// writers are the roles that enter notices and files.
var writers = []disclosure.Role{disclosure.RoleEditor, disclosure.RoleReviewer, disclosure.RoleAdmin}

// authenticate lets holders of a token with one of the roles pass. Failures
// count against the client's rate limit, so tokens cannot be guessed at speed.
func (s *Server) authenticate(roles ...disclosure.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderCacheControl, "no-store")
		actor, err := s.actor(c.UserContext(), c.Get(fiber.HeaderAuthorization))
		if err != nil {
			if errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) && !s.count(c.Context()) {
				return nil // answered 429
			}
			return err
		}
		if err := actor.Require(roles...); err != nil {
			return err
		}
		c.Locals(keyActor, actor)
		return c.Next()
	}
}

// actor looks up whom an Authorization header names.
func (s *Server) actor(ctx context.Context, header string) (disclosure.Actor, error) {
	scheme, secret, _ := strings.Cut(header, " ")
	secret = strings.TrimSpace(secret)
	if header == "" {
		return disclosure.Actor{}, disclosure.Errorf(disclosure.CodeNoToken, "请在 Authorization 请求头中带上 Bearer 令牌")
	}
	if !strings.EqualFold(scheme, "Bearer") || secret == "" || len(secret) > 200 {
		return disclosure.Actor{}, disclosure.Errorf(disclosure.CodeBadToken, "Authorization 请求头应为 Bearer 加令牌")
	}
	t, err := s.Tokens.Token(ctx, disclosure.TokenHash(secret))
	if err != nil {
		return disclosure.Actor{}, err
	}
	return t.Actor, t.Check(s.Now())
}

// actorOf returns whom authenticate let pass.
func actorOf(c *fiber.Ctx) disclosure.Actor {
	a, _ := c.Locals(keyActor).(disclosure.Actor)
	return a
}
