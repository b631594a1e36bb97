package exposition

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// The sum in the comment of metric.
func TestSizes(t *testing.T) {
	assert.EqualValues(t, 16, unsafe.Sizeof(slot{}))
	assert.EqualValues(t, 32, unsafe.Sizeof(part{}))
	assert.EqualValues(t, 136, unsafe.Sizeof(metric{}))
}
