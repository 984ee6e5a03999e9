// Package clock relates the times that wall clocks show to instants, across
// changes of the clocks.
//
// A [Civil] time is what a clock shows, without a zone. A [Span] is a period in
// which the clocks of a location run evenly. When clocks are set forward, some
// civil times do not exist: a gap. When clocks are set back, some civil times
// occur twice: an overlap. Package cron and package calendar use the same
// rules for both, so they live here.
package clock
