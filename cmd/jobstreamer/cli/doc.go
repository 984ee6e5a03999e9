// Package cli has the commands that call a control bus over its REST API.
//
//	command --> invocation: which server and application   flags > environment > context > default
//	   |           |
//	   |           +--> client --> answer --+--> table
//	   |                                    +--> json, yaml, edn: unchanged
//	   +--> progress, color, questions: on a terminal only
//
// Standard output holds only the requested data, so programs can read it;
// messages go to standard error. A command that succeeded has the exit status 0;
// [ExitHelp] lists the others.
package cli
