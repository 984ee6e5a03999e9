// Package cli has the commands that call a control bus over its REST API.
//
//	command --> invocation: which server and application   flags > environment > context > default
//	   |           |
//	   |           +--> client --> answer --+--> table
//	   |                                    +--> json, yaml, edn: as it came
//	   +--> progress, color, questions: on a terminal only
//
// Standard output holds only the requested data, so programs can read it;
// messages go to standard error. The exit status of a command is 0 if it
// succeeded, 2 if its command line is wrong, and 1 otherwise.
package cli
