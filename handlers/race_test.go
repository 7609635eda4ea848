//go:build race

package handlers_test

// raceDetector: pages are many times slower to serve and to drive.
const raceDetector = true
