// Package v1 holds what only clients of the original control bus need ("v1
// clients"): its console, its Maven plugin, its notificator and programs that
// were written for it. They speak EDN.
//
//   - sniff.go recognizes them, since most do not name a format
//   - answers.go has the statuses and the defaults that they expect
//   - words.go reads a job in their words: a definition or a diagram, with its
//     schedule and settings as they once were exported
//   - diagram.go reads diagrams, and makes of a job one that can be tried
//   - problem.go writes errors for them
//
// In package httpapi, formats and answers ask this package. Of the handlers
// only those of applications, logins and diagrams do. What both kinds of
// clients can send, such as keys with a namespace, is in package codec.
package v1
