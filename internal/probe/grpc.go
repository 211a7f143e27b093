package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// gRPC's health protocol is one call with one string and one number in it, and net/http speaks HTTP/2 with and without TLS. The
// whole of google.golang.org/grpc for that would be 2 MB more binary: see docs/decisions/0003-dependencies.md.
//
// Source: grpc/grpc, doc/health-checking.md and doc/PROTOCOL-HTTP2.md.
const grpcMethod = "/grpc.health.v1.Health/Check"

// maxMessage bounds the answer, which is two bytes long.
const maxMessage = 1 << 10

func (c *Client) checkGRPC(ctx context.Context, check Check) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, check.url().String(), bytes.NewReader(appendFrame(nil, check.Path)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	var protocols http.Protocols
	protocols.SetHTTP2(check.TLS)
	protocols.SetUnencryptedHTTP2(!check.TLS)
	res, end, err := c.roundTrip(req, check, &protocols)
	if err != nil {
		return fmt.Errorf("%s: %w", check, plain(err))
	}
	defer end()
	body, err := io.ReadAll(io.LimitReader(res.Body, 5+maxMessage+1))
	if err != nil {
		return fmt.Errorf("%s: %w", check, plain(err))
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s: is that a gRPC server?", check, res.Status)
	}
	if status := trailer(res, "Grpc-Status"); status != "0" {
		return fmt.Errorf("%s answered %s", check, grpcCode(status, trailer(res, "Grpc-Message")))
	}
	status, err := parseFrame(body)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", check, err)
	case status != serving:
		return fmt.Errorf("%s answered %s", check, servingName(status))
	}
	return nil
}

// trailer is what ends a gRPC answer; one without a message has it among its headers.
func trailer(res *http.Response, name string) string {
	if v := res.Trailer.Get(name); v != "" {
		return v
	}
	return res.Header.Get(name)
}

// grpcCode names a status that is not OK.
func grpcCode(status, message string) string {
	switch status {
	case "":
		return "without a gRPC status: is that a gRPC server?"
	case "5":
		return "NOT_FOUND: its health service does not know that name"
	case "12":
		return "UNIMPLEMENTED: it has no grpc.health.v1.Health service"
	}
	return fmt.Sprintf("gRPC status %s %.100q", status, message)
}

// serving is the one good value of HealthCheckResponse.ServingStatus.
const serving = 1

func servingName(status uint64) string {
	if names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}; status < uint64(len(names)) {
		return names[status]
	}
	return "serving status " + strconv.FormatUint(status, 10)
}

// appendFrame appends a HealthCheckRequest for service: one byte of flags, the length in four, then field 1 as a string.
func appendFrame(b []byte, service string) []byte {
	var msg []byte
	if service != "" {
		msg = binary.AppendUvarint(append(msg, 1<<3|wireBytes), uint64(len(service)))
		msg = append(msg, service...)
	}
	b = binary.BigEndian.AppendUint32(append(b, 0), uint32(len(msg)))
	return append(b, msg...)
}

// Wire types of protocol buffers.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errNoHealth = errors.New("the answer is no HealthCheckResponse")

// parseFrame reads the status out of a framed HealthCheckResponse: field 1, a varint; absent means UNKNOWN. Fields that are not
// known are skipped.
func parseFrame(b []byte) (status uint64, err error) {
	if len(b) < 5 || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) || len(b)-5 > maxMessage {
		return 0, errNoHealth
	}
	for b = b[5:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, errNoHealth
		}
		b = b[n:]
		size := 0
		switch tag & 7 {
		case wireVarint:
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return 0, errNoHealth
			}
			if tag>>3 == 1 {
				status = v
			}
			size = n
		case wireFixed64:
			size = 8
		case wireFixed32:
			size = 4
		case wireBytes:
			v, n := binary.Uvarint(b)
			if n <= 0 || v > maxMessage {
				return 0, errNoHealth
			}
			size = n + int(v)
		default:
			return 0, errNoHealth
		}
		if size > len(b) {
			return 0, errNoHealth
		}
		b = b[size:]
	}
	return status, nil
}
