/* Processes a stream hop by hop on any host: raw 16-bit mono PCM at 16 kHz from standard input to
   standard output, the sources of a hop one after the other.

     groupcomm package zephyr enhance-nano --out module && make
     arecord -t raw -f S16_LE -r 16000 | ./denoise | aplay -t raw -f S16_LE -r 16000
*/
#include <enhance_nano.h>
#include <groupcomm.h>
#include <stdio.h>

static GROUPCOMM_ALIGNED unsigned char memory[GROUPCOMM_ENHANCE_NANO_BYTES];
static int16_t in[GROUPCOMM_ENHANCE_NANO_HOP];
static int16_t out[GROUPCOMM_ENHANCE_NANO_SOURCES * GROUPCOMM_ENHANCE_NANO_HOP];

int main(void) {
  groupcomm_state* state;
  groupcomm_status status =
      groupcomm_create(&groupcomm_enhance_nano, memory, sizeof(memory), &state);
  while (status == GROUPCOMM_OK && fread(in, sizeof(in), 1, stdin) == 1) {
    status = groupcomm_process(state, in, out);
    if (fwrite(out, sizeof(out), 1, stdout) != 1) return 1;
  }
  if (status != GROUPCOMM_OK) fprintf(stderr, "%s\n", groupcomm_status_text(status));
  return status != GROUPCOMM_OK;
}
