package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// decode reads each object of a text of manifests into its own type. A field that the type has not is an error.
func decode(text []byte) ([]runtime.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var objects []runtime.Object
	for docs := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text))); ; {
		buf := make([]byte, 64<<10)
		n, err := docs.Read(buf)
		if err == io.EOF {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		o, _, err := strict.Decode(buf[:n], nil, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
}

// objects are those of deploy/kubernetes.
func objects(t *testing.T) []runtime.Object {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", "deploy", "kubernetes", "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	var all []runtime.Object
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list, err := decode(text)
		if err != nil {
			t.Fatalf("%s: %v", filepath.Base(path), err)
		}
		all = append(all, list...)
	}
	return all
}

// find returns the first object of a type.
func find[T runtime.Object](t *testing.T, all []runtime.Object) T {
	t.Helper()
	for _, o := range all {
		if found, ok := o.(T); ok {
			return found
		}
	}
	var none T
	t.Fatalf("there is no %T", none)
	return none
}

// pods are the templates of pods, by the name of what makes them.
func pods(all []runtime.Object) map[string]corev1.PodTemplateSpec {
	out := map[string]corev1.PodTemplateSpec{}
	for _, o := range all {
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			out[o.Name] = o.Spec.Template
		case *appsv1.Deployment:
			out[o.Name] = o.Spec.Template
		}
	}
	return out
}

func TestManifestsAreOfKubernetesOwnTypes(t *testing.T) {
	if n := len(objects(t)); n != 6 {
		t.Errorf("%d objects, want 6", n)
	}
	for name, text := range map[string]string{
		"a field that is not there": "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {selectors: {a: b}}\n",
		"a field twice":             "apiVersion: v1\nkind: Service\nmetadata: {name: a, name: b}\n",
		"a kind that is not there":  "apiVersion: apps/v1\nkind: StatefulSets\nmetadata: {name: a}\n",
	} {
		if _, err := decode([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestPodsMeetTheRestrictedStandard(t *testing.T) {
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for name, pod := range pods(objects(t)) {
		for _, r := range checks.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
			if !r.Allowed {
				t.Errorf("%s: %s: %s", name, r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
		for _, c := range pod.Spec.Containers {
			if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
				t.Errorf("%s: container %s may write its root", name, c.Name)
			}
			if c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s: container %s has no limit of memory", name, c.Name)
			}
		}
	}
	loose := corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}}
	if policy.AggregateCheckResults(checks.EvaluatePod(restricted, &metav1.ObjectMeta{}, &loose)).Allowed {
		t.Error("a pod without any restriction meets the standard")
	}
}

func TestServerIsOneWithItsDataAndTimeToStop(t *testing.T) {
	all := objects(t)
	set := find[*appsv1.StatefulSet](t, all)
	if *set.Spec.Replicas != 1 || set.Spec.ServiceName != find[*corev1.Service](t, all).Name || len(set.Spec.VolumeClaimTemplates) != 1 {
		t.Errorf("replicas %d, service %s, %d volumes", *set.Spec.Replicas, set.Spec.ServiceName, len(set.Spec.VolumeClaimTemplates))
	}
	pod := set.Spec.Template.Spec
	c := pod.Containers[0]
	if c.VolumeMounts[0].Name != set.Spec.VolumeClaimTemplates[0].Name || !slices.Contains(c.Env, corev1.EnvVar{Name: "MUSTER_DATA", Value: c.VolumeMounts[0].MountPath}) {
		t.Errorf("mounts %+v, environment %+v", c.VolumeMounts, c.Env)
	}
	if c.StartupProbe.HTTPGet.Path != "/readyz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/livez" {
		t.Error("the probes ask something else than /readyz, /readyz and /livez")
	}
	const stop = 6 // seconds that a stop in order takes at most before it writes, internal/server
	if sleep := c.Lifecycle.PreStop.Sleep.Seconds; *pod.TerminationGracePeriodSeconds < 2*(sleep+stop) {
		t.Errorf("%d s to end, with %d s before SIGTERM and %d s of a stop", *pod.TerminationGracePeriodSeconds, sleep, stop)
	}
}

func TestEverySelectorFindsThePodsItMeans(t *testing.T) {
	all := objects(t)
	server, client := labels.Set(pods(all)["muster"].Labels), labels.Set(pods(all)["orders"].Labels)
	matches := func(s *metav1.LabelSelector, set labels.Set) bool {
		selector, err := metav1.LabelSelectorAsSelector(s)
		return err == nil && !selector.Empty() && selector.Matches(set)
	}
	for _, o := range all {
		switch o := o.(type) {
		case *corev1.Service:
			if !labels.SelectorFromSet(o.Spec.Selector).Matches(server) {
				t.Errorf("service %s selects %v", o.Name, o.Spec.Selector)
			}
		case *appsv1.StatefulSet:
			if !matches(o.Spec.Selector, server) {
				t.Errorf("%s selects %v", o.Name, o.Spec.Selector)
			}
		case *appsv1.Deployment:
			if !matches(o.Spec.Selector, client) {
				t.Errorf("%s selects %v", o.Name, o.Spec.Selector)
			}
		case *policyv1.PodDisruptionBudget:
			if !matches(o.Spec.Selector, server) || matches(o.Spec.Selector, client) {
				t.Errorf("budget %s selects %v", o.Name, o.Spec.Selector)
			}
		case *networkingv1.NetworkPolicy:
			if !matches(&o.Spec.PodSelector, server) {
				t.Errorf("policy %s is for %v", o.Name, o.Spec.PodSelector)
			}
			if from := o.Spec.Ingress[0].From; !slices.ContainsFunc(from, func(p networkingv1.NetworkPolicyPeer) bool { return matches(p.PodSelector, client) }) {
				t.Errorf("policy %s lets no client in: %v", o.Name, from)
			}
		}
	}
}

func TestEveryNamedPortIsOneOfTheContainers(t *testing.T) {
	all := objects(t)
	named := func(pod corev1.PodTemplateSpec, name string) error {
		for _, c := range pod.Spec.Containers {
			if slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
				return nil
			}
		}
		return errors.New("no container has a port called " + name)
	}
	for name, pod := range pods(all) {
		for _, c := range pod.Spec.Containers {
			for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				if p == nil {
					continue
				}
				if err := named(pod, p.HTTPGet.Port.StrVal); err != nil {
					t.Errorf("probe of %s: %v", name, err)
				}
			}
		}
	}
	if err := named(pods(all)["muster"], find[*corev1.Service](t, all).Spec.Ports[0].TargetPort.StrVal); err != nil {
		t.Errorf("service: %v", err)
	}
	if err := named(pods(all)["muster"], find[*networkingv1.NetworkPolicy](t, all).Spec.Ingress[0].Ports[0].Port.StrVal); err != nil {
		t.Errorf("network policy: %v", err)
	}
}

func TestClientRegistersThePodsAddressWithATokenFromASecret(t *testing.T) {
	all := objects(t)
	deployment := find[*appsv1.Deployment](t, all)
	c := deployment.Spec.Template.Spec.Containers[0]
	env := map[string]corev1.EnvVar{}
	for _, e := range c.Env {
		env[e.Name] = e
	}
	if f := env["POD_IP"].ValueFrom; f == nil || f.FieldRef.FieldPath != "status.podIP" {
		t.Errorf("POD_IP is %+v", env["POD_IP"])
	}
	if f := env["MUSTER_TOKEN"].ValueFrom; f == nil || f.SecretKeyRef == nil {
		t.Errorf("MUSTER_TOKEN is %+v", env["MUSTER_TOKEN"])
	}
	service := find[*corev1.Service](t, all)
	if want := fmt.Sprintf("muster://%s:%d", service.Name, service.Spec.Ports[0].Port); env["MUSTER_REGISTRY"].Value != want {
		t.Errorf("MUSTER_REGISTRY is %q, want %q", env["MUSTER_REGISTRY"].Value, want)
	}
	if line := strings.Join(c.Command, " "); !strings.HasPrefix(line, "/usr/bin/muster register ORDERS --url http://:8080 ") {
		t.Errorf("it runs %s", line)
	}
	if *deployment.Spec.Template.Spec.TerminationGracePeriodSeconds <= 35 {
		t.Error("it is killed before muster register has drained and stopped it")
	}
}
