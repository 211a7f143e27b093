// Package eurekaserver is Eureka's face on a store: the REST protocol of Netflix Eureka as its clients in the field speak it.
//
// It keeps no registry of its own. A registration becomes a [store.Record]: what muster has words for goes into the
// muster.Instance, what the protocol must give back besides (URLs, virtual addresses, data centre, timestamps, the order of the
// metadata) rides in Record.Wire, in the encoding of echo.go. Instances registered by other faces are shown to Eureka's clients too.
//
// One request passes through: [Server.ServeHTTP] → route.go (which of the twelve resources) → renew.go, register.go, override.go,
// metadata.go for writes, read.go for reads → document.go (the bytes). Complete lists are kept in blocks, see list.go.
//
// # What differs from Netflix's server, on purpose
//
//   - A lease is worth its duration and one renewal interval of grace, not twice its duration ([TTL]).
//   - Overrides belong to an instance of an application; there, the same ID in two applications shared one.
//   - Every change of the status that clients see is in the delta, whatever caused it.
//   - Reads are never stale: there is no response cache to wait for.
//   - Mistakes of the caller are answered 400 with the reason, never 500.
//   - The status shown is the effective one: an operator's intent makes it OUT_OF_SERVICE. overriddenStatus shows the override
//     alone, because clients copy it back when they register and would turn an intent into an override that nobody set.
//
// Source: Netflix eureka, packages com.netflix.eureka.resources and com.netflix.eureka.registry.
package eurekaserver
