/* Processes a stream hop by hop on any host: raw 16-bit mono PCM at 16 kHz from standard input to
   standard output, the sources of a hop one after the other.

     groupcomm package zephyr enhance-nano --out module && make
     arecord -t raw -f S16_LE -r 16000 | ./denoise | aplay -t raw -f S16_LE -r 16000
*/
#include <groupcomm.h>
#include <stdio.h>

static int16_t in[GROUPCOMM_HOP];
static int16_t out[GROUPCOMM_SOURCES * GROUPCOMM_HOP];

int main(void) {
  if (groupcomm_begin() != 0) {
    fprintf(stderr, "%s\n", groupcomm_error());
    return 1;
  }
  while (fread(in, sizeof(in), 1, stdin) == 1) {
    if (groupcomm_process(in, out) != 0) {
      fprintf(stderr, "%s\n", groupcomm_error());
      return 1;
    }
    if (fwrite(out, sizeof(out), 1, stdout) != 1) return 1;
  }
  return 0;
}
