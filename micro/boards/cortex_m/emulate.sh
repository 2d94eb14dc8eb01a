#!/bin/sh
# NAME [--count FILE] ARGUMENT...: runs NAME.elf under QEMU; the firmware sees the arguments and the host's files, and its exit
# code is the program's. --count writes how many instructions it took: micro/boards/cortex_m/counter/counter.c.
here=$(dirname "$0")
name=$(basename "$0")
plugin=
if [ "$1" = --count ]; then
  plugin="-plugin $here/{counter},out=$2"
  shift 2
fi
config=enable=on,target=native,arg=$name
for argument; do
  case $argument in
    '' | *' '*) # The firmware gets one line and splits it at spaces.
      echo "$name: argument '$argument' is empty or holds a space" >&2
      exit 2
      ;;
  esac
  config=$config,arg=$(printf %s "$argument" | sed 's/,/,,/g')
done
# $plugin is two words or none.
exec {qemu} -machine {machine} -display none -monitor none -serial none -semihosting-config "$config" $plugin -kernel "$here/$name.elf"
