package sim

// ring is a queue without an end that reuses its memory. The zero value is empty.
type ring[T any] struct {
	items      []T // its length is 0 or a power of two
	head, tail uint
}

func (r *ring[T]) len() int { return int(r.tail - r.head) }

func (r *ring[T]) push(item T) {
	if r.len() == len(r.items) {
		r.grow()
	}
	r.items[r.tail&uint(len(r.items)-1)] = item
	r.tail++
}

// first is the item that pop would return; there must be one.
func (r *ring[T]) first() *T { return &r.items[r.head&uint(len(r.items)-1)] }

func (r *ring[T]) pop() T {
	item := *r.first()
	r.head++
	return item
}

func (r *ring[T]) grow() {
	bigger := make([]T, max(16, 2*len(r.items)))
	n := r.len()
	for i := range n {
		bigger[i] = r.items[(r.head+uint(i))&uint(len(r.items)-1)]
	}
	r.items, r.head, r.tail = bigger, 0, uint(n)
}
