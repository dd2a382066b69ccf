#!/bin/sh
# The stand-in's entry point. Our emulator honours the wrapper itself, so it starts
# the function and not the bootstrap. As AWS's emulator it answers a subscription
# to telemetry with 202.
set -eu
exec gatehouse local --telemetry 202 --port 0 --handler "$1" --dir /var/task --layer /opt --timeout 10s \
	--env GATEHOUSE_MODE --env GATEHOUSE_POLICY -- /var/task/function
