package main

import (
	"time"
)

// soon is how long before its end a certificate should have been renewed, as deploy/prometheus/rules.yml has it.
const soon = 14 * 24 * time.Hour

func findCertificate(x *examination) (out []symptom) {
	for _, a := range x.servers {
		cert := a.Status.Certificate
		if a.Err != nil || cert == nil {
			continue
		}
		end := cert.NotAfter.UTC().Format(time.RFC3339)
		switch left := time.Until(cert.NotAfter); {
		case cert.Trouble != "":
			out = append(out, symptom{What: a.Server + ": the files cannot be used, and the certificate until " + end + " is kept: " + cert.Trouble})
		case left <= 0:
			out = append(out, symptom{What: a.Server + ": it was good until " + end})
		case left < soon:
			out = append(out, symptom{What: a.Server + ": it is good until " + end + ", for " + short(left)})
		}
	}
	return out
}
