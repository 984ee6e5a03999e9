// Package codec reads the bodies of requests and writes the bodies of answers,
// in JSON, EDN, YAML and, for jobs, XML.
//
//	body --> ForBody --> Read ----> JSON of the same meaning --> one strict reader --> value
//	                                                                   |
//	                                                                 Faults
//	value --> Negotiate --> Write --> answer
//
// The strict reader refuses unknown names, names that are there twice and
// values of the wrong kind. It reports all of them, each with its JSON pointer.
// Names and forms come from the json and edn tags of package rest, which that
// package describes. A definition goes to package jsl, which does the same for
// jobs.
package codec
