#!/bin/sh
# A source that writes to Kafka with kcat: sh docs/examples/kcat_source.sh HOST:PORT
# The record is a file in the wire format; kcat sends it as it is, under whatever key and to whatever partition it likes.
set -e
record=$(mktemp)
python docs/examples/kafka_source.py "$1" schemas/touchpoint/1.avsc "$record"
kcat -P -b "$1" -t cx.touchpoints.call.v1 -k 'any key' "$record"
rm "$record"
