package eurekawire

import "strings"

// Invalid is the answer to a registration that can be read but not accepted. Its text is what Netflix's server answers with 400.
type Invalid string

// Error returns the text itself.
func (e Invalid) Error() string { return string(e) }

// Validate checks an instance that was posted to the application app, in the order and with the texts of Netflix's server, so that
// clients and people who know them are not surprised. The application names are compared without case.
//
// Errors: Invalid.
// Source: Netflix eureka, ApplicationResource.addInstance.
func Validate(in *Instance, app string) error {
	switch {
	case in.InstanceID == "":
		return Invalid("Missing instanceId")
	case in.HostName == "":
		return Invalid("Missing hostname")
	case in.IPAddr == "":
		return Invalid("Missing ip address")
	case in.App == "":
		return Invalid("Missing appName")
	case !strings.EqualFold(in.App, app):
		return Invalid("Mismatched appName, expecting " + strings.ToUpper(app) + " but was " + in.App)
	case in.DataCenter.absent():
		return Invalid("Missing dataCenterInfo")
	case in.DataCenter.Name == "":
		return Invalid("Missing dataCenterInfo Name")
	}
	return nil
}
