package handlers_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"testing"

	"github.com/andybalholm/brotli"
)

// decoded returns the body without its content coding.
func decoded(t *testing.T, r reply) []byte {
	t.Helper()
	var from io.Reader
	switch coding := r.header.Get("Content-Encoding"); coding {
	case "":
		return r.body
	case "br":
		from = brotli.NewReader(bytes.NewReader(r.body))
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		from = z
	default:
		t.Fatalf("Content-Encoding %q", coding)
	}
	plain, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
