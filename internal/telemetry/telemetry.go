// Package telemetry gets the word out: the Pipeline takes records and never
// blocks, and hands them to a Sink in batches when the event loop says so.
// telemetry/receiver takes in what Lambda tells, telemetry/hec is the Sink for
// Splunk's HTTP Event Collector.
package telemetry
