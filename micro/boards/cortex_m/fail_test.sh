#!/bin/sh
# fail_test.sh PROGRAM: when firmware fails, its program fails too, and reports the reason.
program=$1
failed=0

# expect CODE WORDS ARGUMENT...
expect() {
  code=$1
  words=$2
  shift 2
  printed=$("$program" "$@" 2>&1)
  got=$?
  case $printed in
    *"$words"*) ;;
    *) got="$got and other text" ;;
  esac
  if [ "$got" != "$code" ]; then
    echo "$*: expected exit code $code and '$words', got $got: $printed"
    failed=1
  fi
}

expect 0 "" nothing
expect 1 "" return
expect 3 "usage: fail MODE"
expect 2 "other: not a known mode" other
expect 2 "argument 'a b' is empty or contains a space" "a b"
expect 2 "--count needs a file" --count
expect 2 "--within needs a function" --count "$TEST_TMPDIR/count" --within
expect 2 "more than 15 arguments" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
expect 99 "usage fault at pc 0x" undefined
expect 99 ": undefined instruction" undefined
expect 99 ": division by zero" divide
expect 99 "bus fault at pc 0x" address
expect 99 "address 0xf0000000" address
expect 99 ": stack overflow" overflow
expect 99 "abort() was called" abort
exit $failed
