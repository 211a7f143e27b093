// Package manifests holds the tests of deploy/kubernetes against Kubernetes' own types and its own Pod Security Standards, in a
// module of its own so that its libraries never reach users.
package manifests
