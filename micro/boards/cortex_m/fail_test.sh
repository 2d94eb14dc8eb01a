#!/bin/sh
# A firmware that fails makes its test program fail, and says why: fail_test.sh PROGRAM
program=$1
failed=0

# expect CODE WORDS ARGUMENT...
expect() {
  code=$1
  words=$2
  shift 2
  said=$("$program" "$@" 2>&1)
  got=$?
  case $said in
    *"$words"*) ;;
    *) got="$got and other words" ;;
  esac
  if [ "$got" != "$code" ]; then
    echo "$*: expected exit code $code and '$words', got $got: $said"
    failed=1
  fi
}

expect 0 "" nothing
expect 1 "" return
expect 3 "does not say how to fail"
expect 2 "other: not a way to fail" other
expect 2 "argument 'a b' is empty or holds a space" "a b"
expect 2 "--count has no file" --count
expect 2 "--within has no function" --count "$TEST_TMPDIR/count" --within
expect 2 "more than 15 arguments" 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
expect 99 "usage fault at pc 0x" undefined
expect 99 ": undefined instruction" undefined
expect 99 ": division by zero" divide
expect 99 "bus fault at pc 0x" address
expect 99 "address 0xf0000000" address
expect 99 ": stack overflow" overflow
expect 99 "abort() was called" abort
exit $failed
