#!/bin/sh
# counter_test.sh COUNT COUNT_TWICE: the counter counts known spans exactly, and gives the same
# counts in every run.
count="$TEST_TMPDIR/a b,c.json"
"$1" --count "$count" --within TwoCalls || exit 1
failed=0

# expect SPAN RUNS LEAST WORST INSTRUCTIONS
expect() {
  grep -q "{\"span\": $1, \"runs\": $2, \"least\": $3, \"worst\": $4, \"instructions\": $5, " "$count" && return
  echo "span $1 does not have $2 runs of $3 to $4 instructions, $5 in total"
  failed=1
}

expect 0 1 0 0 0
expect 1 1 137 137 137
expect 2 3 4 2000002 2002008  # bl, 2 per iteration, bx
expect 4 1 4 4 4
expect 6 512 0 0 0
case $1 in
  *m55) expect 5 1 21 21 21 ;; # dls, 2 per iteration
esac
# 2,002,005 in the loop and its return, by name, in span 2 (its calls are in main) and span 3; with
# 444 of span 7 in all.
[ "$(grep -c '"CountedLoop": 2002005' "$count")" = 2 ] || failed=1
grep -q '"CountedLoop": 2002449' "$count" || failed=1
grep -q '"main": 3}' "$count" || failed=1
# Two runs of 229: push, mov, bl, 20 in the loop and bx, mov, bl, 200 and bx, pop. The first bl is
# in main.
expect 7 2 229 229 458
within=$(sed -n 's/.*"within": {\([^}]*\)}.*/\1/p' "$count" | sed 's/"0x[0-9a-f]*": //g')
[ "$within" = "2, 2, 44, 2, 404, 2" ] || { echo "within TwoCalls: $within"; failed=1; }

"$1" --count "$count.again" --within TwoCalls || exit 1
cmp "$count" "$count.again" || failed=1
[ $failed = 0 ] || cat "$count"

"$2" --count "$count" 2> "$TEST_TMPDIR/printed" && failed=1
grep -q "counter: span 5 begins twice" "$TEST_TMPDIR/printed" || failed=1
"$1" --count /none/count.json 2> "$TEST_TMPDIR/printed" && failed=1
grep -q "/none/count.json: No such file" "$TEST_TMPDIR/printed" || failed=1
echo "flash 0" > "$TEST_TMPDIR/costs"
"$1" --count "$count" --costs "$TEST_TMPDIR/costs" 2> "$TEST_TMPDIR/printed" && failed=1
grep -q "counter: cannot read the costs in $TEST_TMPDIR/costs" "$TEST_TMPDIR/printed" || failed=1
exit $failed
