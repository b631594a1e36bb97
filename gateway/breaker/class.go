package breaker

// Class is what a result says about the endpoint.
type Class uint8

const (
	// Success is any answer that is not below.
	Success Class = iota
	// Business is an answer that refuses the request and not the client: 4xx, and codes that are configured.
	Business
	// ServerError is a 5xx answer.
	ServerError
	// ConnectError means that no connection could be made.
	ConnectError
	// Reset means that the connection broke, or that what came was no answer.
	Reset
	// Timeout means that the answer, or the connection, did not come in time.
	Timeout
	// Canceled means that the client or the gateway gave up for a reason that is not the endpoint's.
	Canceled
)

// String is the class as admin pages and telemetry show it.
func (c Class) String() string {
	return [...]string{"success", "business", "server_error", "connect_error", "reset", "timeout", "canceled"}[c]
}

func (c Class) failure() bool { return c >= ServerError && c <= Timeout }

// ClassOf answers the class of an answer by its status. Statuses in business are Business, whatever they are.
//
// 408 and 429 are business as well: they speak of this client's pace. 504 is Timeout, since another proxy waited in vain.
func ClassOf(status int, business []int) Class {
	for _, s := range business {
		if s == status {
			return Business
		}
	}
	switch {
	case status == 504:
		return Timeout
	case status >= 500:
		return ServerError
	case status >= 400:
		return Business
	}
	return Success
}
