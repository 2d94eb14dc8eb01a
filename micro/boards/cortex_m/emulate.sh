#!/bin/sh
# NAME [--serial DEVICE] [--count FILE [--within FUNCTION] [--costs FILE]] ARGUMENT...: runs
# NAME.elf under QEMU.
# The firmware receives the arguments, has access to the host's files, and determines the exit code.
# --serial connects the first UART to a -serial device of QEMU; it is not connected otherwise.
# --count writes the number of instructions, --within also by place in a function, --costs also the
# cycles of a model: see micro/boards/cortex_m/counter/counter.c.
here=$(dirname "$0")
name=$(basename "$0")

refuse() {
  echo "$name: $1" >&2
  exit 2
}

# Escapes a value within an option of QEMU, where a comma separates values.
value() { printf %s "$1" | sed 's/,/,,/g'; }

serial=none
if [ "$1" = --serial ]; then
  [ -n "$2" ] || refuse "--serial needs a device"
  serial=$2
  shift 2
fi
count=
options=
if [ "$1" = --count ]; then
  [ -n "$2" ] || refuse "--count needs a file"
  count=$2
  shift 2
  if [ "$1" = --within ]; then
    [ -n "$2" ] || refuse "--within needs a function"
    options=,within=$(value "$2")
    shift 2
  fi
  if [ "$1" = --costs ]; then
    [ -n "$2" ] || refuse "--costs needs a file"
    options=$options,costs=$(value "$2")
    shift 2
  fi
fi
config=enable=on,target=native,arg=$name
for argument; do
  case $argument in
    # The firmware receives one line and splits it at spaces.
    '' | *' '*) refuse "argument '$argument' is empty or contains a space" ;;
  esac
  config=$config,arg=$(value "$argument")
done
set -- -machine {machine} -display none -monitor none -serial "$serial" -semihosting-config "$config" -kernel "$here/$name.elf"
[ -z "$count" ] || set -- "$@" -plugin "$(value "$here")/{counter},out=$(value "$count")$options"
exec {qemu} "$@"
