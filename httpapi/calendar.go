package httpapi

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// CalendarPath is a calendar in a path. Its name may be any text.
type CalendarPath struct {
	Name string `path:"name" doc:"Name of the calendar."`
}

func (s *Server) listCalendars(_ context.Context, in *Page) (*answer[rest.All[rest.Calendar]], error) {
	set := s.cfg.Catalog.Calendars()
	shown := cutPage(*in, set.All(), func(e *calendars.Entry) string { return e.Value.Name }, strings.Compare)
	var results []rest.Calendar
	for i := range shown.items {
		results = append(results, s.calendarOf(set, &shown.items[i]))
	}
	return allOf(shown.part, results), nil
}

// downloadCalendars answers with all calendars as a file. In EDN, which v1
// clients ask for, each calendar can be imported again.
func (s *Server) downloadCalendars(context.Context, *struct{}) (*streamed, error) {
	set := s.cfg.Catalog.Calendars()
	all := rest.Calendars{}
	for _, e := range set.All() {
		v := s.calendarOf(set, &e)
		v.DBID = 0
		all = append(all, v)
	}
	return s.sendValues(all, func(header func(name, value string), f *codec.Format) {
		header("Content-Type", "application/force-download; charset=utf-8")
		name := "cals." + string(f.Form)
		header("Content-Disposition", `attachment; filename="`+name+`"`)
	}), nil
}

func (s *Server) getCalendar(ctx context.Context, in *CalendarPath) (*tagged[rest.Calendar], error) {
	set, e, err := s.cfg.Catalog.CalendarsNow(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &tagged[rest.Calendar]{entityTag(e.Revision), s.calendarOf(set, &e)}, nil
}

// newCalendar is a body with a calendar.
type newCalendar struct {
	rest.NewCalendar
	v1 bool // from a client that knows only names, weekly holidays, dates and the start of a day
}

// ReadBody reads a calendar in any format.
func (sent *newCalendar) ReadBody(f *codec.Format, data []byte) error {
	if f.Form != jsl.XML {
		return f.Read(data, &sent.NewCalendar, func(keyword string) bool { return keyword == "new?" || v1.Ignores(keyword) })
	}
	data, err := codec.ReadCalendarXML(data)
	if err != nil {
		return err
	}
	return codec.ReadJSON(data, &sent.NewCalendar)
}

// ValidateFor returns what is wrong with the forms of values. The catalog checks
// the rest.
func (sent *newCalendar) ValidateFor(ctx huma.Context) (wrong codec.Faults) {
	sent.v1 = fromV1Client(ctx)
	if n := len(sent.WeeklyHoliday); n != 0 && n != 7 {
		wrong.Add("/weekly_holiday", "7 values from Sunday", strconv.Itoa(n))
	}
	const wantDate = "a date such as 2026-12-25"
	check := func(at, text string) {
		if _, err := calendar.ParseDate(text); err != nil {
			wrong.Add(at, wantDate, text)
		}
	}
	for i, h := range sent.Holidays {
		if _, err := parseHoliday(h.Date, time.UTC); err != nil {
			wrong.Add("/holidays/"+strconv.Itoa(i), wantDate, h.Date)
		}
	}
	for i, r := range sent.Rules {
		at := "/rules/" + strconv.Itoa(i)
		if r.Start != "" {
			check(at+"/start", r.Start)
		}
		if r.End != "" {
			check(at+"/end", r.End)
		}
		for j, d := range r.Except {
			check(at+"/except/"+strconv.Itoa(j), d)
		}
	}
	return wrong
}

// parseHoliday parses a date, or an instant on that date in a zone: the v1
// console sends midnights.
func parseHoliday(text string, zone *time.Location) (calendar.Date, error) {
	d, err := calendar.ParseDate(text)
	if err == nil {
		return d, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, err
	}
	return calendar.DateOf(t.In(zone)), nil
}

// definition returns the calendar that was sent; was is the present one, nil for
// none. A v1 client does not remove what it cannot know.
func (sent *newCalendar) definition(name string, zone *time.Location, was *calendar.Calendar) calendar.Calendar {
	is := calendar.Calendar{
		Name: cmp.Or(sent.Name, name), Include: sent.Include, Intersect: sent.Intersect, Exclude: sent.Exclude, DayStart: sent.DayStart,
	}
	copy(is.WeeklyHoliday[:], sent.WeeklyHoliday)
	names := map[calendar.Date]string{}
	if was != nil && sent.v1 {
		for _, h := range was.Holidays {
			names[h.Date] = h.Name
		}
	}
	for _, h := range sent.HolidayNames {
		if d, err := calendar.ParseDate(h.Date); err == nil {
			names[d] = h.Name
		}
	}
	for _, h := range sent.Holidays {
		d, _ := parseHoliday(h.Date, zone) // checked before
		is.Holidays = append(is.Holidays, calendar.Holiday{Date: d, Name: cmp.Or(h.Name, names[d])})
	}
	for _, r := range sent.Rules {
		is.Rules = append(is.Rules, ruleOf(&r))
	}
	if was != nil && sent.v1 && len(is.Rules)+len(is.Include)+len(is.Intersect)+len(is.Exclude) == 0 {
		is.Rules, is.Include, is.Intersect, is.Exclude = was.Rules, was.Include, was.Intersect, was.Exclude
	}
	if is.DayStart == "00:00" {
		is.DayStart = "" // the same
	}
	slices.SortStableFunc(is.Holidays, func(a, b calendar.Holiday) int { return cmp.Compare(a.Date, b.Date) })
	return is
}

func ruleOf(r *rest.CalendarRule) calendar.Rule {
	is := calendar.Rule{Name: r.Name, Yearly: r.Yearly, Easter: r.Easter, OrthodoxEaster: r.OrthodoxEaster, RRule: r.RRule, Length: r.Days}
	is.Start, _ = calendar.ParseDate(r.Start) // checked before
	is.End, _ = calendar.ParseDate(r.End)
	for _, text := range r.Except {
		d, _ := calendar.ParseDate(text)
		is.Except = append(is.Except, d)
	}
	return is
}

type postCalendar struct {
	Preconditions
	Sent body[newCalendar]
}

func (s *Server) postCalendar(ctx context.Context, in *postCalendar) (*saved[rest.Calendar], error) {
	noteObject(ctx, codec.Cut(in.Sent.value.Name))
	out, err := s.writeCalendar(ctx, in.Sent.value.Name, &in.Sent.value, &in.Preconditions)
	if err == nil {
		out.Status = 201
	}
	return out, err
}

type putCalendar struct {
	CalendarPath
	Preconditions
	Sent body[newCalendar]
}

func (s *Server) putCalendar(ctx context.Context, in *putCalendar) (*saved[rest.Calendar], error) {
	return s.writeCalendar(ctx, in.Name, &in.Sent.value, &in.Preconditions)
}

func (s *Server) writeCalendar(ctx context.Context, name string, sent *newCalendar, p *Preconditions) (*saved[rest.Calendar], error) {
	e, did, err := s.cfg.Catalog.SaveCalendar(ctx, name, p.checkRevision, func(was *calendar.Calendar) (calendar.Calendar, error) {
		return sent.definition(name, s.cfg.TimeZone, was), nil
	})
	if err != nil {
		return nil, err
	}
	set := s.cfg.Catalog.Calendars()
	return &saved[rest.Calendar]{
		putStatus(did == catalog.Created), "/calendar/" + url.PathEscape(e.Value.Name), entityTag(e.Revision), s.calendarOf(set, &e),
	}, nil
}

type deleteCalendar struct {
	CalendarPath
	Preconditions
}

func (s *Server) deleteCalendar(ctx context.Context, in *deleteCalendar) (*struct{}, error) {
	return nil, s.cfg.Catalog.DeleteCalendar(ctx, in.Name, in.checkRevision)
}

// calendarOf returns a calendar as answers show it.
func (s *Server) calendarOf(set *calendars.Set, e *calendars.Entry) rest.Calendar {
	c := set.Shown(&e.Value)
	v := rest.Calendar{
		DBID: rest.DBID("calendar", e.Key), Name: c.Name, WeeklyHoliday: c.WeeklyHoliday[:], Holidays: []rest.Holiday{}, Rules: []rest.CalendarRule{},
		Include: listOrEmpty(c.Include), Intersect: listOrEmpty(c.Intersect), Exclude: listOrEmpty(c.Exclude),
		DayStart: cmp.Or(c.DayStart, "00:00"), CreateTime: e.Value.CreateTime, LastUpdatedTime: e.Value.UpdateTime,
	}
	var times []subjects.Time
	var names []rest.Holiday
	for _, h := range c.Holidays {
		shown := rest.Holiday{Date: h.Date.String(), Name: h.Name}
		v.Holidays = append(v.Holidays, shown)
		times = append(times, subjects.TimeOf(startOfDate(h.Date, s.cfg.TimeZone)))
		if h.Name != "" {
			names = append(names, shown)
		}
	}
	if len(times) > 0 {
		v.HolidayTimes = &times
	}
	if len(names) > 0 {
		v.HolidayNames = &names
	}
	for i := range c.Rules {
		v.Rules = append(v.Rules, shownRule(&c.Rules[i]))
	}
	return v
}

// startOfDate returns midnight, or the first hour of a date without one: the
// clocks of some zones go forward at midnight.
func startOfDate(d calendar.Date, zone *time.Location) time.Time {
	y, m, day := d.Split()
	t := time.Date(y, time.Month(m), day, 0, 0, 0, 0, zone)
	for t.Day() != day {
		t = t.Add(time.Hour)
	}
	return t
}

func shownRule(r *calendar.Rule) rest.CalendarRule {
	v := rest.CalendarRule{
		Name: r.Name, Yearly: r.Yearly, Easter: r.Easter, OrthodoxEaster: r.OrthodoxEaster, RRule: r.RRule, Start: r.Start.String(), End: r.End.String(), Days: r.Length,
	}
	for _, d := range r.Except {
		v.Except = append(v.Except, d.String())
	}
	return v
}

func listOrEmpty(names []string) []string { return append([]string{}, names...) }

// faultsOfCalendar returns the faults of a calendar, with those messages that v1
// clients know.
func faultsOfCalendar(errs calendar.Errors) (all codec.Faults) {
	for _, e := range errs {
		n := len(all)
		all.Add(e.Path, e.Want, e.Got)
		if len(all) == n {
			break
		}
		switch {
		case e.Path == "/name" && e.Got == "":
			all[n].Message = "name must be present"
		case e.Path == "/day_start":
			all[n].Message = "Invalid hh:mm format"
		}
	}
	return all
}

type previewCalendar struct {
	CalendarPath
	Year int `query:"year" minimum:"1970" maximum:"2299" doc:"Default: the present year in the time zone of the control bus." example:"2027"`
}

func (s *Server) previewCalendar(ctx context.Context, in *previewCalendar) (*answer[rest.CalendarPreview], error) {
	set, e, err := s.cfg.Catalog.CalendarsNow(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	c, err := set.Compile(e.Key)
	if err != nil {
		return nil, err
	}
	year := cmp.Or(in.Year, time.Now().In(s.cfg.TimeZone).Year())
	v := rest.CalendarPreview{Name: e.Value.Name, Year: year, Holidays: []rest.PreviewHoliday{}}
	for day := calendar.DateAt(year, 1, 1); day < calendar.DateAt(year+1, 1, 1); day++ {
		why, closed := c.Days.Holiday(day)
		if !closed {
			v.BusinessDays++
			continue
		}
		v.Holidays = append(v.Holidays, rest.PreviewHoliday{Date: day.String(), Name: why.Name, Weekly: why.Weekly, Calendar: why.Calendar})
	}
	return &answer[rest.CalendarPreview]{v}, nil
}
