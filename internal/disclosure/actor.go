package disclosure

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Role is what a token's holder may do.
type Role string

// The roles (角色). Reviewers and admins may enter notices too, but nobody
// checks what they had a hand in.
const (
	RoleEditor   Role = "editor"   // 录入
	RoleReviewer Role = "reviewer" // 核验
	RoleAdmin    Role = "admin"    // 管理
	RoleAuditor  Role = "auditor"  // 监督: reads everything, writes nothing
	RoleIVR      Role = "ivr"      // the telephone engine, hotline calls only
)

// Name returns the Chinese name of the role.
func (r Role) Name() string {
	switch r {
	case RoleEditor:
		return "录入"
	case RoleReviewer:
		return "核验"
	case RoleAdmin:
		return "管理"
	case RoleAuditor:
		return "监督"
	case RoleIVR:
		return "热线"
	}
	return string(r)
}

// Roles lists every role.
var Roles = []Role{RoleEditor, RoleReviewer, RoleAdmin, RoleAuditor, RoleIVR}

// Actor is who does something. Name identifies the person: two tokens of one
// name are one person, so renewing a token does not make a second reviewer.
type Actor struct {
	Token  string // id of the token, "" for the system itself
	Name   string
	Role   Role
	Bodies []string // ids of the bodies it acts for; empty means all
}

// System acts when nobody does: scheduled publication, loading the catalogue.
var System = Actor{Name: "gongkai", Role: RoleAdmin}

// Covers reports whether the actor acts for the body.
func (a Actor) Covers(body string) bool {
	return len(a.Bodies) == 0 || slices.Contains(a.Bodies, body)
}

// Require returns CodeRole unless the actor has one of the roles.
func (a Actor) Require(roles ...Role) error {
	if slices.Contains(roles, a.Role) {
		return nil
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Name()
	}
	return Errorf(CodeRole, "您的角色是%s，这一步需要%s", a.Role.Name(), strings.Join(names, "或"))
}

func (a Actor) requireFor(body string, roles ...Role) error {
	if err := a.Require(roles...); err != nil {
		return err
	}
	if !a.Covers(body) {
		return Errorf(CodeScope, "您的令牌不适用于公开主体“%s”", body).On("body")
	}
	return nil
}

// Token is an API token at rest: its secret is kept as a hash only.
type Token struct {
	ID string
	Actor
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: in force
}

// Check returns CodeBadToken when the token is expired or revoked at now.
func (t Token) Check(now time.Time) error {
	if !t.RevokedAt.IsZero() || !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt) {
		return Errorf(CodeBadToken, "令牌已过期或已吊销")
	}
	return nil
}

// TokenHash is how a token's secret is kept and looked up. The secret has 256
// random bits, so a plain SHA-256 is as good as a slow hash.
func TokenHash(secret string) []byte {
	sum := sha256.Sum256([]byte("gongkai token " + secret))
	return sum[:]
}
