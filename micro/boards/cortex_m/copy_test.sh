#!/bin/sh
# Files go in and out whole, in blocks of any size: copy_test.sh PROGRAM FILE
program=$1
file=$2
copied=$TEST_TMPDIR/copied,with=comma
for block in 1 100 4096 65536; do
  said=$("$program" "$file" "$copied" $block) || exit 1
  cmp "$file" "$copied" || exit 1
  if [ "$said" != "$(wc -c < "$file")" ]; then
    echo "the length is not '$said'"
    exit 1
  fi
done
: > "$TEST_TMPDIR/empty"
[ "$("$program" "$TEST_TMPDIR/empty" "$copied" 100)" = 0 ] && [ ! -s "$copied" ] || exit 1

# refuse WORDS ARGUMENT...
refuse() {
  words=$1
  shift
  said=$("$program" "$@" 2>&1)
  if [ $? != 2 ] || [ "$said" != "$words" ]; then
    echo "$*: not refused as it should: $said"
    exit 1
  fi
}

refuse "/none/file: cannot read" /none/file "$copied" 100
refuse "/none/file: cannot write" "$file" /none/file 100
refuse "/dev/full: cannot write" "$file" /dev/full 65536
