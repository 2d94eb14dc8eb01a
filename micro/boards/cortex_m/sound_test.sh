#!/bin/sh
# sound_test.sh FIRMWARE WAV FEATURES MASKS SPEECH: WAV through the whole separator gives all three, byte for byte, as `separate` writes them.
set -eu
got=$TEST_TMPDIR
# A WAV's header has 44 bytes, a hop of samples 256. `separate` flushes its stream with a hop of zeros and drops the first hop of sound.
{ tail -c +45 "$2"; head -c 256 /dev/zero; } > "$got/pcm"
"$1" stream "$got/pcm" "$got/sound" "$got/features" "$got/masks" > "$got/said"
grep -q '"hops": 4001,' "$got/said"
cmp "$3" "$got/features"
cmp "$4" "$got/masks"
tail -c +257 "$got/sound" > "$got/speech"
tail -c +45 "$5" | cmp - "$got/speech"
