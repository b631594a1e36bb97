package promfront

// Inspector is a store that shows a person what those who write to it refuse, and which of their metrics have most series.
type Inspector interface {
	// Inspect shows f under name until stop is called.
	Inspect(name string, f *Front) (stop func())
}
