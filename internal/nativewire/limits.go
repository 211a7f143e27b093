package nativewire

// LimitStatus is what a server allows, and which payers are near to what they may have.
type LimitStatus struct {
	Allowed string        `json:"allowed" doc:"As muster serve --limits reads it" example:"instances=250000,metadata=512MiB,namespaces=256,total=1024MiB,watchers=2000,requests=20000,connections=19936"`
	Bytes   int64         `json:"bytes" doc:"That all instances hold, of total"`
	Payers  []PayerStatus `json:"payers" nullable:"false" doc:"Up to ten, the nearest to a limit first"`
}

// PayerStatus is how near a payer is to one of its limits: the one that it is nearest to.
type PayerStatus struct {
	Payer   string `json:"payer" doc:"A principal, or the address of who proved none" example:"10.0.0.7"`
	Limit   string `json:"limit" doc:"Of instances, metadata, namespaces, watchers, requests (at once), connections" example:"watchers"`
	Used    int64  `json:"used"`
	Most    int64  `json:"most"`
	Refused uint64 `json:"refused,omitempty" doc:"Requests and connections refused to this payer since it was first seen; counts anew when it was away for minutes"`
}
