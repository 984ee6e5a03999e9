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

// picture is a chart that is being drawn. The image is a field, not embedded:
// the image libraries are fast for the types of the standard library only.
type picture struct {
	img  *image.RGBA
	plot image.Rectangle // within the axes
	face font.Face
}

// point is a position in a picture; y is NaN in a gap.
type point struct{ x, y float64 }

// parseFont parses the font once, for the first chart.
var parseFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

// newFace returns a face for one picture. A face must not be used concurrently.
func newFace() (font.Face, error) {
	f, err := parseFont()
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(f, &opentype.FaceOptions{Size: 12, DPI: 72, Hinting: font.HintingFull})
}

func (p *picture) textWidth(text string) int { return font.MeasureString(p.face, text).Ceil() }

// drawText draws text; its base line begins at (x, y).
func (p *picture) drawText(x, y int, text string, c color.Color) {
	d := font.Drawer{Dst: p.img, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y)}
	d.DrawString(text)
}

func (p *picture) drawHorizontal(x1, x2, y int, c color.Color) {
	draw.Draw(p.img, image.Rect(x1, y, x2+1, y+1), image.NewUniform(c), image.Point{}, draw.Src)
}

func (p *picture) drawVertical(x, y1, y2 int, c color.Color) {
	draw.Draw(p.img, image.Rect(x, y1, x+1, y2+1), image.NewUniform(c), image.Point{}, draw.Src)
}

// drawLine connects the points from left to right, except over gaps. A point
// between two gaps is drawn as a dot.
func (p *picture) drawLine(c color.Color, points []point) {
	r := vector.NewRasterizer(p.img.Rect.Dx(), p.img.Rect.Dy())
	for i, b := range points {
		switch {
		case math.IsNaN(b.y):
		case i > 0 && !math.IsNaN(points[i-1].y):
			addStroke(r, points[i-1], b, 1.6)
		case i+1 == len(points) || math.IsNaN(points[i+1].y):
			addStroke(r, point{b.x - 1.5, b.y}, point{b.x + 1.5, b.y}, 3)
		}
	}
	r.Draw(p.img, p.img.Rect, image.NewUniform(c), image.Point{})
}

// addStroke adds a straight line of the given width.
func addStroke(r *vector.Rasterizer, a, b point, width float64) {
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
