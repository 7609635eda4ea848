package cache

// EncodeAnswer and DecodeAnswer are the form of answers in Redis.
var (
	EncodeAnswer = encodeAnswer
	DecodeAnswer = decodeAnswer
)
