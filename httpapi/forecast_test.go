package httpapi

import (
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestForecast(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	for _, app := range []string{"billing", "hr"} {
		e.call("PUT", "/app/"+app, `{}`, admin...).want(201)
		e.call("PUT", "/"+app+"/job/load", `{"id":"load","steps":[{"id":"s"}]}`, admin...).want(201)
		e.call("PUT", "/"+app+"/job/load/schedule", `{"cron_notation":"0 0/20 * * * ?","time_zone":"Asia/Tokyo"}`, admin...).want(201)
	}
	var made rest.Key
	e.call("POST", "/user/admin/key", `{"name":"k","apps":["billing"],"role":"watcher"}`, admin...).want(201).into(&made)
	const hour = "/forecast?from=2030-01-01T00:00:00Z&to=2030-01-01T01:00:00Z"
	for _, x := range []struct {
		who         []string
		path        string
		fires, most int
		more        bool
	}{
		{admin, hour, 6, 2, false},
		{admin, hour + "&app=hr", 3, 1, false},
		{admin, hour + "&limit=3", 3, 2, true},
		{bearing(made.Key), hour, 3, 1, false},
	} {
		var v rest.Forecast
		e.call("GET", x.path, "", x.who...).want(200).into(&v)
		if len(v.Results) != x.fires || v.More != x.more || v.Busiest.Count != x.most || v.Busiest.Time != v.Results[0].Time {
			t.Errorf("%s: %+v, want %d fires, %d of them in one minute", x.path, v, x.fires, x.most)
		}
		if f := v.Results[0]; f.Local != "2030-01-01T09:00:00+09:00" || f.Job != "load" || f.Schedule != "default" || f.UsualDuration != nil {
			t.Errorf("%s: %+v", x.path, f)
		}
	}
	var none rest.Forecast
	if e.call("GET", "/forecast?from=2030-01-01T00:00:01Z&to=2030-01-01T00:00:02Z", "", admin...).want(200).into(&none); none.Busiest != nil || none.Results == nil || none.To == subjects.Time(0) {
		t.Errorf("%+v", none)
	}
	for _, path := range []string{"/forecast?from=noon", "/forecast?from=2030-01-01T00:00:00Z&to=2029-01-01T00:00:00Z", "/forecast?to=2999-01-01T00:00:00Z", "/forecast?limit=0"} {
		if r := e.call("GET", path, "", admin...); r.status != 400 && r.status != 422 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	e.call("GET", hour+"&app=hr", "", bearing(made.Key)...).code(403, "forbidden")
	e.call("GET", "/forecast?app=none", "", admin...).code(404, "no_such_app")
}
