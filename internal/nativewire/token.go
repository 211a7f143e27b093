package nativewire

import "time"

// Token is what a server keeps of a token, or of the rights of a client certificate: all but the secret.
type Token struct {
	Name        string    `json:"name" example:"deploy"`
	Allow       []string  `json:"allow" nullable:"false" doc:"read, register[:PATTERN], operate[:PATTERN], admin" example:"[\"register:ORDERS*\"]"`
	Namespace   string    `json:"namespace,omitempty" doc:"Where alone it holds; absent: everywhere" example:"prod"`
	Certificate string    `json:"certificate,omitempty" doc:"The name of the client certificate that has these rights; absent: a token has" example:"orders.example"`
	By          string    `json:"by,omitempty" doc:"Who made it" example:"local:0"`
	Why         string    `json:"why,omitempty" doc:"What it is for"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero" doc:"Absent: never"`
	Used        time.Time `json:"used,omitzero" doc:"When it was last shown since the server started; absent: not since then"`
}

// TokenList is every Token, by name.
type TokenList struct {
	Items []Token   `json:"items" nullable:"false"`
	Since time.Time `json:"since" doc:"When the server started: of uses before that nothing is known"`
}

// NewToken is a Token with its text, which is shown this once.
type NewToken struct {
	Token
	Text string `json:"token,omitempty" doc:"To be sent as Bearer, or as the password of HTTP Basic; absent of a certificate"`
}

// TokenWish asks for a Token.
type TokenWish struct {
	Name        string   `json:"name" minLength:"1" maxLength:"128" doc:"Letters, digits, . _ -" example:"deploy"`
	Allow       []string `json:"allow" minItems:"1" maxItems:"64" nullable:"false" doc:"read, register[:PATTERN], operate[:PATTERN], admin" example:"[\"register:ORDERS*\"]"`
	Namespace   string   `json:"namespace,omitempty" maxLength:"128" doc:"Where alone it is to hold; absent: everywhere"`
	Certificate string   `json:"certificate,omitempty" maxLength:"1024" doc:"Give these rights to the client certificate of that name instead: a URI, a DNS name, or the common name of one without other names"`
	Expires     Duration `json:"expires,omitempty" doc:"How long it is to hold; absent: for ever" example:"2160h"`
}
