package telemetry

// AppendItems and DecodeItems are how a frame of the spool holds items.
var (
	AppendItems = appendItems
	DecodeItems = decodeItems
)
