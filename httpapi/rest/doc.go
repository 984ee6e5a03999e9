// Package rest is the vocabulary of the REST API: what the bodies of requests
// and answers hold. Server and client share it. The json tags are those of
// encoding/json, and of the OpenAPI document that is made from these types.
//
// In an answer every key is always there: what is not known yet is null. Only
// what a list leaves out is absent.
//
// # EDN
//
// The edn tag is the keyword of a field, or several with | between them;
// without a tag it is the JSON name with - for _. What is null in JSON is
// absent in EDN. Behind the keyword may stand how the value is written:
//
//	keyword         :ready
//	keyword=action  :action/alert
//	ref=log-level   {:db/ident :log-level/info}
//	in=calendar/name {:calendar/name "c"}
//	uuid            #uuid "..."
//	id              a number, absent if it is 0
//	text            EDN in a string
//	set             #{"a" "b"}
//	refs            the keywords with a namespace in it are {:db/ident :action/alert}
//	inline          the members of the map are those of the object around it, in what is read
//
// A keyword may be read as a reference, and with its namespace or without.
//
// A type with a method EDN is written as what that returns.
package rest
