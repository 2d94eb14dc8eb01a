#!/bin/sh
# network_test.sh FIRMWARE FEATURES MASKS: two passes over the golden features give the golden masks, byte for byte, twice.
set -eu
"$1" replay "$2" "$TEST_TMPDIR/got" 2
cat "$3" "$3" > "$TEST_TMPDIR/expected"
cmp "$TEST_TMPDIR/got" "$TEST_TMPDIR/expected"
