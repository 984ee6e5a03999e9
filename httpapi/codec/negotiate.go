package codec

import (
	"strconv"
	"strings"
)

// Negotiate returns the format of the answer: the one that Accept names, or
// else the one that unnamed returns for the client. ok is false if Accept
// allows none. XML is for jobs only, and never for browsers, which prefer it to
// everything.
func Negotiate(accept string, job bool, unnamed func() *Format) (f *Format, ok bool) {
	if accept == JSON.Media {
		return JSON, true
	}
	of := Formats
	if !job || strings.Contains(accept, "text/html") {
		of = Formats[:len(Formats)-1]
	}
	anything := accept == "" || accept == "*/*"
	for i, top := 0, 0.0; i < len(of) && !anything; i++ {
		if q := of[i].Liked(accept, true); q > top {
			f, top = &of[i], q
		}
	}
	if f != nil {
		return f, true
	}
	f = unnamed()
	if anything || f.Liked(accept, false) > 0 {
		return f, true
	}
	for i := range of {
		if of[i].Liked(accept, false) > 0 {
			return &of[i], true
		}
	}
	return f, false
}

// Liked returns the quality of the format in a header Accept, from 0 to 1. With
// named, only ranges that name the format count.
func (f *Format) Liked(accept string, named bool) (q float64) {
	for _, media := range append([]string{f.Media, f.Problem}, f.aliases...) {
		if how, specific := rangeQuality(accept, media); !named || specific == 3 {
			q = max(q, how)
		}
	}
	return q
}

// rangeQuality returns the quality of a media type in a header Accept, and how
// specific the range is that it comes from; 3 is the name itself.
func rangeQuality(accept, media string) (q float64, specific int) {
	kind, _, _ := strings.Cut(media, "/")
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		rank := 0
		switch name = strings.ToLower(strings.TrimSpace(name)); name {
		case media:
			rank = 3
		case kind + "/*":
			rank = 2
		case "*/*", "*": // Java's default says the latter
			rank = 1
		}
		if rank > specific {
			specific, q = rank, rangeWeight(params)
		}
	}
	return q, specific
}

// rangeWeight returns the parameter q of a range. The default is 1.
func rangeWeight(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "q") {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || q < 0 || q > 1 {
				return 0
			}
			return q
		}
	}
	return 1
}
