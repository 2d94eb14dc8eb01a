#!/bin/sh
# network_test.sh FIRMWARE FEATURES MASKS LONG PASSES: two passes over the golden features give the golden masks, byte for byte, also
# after the reset; and PASSES passes of one stream give LONG, what the official TFLM gives.
set -eu
"$1" replay "$2" "$TEST_TMPDIR/got" 2
cat "$3" "$3" > "$TEST_TMPDIR/expected"
cmp "$TEST_TMPDIR/got" "$TEST_TMPDIR/expected"
"$1" stream_on "$2" "$TEST_TMPDIR/long" "$5"
cmp "$TEST_TMPDIR/long" "$4"
