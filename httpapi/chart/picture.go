package chart

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

var (
	ink  = color.RGBA{0x33, 0x33, 0x33, 0xff}
	pale = color.RGBA{0x80, 0x80, 0x80, 0xff}
	grid = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}
)

// picture is what is drawn on. The image is named where it is drawn on: the
// libraries are slow with a type that they do not know.
type picture struct {
	img  *image.RGBA
	plot image.Rectangle // within the axes
	face font.Face
}

// point is a place in a picture; NaN: none.
type point struct{ x, y float64 }

// parsed is the font; it is read once, when the first chart is drawn.
var parsed = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// newFace returns a face for one picture: faces are not for several at once.
func newFace() (font.Face, error) {
	f, err := parsed()
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: 12, DPI: 72, Hinting: font.HintingFull})
}

func (p *picture) width(text string) int { return font.MeasureString(p.face, text).Ceil() }

// text writes with the beginning of its base line at a place.
func (p *picture) text(x, y int, text string, c color.Color) {
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

func (p *picture) horizontal(x1, x2, y int, c color.Color) {
	draw.Draw(p.img, image.Rect(x1, y, x2+1, y+1), image.NewUniform(c), image.Point{}, draw.Src)
}

func (p *picture) vertical(x, y1, y2 int, c color.Color) {
	draw.Draw(p.img, image.Rect(x, y1, x+1, y2+1), image.NewUniform(c), image.Point{}, draw.Src)
}

// line joins points, from left to right, but for gaps. A point between two gaps
// is a dot.
func (p *picture) line(c color.Color, points []point) {
	r := vector.NewRasterizer(p.img.Rect.Dx(), p.img.Rect.Dy())
	for i, b := range points {
		switch {
		case math.IsNaN(b.y):
		case i > 0 && !math.IsNaN(points[i-1].y):
			stroke(r, points[i-1], b, 1.6)
		case i+1 == len(points) || math.IsNaN(points[i+1].y):
			stroke(r, point{b.x - 1.5, b.y}, point{b.x + 1.5, b.y}, 3)
		}
	}
	r.Draw(p.img, p.img.Rect, image.NewUniform(c), image.Point{})
}

// stroke adds a straight line of a width.
func stroke(r *vector.Rasterizer, a, b point, width float64) {
	dx, dy := b.x-a.x, b.y-a.y
	if dx == 0 && dy == 0 {
		return
	}
	n := width / 2 / math.Hypot(dx, dy)
	x, y := float32(-dy*n), float32(dx*n) // across the line
	r.MoveTo(float32(a.x)+x, float32(a.y)+y)
	r.LineTo(float32(b.x)+x, float32(b.y)+y)
	r.LineTo(float32(b.x)-x, float32(b.y)-y)
	r.LineTo(float32(a.x)-x, float32(a.y)-y)
	r.ClosePath()
}
