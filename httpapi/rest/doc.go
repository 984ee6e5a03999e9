// Package rest holds the types of the REST API: the bodies of requests and
// answers. Server and client share it. The json tags are those of
// encoding/json, and of the OpenAPI document, which is made from these types.
//
// An answer has every key. A value that is not known yet is null. Only what a
// list leaves out is absent.
//
// # EDN
//
// The edn tag is the keyword of a field, or several keywords separated by |.
// Without a tag the keyword is the JSON name with - for _. EDN leaves out what
// is null in JSON. After the keyword the tag may say how the value is written:
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
//	alone           what is read may also be the value of this field in place of the object
//	switch          what is read may also be true, or false in place of none
//	inline          the members of the map are those of the object around it, in what is read
//
// A body may have a keyword as a reference, and with or without its namespace.
//
// A type with a method EDN is written as the result of that method.
package rest
