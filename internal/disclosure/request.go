package disclosure

// Request is what every step of a notice is asked with.
type Request struct {
	Actor Actor
	// IfMatch is the revision the caller has seen; 0 does not compare. A notice
	// at another revision is CodeStale.
	IfMatch int
	// Key makes the request idempotent: asked again with the same Key and
	// Digest by the same token within seven days it does nothing and answers
	// with the notice as it stands; with another Digest it is CodeIdemClash. ""
	// is not idempotent.
	Key    string
	Digest string // hash of method, path and body
}

// Outcome is the notice a step worked on.
type Outcome struct {
	StaffNotice
	Replayed bool // the step had been carried out before
}

// Receipt remembers that an idempotent request was carried out: the token's id,
// the key it sent and the hash of what it asked for.
type Receipt struct {
	Token   string
	Key     string
	Request string
}
