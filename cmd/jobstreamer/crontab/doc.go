// Package crontab reads crontabs: what each line runs, when, and with which
// environment.
//
//	NAME=value  --> holds for the lines that follow
//	17 * * * *  [user]  command % input
//	@daily      [user]  command
//
// Times become Quartz expressions that fire at exactly the times of the line. A
// line for which there is no such expression is refused with the reason, and so
// is a line that package crontab does not understand: nothing is guessed.
//
// The rules are those of the cron of Debian and of cronie (crontab(5)):
//
//   - A line that restricts both the day of the month and the weekday runs on
//     days that match either. No Quartz expression does that. With
//     [Options.EitherDay] such a line gets two expressions, which both fire on a
//     day that matches both.
//   - If one of these two fields begins with * and is restricted by a step, such
//     as */2, a day must match both. No expression does that either.
//   - The first % of a command begins its input, and further ones end its lines;
//     \% is a percent sign.
//   - CRON_TZ is the time zone of the lines that follow, as in cronie. TZ is
//     nothing but a variable of the commands.
package crontab
