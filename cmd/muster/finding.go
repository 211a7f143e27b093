package main

// finding is a kind of thing that doctor can find. The list is closed, and codes keep their meaning.
type finding struct {
	Code  string
	Title string
	Why   string // what it means, and where it usually comes from
	Do    string // what to do
	find  func(*examination) []symptom
}

// symptom is a finding at a place.
type symptom struct {
	Service  string
	Instance string
	What     string
}

// findings are all that doctor looks for: M1xx the registry, M2xx what is registered, M3xx what operators want, M4xx clocks
// and versions.
func findings() []finding {
	return []finding{
		{
			Code: "M101", Title: "a server of the registry cannot be reached", find: findUnreachable,
			Why: "No connection could be made, or nothing came back. Clients go on from their last list, but see no change, and nobody new can register.",
			Do:  "Check that muster serve runs there, the host and port in --registry, and what is in between (firewall, network policy). A server listens on loopback unless --listen says otherwise.",
		},
		{
			Code: "M102", Title: "what answers is not muster serve", find: findForeign,
			Why: "Something answered that muster serve does not send: another program on that port, a proxy with a page of its own, or HTTPS.",
			Do:  "Open the URL with curl and look. An Eureka server of another make, too, is not one that muster:// can talk to.",
		},
		{
			Code: "M103", Title: "a server is still loading", find: findLoading,
			Why: "After a start the server reads its journal and refuses lists until it has all of it, so that nobody takes an empty list for the truth.",
			Do:  "Wait a moment. If it stays so, the text says what the journal answered; muster serve --recover starts with what can still be read.",
		},
		{
			Code: "M104", Title: "self-preservation is on", find: findPreserving,
			Why: "Too many instances fell silent at once. That is more often a cut network than so many deaths, so nothing expires, and dead instances stay listed.",
			Do:  "Check the network between the instances and the server, and its load. If they are dead for good: muster deregister.",
		},
		{
			Code: "M105", Title: "the journal does not have everything", find: findJournal,
			Why: "The server could not write to its data directory: the disk is full, read-only or failing. Acts are refused; a restart would forget the newest instances.",
			Do:  "Make room or repair the disk; the server goes on by itself.",
		},
		{
			Code: "M106", Title: "the data directory's disk is nearly full", find: findDisk,
			Why: "Less than 5 % or 64 MiB is free where this machine's muster serve keeps its data.",
			Do:  "Make room before acts are refused.",
		},
		{
			Code: "M107", Title: "the namespace is empty while others are not", find: findNamespace,
			Why: "A client sees one namespace. A typing error in its name, or none where one was meant, shows an empty registry.",
			Do:  "Choose with --namespace, or in the registry's URL: muster://host:8761/NAMESPACE.",
		},
		{
			Code: "M108", Title: "the list does not come, or is not refreshed", find: findStale,
			Why: "The server answers, but its stream of changes does not come through or has broken: what is shown is from before, or nothing.",
			Do:  "The text says why. A proxy in between must let /api/v1/…/watch stream. If it stays so, look at M101 and M102.",
		},
		{
			Code: "M109", Title: "the server's prober judges nobody of a service", find: findHeld,
			Why: "More than half of the service's probed instances fail at once. That is more often the server's own network than so many failures, so no more of them are judged down.",
			Do:  "Check the network between the server and the instances, and whether --probe asks for the right path or port.",
		},
		{
			Code: "M110", Title: "a client is near its limits", find: findLimits,
			Why: "The server counts what each client has, and refuses what is too much: requests, watch streams, connections, instances, metadata. Clients behind one address count together unless they show tokens.",
			Do:  "If the client is in order, raise the limit: muster serve --limits (docs/limits.md). If it is not, its address is in the text.",
		},
		{
			Code: "M111", Title: "a server's certificate needs care", find: findCertificate,
			Why: "New connections get it. Once it is over, no client trusts the server; and files on disk that cannot be used are not, so the certificate from before goes on until it is over.",
			Do:  "Put a certificate and its key, which belong together, where --tls-cert and --tls-key point; they are read within seconds. Where systemd hands them over (LoadCredential=): systemctl restart muster.",
		},
		{
			Code: "M201", Title: "two instances have the same address", find: findDuplicates,
			Why: "One process is registered under two IDs, or an instance moved and left its old entry behind: it gets twice its share.",
			Do:  "Give the process one ID, or remove the dead entry: muster deregister.",
		},
		{
			Code: "M202", Title: "a loopback address is registered for others", find: findLoopback,
			Why: "The registry is on another machine, but the instance tells callers 127.0.0.1: each caller would call itself.",
			Do:  "Register an address that others can reach; muster register fills it in when the URL names no host (http://:8080).",
		},
		{
			Code: "M203", Title: "an endpoint looks odd", find: findOdd,
			Why: "Its scheme is nearly one that muster's clients speak, or its host reaches no particular machine (0.0.0.0, link-local).",
			Do:  "Correct what the instance registers.",
		},
		{
			Code: "M204", Title: "no instance is in this zone", find: findZone,
			Why: "The zone set here (--zone, MUSTER_ZONE, muster.yaml) is one in which nothing is registered, so every call goes to another zone. Often one side writes eu-1a and the other eu-1-a.",
			Do:  "Compare with the zones in muster instances.",
		},
		{
			Code: "M205", Title: "entries cannot be read", find: findSkipped,
			Why: "The back end holds entries that are none of its format; they are left out of every list.",
			Do:  "muster explain SERVICE names them.",
		},
		{
			Code: "M206", Title: "a static instance is down", find: findStaticDown,
			Why: "Static instances have no lease: one that died stays listed until an operator removes it. This one reports, or a probe found, that it is down.",
			Do:  "Repair it, or take it off the list: muster deregister.",
		},
		{
			Code: "M301", Title: "every instance of a service is disabled", find: findDisabled,
			Why: "Operators took all of them out of traffic, one by one or with --all: calls find nobody.",
			Do:  "muster enable SERVICE --all, or muster audit SERVICE to see who did it and why.",
		},
		{
			Code: "M302", Title: "every instance of a service has weight 0", find: findWeightless,
			Why: "Weight 0 means no traffic, so calls find nobody.",
			Do:  "muster weight SERVICE --all own takes operators' weights back; else correct what the instances register.",
		},
		{
			Code: "M303", Title: "no instance of a service is up", find: findDown,
			Why: "Instances are registered, but report that they are starting, down or out of service.",
			Do:  "muster explain SERVICE gives each one's reason; then look at their logs.",
		},
		{
			Code: "M304", Title: "an intent waits for an instance that is gone", find: findOrphans,
			Why: "Somebody disabled or weighted an instance that is no longer registered. Should the same ID come back, it finds the intent waiting.",
			Do:  "If it will not come back, take the intent away: muster enable, muster weight … own, muster note … \"\".",
		},
		{
			Code: "M401", Title: "a server's clock differs", find: findClock,
			Why: "Intents that end by themselves end by the server's clock, and times in lists and audit are its times.",
			Do:  "Synchronise the clocks (chrony, systemd-timesyncd).",
		},
		{
			Code: "M402", Title: "versions differ", find: findVersions,
			Why: "This program and the servers, or the servers among themselves, are of different versions. They understand each other, but one may lack what the other offers.",
			Do:  "Bring them to the same version.",
		},
		{
			Code: "M403", Title: "versions are too far apart", find: findTooFar,
			Why: "Versions up to two minor ones apart are promised to understand each other. Beyond that, what one says and the other does not know is refused or left out.",
			Do:  "Upgrade the older one.",
		},
	}
}
