package yamltext

import "strings"

// Line is a line of a comparison of two texts.
type Line struct {
	Sign     byte // ' ' in both, '-' in the old one only, '+' in the new one only
	Old, New int  // its number in each text, from 1; 0 where it is not
	Text     string
}

// Diff compares two texts line by line, with the fewest lines changed.
func Diff(before, after string) []Line {
	a, b := cut(before), cut(after)
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []Line
	same := func(i, j int) { out = append(out, Line{' ', i + 1, j + 1, a[i]}) }
	for i := range head {
		same(i, i)
	}
	// The longest common run of lines of the middle, by its table.
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	long := make([][]int32, len(x)+1)
	for i := range long {
		long[i] = make([]int32, len(y)+1)
	}
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				long[i][j] = long[i+1][j+1] + 1
			} else {
				long[i][j] = max(long[i+1][j], long[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			same(head+i, head+j)
			i, j = i+1, j+1
		case i < len(x) && (j == len(y) || long[i+1][j] >= long[i][j+1]):
			out = append(out, Line{'-', head + i + 1, 0, x[i]})
			i++
		default:
			out = append(out, Line{'+', 0, head + j + 1, y[j]})
			j++
		}
	}
	for k := tail; k > 0; k-- {
		same(len(a)-k, len(b)-k)
	}
	return out
}

func cut(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// Near leaves out of a comparison what is further than n lines from a change; a left-out stretch is one Line with the sign 0.
func Near(lines []Line, n int) []Line {
	keep := make([]bool, len(lines))
	for i, l := range lines {
		if l.Sign != ' ' {
			for k := max(0, i-n); k <= min(len(lines)-1, i+n); k++ {
				keep[k] = true
			}
		}
	}
	var out []Line
	for i, l := range lines {
		switch {
		case keep[i]:
			out = append(out, l)
		case i == 0 || keep[i-1]:
			out = append(out, Line{Sign: 0})
		}
	}
	return out
}
