#!/bin/sh
# sound_test.sh FIRMWARE WAV FEATURES MASKS SPEECH: WAV through the whole separator gives the other
# three, byte for byte, as `separate` writes them.
set -eu
got=$TEST_TMPDIR
# The header of a WAV file has 44 bytes, a hop of samples 256. `separate` flushes its stream with a
# hop of zeros and drops the first hop of output.
{ tail -c +45 "$2"; head -c 256 /dev/zero; } > "$got/pcm"
"$1" stream "$got/pcm" "$got/sound" "$got/features" "$got/masks" > "$got/printed"
grep -q '"hops": 4001,' "$got/printed"
cmp "$3" "$got/features"
cmp "$4" "$got/masks"
tail -c +257 "$got/sound" > "$got/speech"
tail -c +45 "$5" | cmp - "$got/speech"
