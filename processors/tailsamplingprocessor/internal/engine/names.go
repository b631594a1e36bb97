package engine

import "math"

// names numbers the names of policies across programs, because the memory of decisions outlives a program. Numbers start
// at 1, 0 stands for no policy, and beyond 65,535 different names there are no more of them.
type names struct {
	all     []string // by number-1
	numbers map[string]uint16
	here    []uint16         // numbers by index in the program
	index   map[uint16]int32 // index in the program by number
}

// use makes the names of a new program the current ones.
func (n *names) use(current []string) {
	if n.numbers == nil {
		n.numbers = map[string]uint16{}
	}
	n.here, n.index = make([]uint16, len(current)), make(map[uint16]int32, len(current))
	for i, name := range current {
		number, known := n.numbers[name]
		if !known && len(n.all) < math.MaxUint16 {
			n.all = append(n.all, name)
			number = uint16(len(n.all))
			n.numbers[name] = number
		}
		n.here[i] = number
		if _, twice := n.index[number]; !twice && number != 0 {
			n.index[number] = int32(i)
		}
	}
}

// number is what the memory keeps of policy i of the program, -1 for none.
func (n *names) number(i int32) uint16 {
	if i < 0 {
		return 0
	}
	return n.here[i]
}

// at is the index in the program of a policy of any program, -1 if it is none of this one.
func (n *names) at(number uint16) int32 {
	if i, ok := n.index[number]; ok {
		return i
	}
	return -1
}

// name is the name of a policy of any program, empty for none.
func (n *names) name(number uint16) string {
	if number == 0 {
		return ""
	}
	return n.all[number-1]
}
