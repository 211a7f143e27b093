// Package peers lets the simulator of internal/sim choose by the balancers of other frameworks: their code as it is
// published, built as their users build it.
//
// They read the clock of the process, so a run with one of them must lie in a bubble of testing/synctest: each pick and
// each end first sleeps until the simulation's time, which in a bubble takes none. go-zero reckons from a moment before
// the program began, which is later than the bubble's beginning in the year 2000: its clock starts after decades of
// sleep.
//
// Neither has a parameter that can be set: the time constants and the pause after which a node is picked by force are
// constants of their code. What kratos leaves open is which nodes a balancer goes by (direct or with a moving average).
package peers
