package disclosure

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// AuditHash chains a row to the one before it: SHA-256 over the previous hash
// and every member of the row, each preceded by its length so that no two rows
// read alike. The first row's Prev is "".
func AuditHash(r AuditRow) string {
	var b strings.Builder
	for _, s := range []string{r.Prev, strconv.FormatInt(r.Seq, 10), strconv.FormatInt(r.At.UnixMilli(), 10), r.Actor,
		string(r.Role), r.Token, r.Action, r.Subject, r.ID, strconv.Itoa(r.Rev), r.Digest, r.Detail} {
		fmt.Fprintf(&b, "%d:%s\n", len(s), s)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// AuditFault is the first row at which an audit trail does not hold.
type AuditFault struct {
	Seq    int64
	Reason string
}

// Error says which row and why.
func (f *AuditFault) Error() string {
	return fmt.Sprintf("审计日志第 %d 行：%s", f.Seq, f.Reason)
}

// AuditChain checks rows given in order of Seq, one after the other. The zero
// value expects the first row.
type AuditChain struct {
	seq  int64
	hash string
}

// Next checks the following row and returns an *AuditFault when it was changed,
// or rows before it were removed.
func (c *AuditChain) Next(r AuditRow) error {
	switch {
	case r.Seq != c.seq+1:
		return &AuditFault{c.seq + 1, fmt.Sprintf("缺失，下一行是第 %d 行", r.Seq)}
	case r.Prev != c.hash:
		return &AuditFault{r.Seq, "与上一行不衔接"}
	case AuditHash(r) != r.Hash:
		return &AuditFault{r.Seq, "内容被改动"}
	}
	c.seq, c.hash = r.Seq, r.Hash
	return nil
}

// End checks that the trail ends where the store's counter says, so that rows
// cut off or added at the end are noticed too.
func (c *AuditChain) End(seq int64, hash string) error {
	switch {
	case c.seq < seq:
		return &AuditFault{c.seq + 1, fmt.Sprintf("缺失，计数器停在第 %d 行", seq)}
	case c.seq > seq:
		return &AuditFault{seq + 1, fmt.Sprintf("多出，计数器停在第 %d 行", seq)}
	case c.hash != hash:
		return &AuditFault{c.seq, "与计数器中的哈希不符"}
	}
	return nil
}

// Digest is the hash, in hex, by which the audit trail refers to text that it
// must not hold; "" stays "".
func Digest(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
