// Package cli has the commands that speak to a control bus, over its REST API.
//
//	command --> session: which server, which application   flags > environment > context > default
//	   |           |
//	   |           +--> client --> answer --+--> table
//	   |                                    +--> json, yaml, edn: as it came
//	   +--> progress, colour, questions: on a terminal only
//
// Standard output has what was asked for, and nothing else: it can be read by
// programs. What is said about it besides goes to standard error. A command's
// exit status is 0 if what it was to do is done, 2 if it was called wrongly,
// else 1.
package cli
