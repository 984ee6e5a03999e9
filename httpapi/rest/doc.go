// Package rest is the vocabulary of the REST API: what the bodies of requests and answers hold. Server and client
// share it. The json tags are those of encoding/json, and of the OpenAPI document that is made from these types.
//
// In an answer every key is always there: what is not known yet is null. Only what a list leaves out is absent.
//
// # EDN
//
// The edn tag is the keyword of a field, or several with | between them; without a tag it is the JSON name with - for _. What is
// null in JSON is absent in EDN. Behind the keyword may stand how the value is written:
//
//	keyword         :ready
//	ref=log-level   {:db/ident :log-level/info}
//	in=calendar/name {:calendar/name "c"}
//	uuid            #uuid "..."
//	id              a number, absent if it is 0
//	text            EDN in a string
//	set             #{"a" "b"}
//	inline          the members of the map are those of the object around it, in what is read
//
// A type with a method EDN is written as what that returns.
package rest
