package model

// Columns is the width of the grid.
const Columns = 24

// Place is a rectangle on the grid: column and line of its upper left cell, width and height in cells.
type Place struct{ X, Y, Width, Height int }

// Layout places the panels of one row from line 0 on, in their order: left to right, and on a new line as soon as the
// next panel would pass the last column. A line is as high as its highest panel, so nothing ever overlaps. It also
// returns the height of the whole row. (The packing of the Foundation SDK wraps only after a line is full or over: 16
// and 12 columns overlap the edge there.)
func Layout(panels []Panel) (places []Place, height int) {
	var x, y, line int
	for _, p := range panels {
		if x+p.Width > Columns {
			x, y, line = 0, y+line, 0
		}
		places = append(places, Place{X: x, Y: y, Width: p.Width, Height: p.Height})
		x += p.Width
		line = max(line, p.Height)
	}
	return places, y + line
}
