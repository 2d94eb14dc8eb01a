#!/bin/sh
# NAME [--serial DEVICE] [--count FILE [--within FUNCTION]] ARGUMENT...: runs NAME.elf under QEMU; the firmware sees the arguments and the
# host's files, and its exit code is the program's. --serial is a -serial of QEMU for the first UART, with which nobody talks else. --count
# writes how many instructions it took, --within also by place in a function: micro/boards/cortex_m/counter/counter.c.
here=$(dirname "$0")
name=$(basename "$0")

refuse() {
  echo "$name: $1" >&2
  exit 2
}

# A value within an option of QEMU, where a comma ends it.
value() { printf %s "$1" | sed 's/,/,,/g'; }

serial=none
if [ "$1" = --serial ]; then
  [ -n "$2" ] || refuse "--serial has no device"
  serial=$2
  shift 2
fi
count=
within=
if [ "$1" = --count ]; then
  [ -n "$2" ] || refuse "--count has no file"
  count=$2
  shift 2
  if [ "$1" = --within ]; then
    [ -n "$2" ] || refuse "--within has no function"
    within=,within=$(value "$2")
    shift 2
  fi
fi
config=enable=on,target=native,arg=$name
for argument; do
  case $argument in
    # The firmware gets one line and splits it at spaces.
    '' | *' '*) refuse "argument '$argument' is empty or holds a space" ;;
  esac
  config=$config,arg=$(value "$argument")
done
set -- -machine {machine} -display none -monitor none -serial "$serial" -semihosting-config "$config" -kernel "$here/$name.elf"
[ -z "$count" ] || set -- "$@" -plugin "$(value "$here")/{counter},out=$(value "$count")$within"
exec {qemu} "$@"
