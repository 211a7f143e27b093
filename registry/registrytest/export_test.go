package registrytest

// Names returns the names of all subtests, for the test that asks for a mutant against each.
func Names() []string {
	var names []string
	for _, x := range subtests() {
		names = append(names, x.name)
	}
	return names
}
