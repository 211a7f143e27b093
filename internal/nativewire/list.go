package nativewire

// List is the form of every list: all of it at one revision, or a page.
type List[T any] struct {
	Items    []T    `json:"items" nullable:"false"`
	Revision string `json:"revision,omitempty" doc:"State of the list; compare for equality only. Also the ETag" example:"5f1d3a9c0b7e2468.1042"`
	Next     string `json:"next,omitempty" doc:"Cursor of the next page; absent: this was the last"`
}

// Service sums up one service.
type Service struct {
	Service   string `json:"service" doc:"As the first instance wrote it" example:"ORDERS"`
	Instances int    `json:"instances" doc:"Registered" example:"3"`
	Up        int    `json:"up" doc:"That may get traffic" example:"2"`
	Revision  string `json:"revision,omitempty" doc:"State of this service's list" example:"5f1d3a9c0b7e2468.1040"`
}

// Namespace sums up one namespace.
type Namespace struct {
	Namespace string `json:"namespace" example:"default"`
	Services  int    `json:"services" example:"4"`
	Instances int    `json:"instances" example:"11"`
}
