// Package rest is the vocabulary of the REST API: what the bodies of requests and answers hold. Server and client
// share it. The tags are those of encoding/json, and of the OpenAPI document that is made from these types.
//
// In an answer every key is always there: what is not known yet is null. Only what a list leaves out is absent.
package rest
