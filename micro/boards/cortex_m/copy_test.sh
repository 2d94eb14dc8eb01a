#!/bin/sh
# copy_test.sh PROGRAM FILE: files are read and written completely, in blocks of any size.
program=$1
file=$2
copied=$TEST_TMPDIR/copied,with=comma
for block in 1 100 4096 65536; do
  printed=$("$program" "$file" "$copied" $block) || exit 1
  cmp "$file" "$copied" || exit 1
  if [ "$printed" != "$(wc -c < "$file")" ]; then
    echo "the length is not '$printed'"
    exit 1
  fi
done
: > "$TEST_TMPDIR/empty"
[ "$("$program" "$TEST_TMPDIR/empty" "$copied" 100)" = 0 ] && [ ! -s "$copied" ] || exit 1

# refuse WORDS ARGUMENT...
refuse() {
  words=$1
  shift
  printed=$("$program" "$@" 2>&1)
  if [ $? != 2 ] || [ "$printed" != "$words" ]; then
    echo "$*: expected exit code 2 and '$words', got: $printed"
    exit 1
  fi
}

refuse "/none/file: cannot read" /none/file "$copied" 100
refuse "/none/file: cannot write" "$file" /none/file 100
refuse "/dev/full: cannot write" "$file" /dev/full 65536
