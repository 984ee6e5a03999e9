package httpapi

import "testing"

func TestPreconditions(t *testing.T) {
	for name, tc := range map[string]struct {
		match, none string
		revision    uint64
		status      int // 200: it holds
	}{
		"none":                                {"", "", 0, 200},
		"the tag":                             {`"12"`, "", 12, 200},
		"one of the tags":                     {`"1", "12" ,"x"`, "", 12, 200},
		"another tag":                         {`"1"`, "", 12, 412},
		"a tag of what is not there":          {`"12"`, "", 0, 412},
		"a weak tag":                          {`W/"12"`, "", 12, 412},
		"any, and it is there":                {"*", "", 12, 200},
		"any, and it is not there":            {"*", "", 0, 412},
		"zero names nothing":                  {`"0"`, "", 0, 412},
		"a tag without quotes":                {"12", "", 12, 400},
		"only to create, and it is there":     {"", "*", 12, 409},
		"only to create, and it is not there": {"", "*", 0, 200},
		"not this one, and it is":             {"", `"12"`, 12, 412},
		"not this one, and it is another":     {"", `"12"`, 13, 200},
		"both":                                {`"12"`, "*", 12, 409},
	} {
		t.Run(name, func(t *testing.T) {
			p := Preconditions{tc.match, tc.none}
			status := 200
			if err := p.check(tc.revision); err != nil {
				status = problemOf(err).Status
			}
			if status != tc.status {
				t.Errorf("If-Match %q, If-None-Match %q at %d = %d, want %d", tc.match, tc.none, tc.revision, status, tc.status)
			}
		})
	}
}
