package publish

// FileName is how the name of an upload is kept.
var FileName = fileName
