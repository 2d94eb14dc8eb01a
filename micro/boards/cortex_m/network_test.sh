#!/bin/sh
# network_test.sh MODE PASSES FIRMWARE FEATURES MASKS...: PASSES passes over FEATURES give all
# MASKS, one file after the other, byte for byte.
set -eu
"$3" "$1" "$4" "$TEST_TMPDIR/got" "$2"
shift 4
cat "$@" | cmp - "$TEST_TMPDIR/got"
