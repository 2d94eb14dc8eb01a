/* What JavaScript needs beside the C API: one hop of sound in each direction, and the sizes. */
#include "micro/boards/package/package.h"

GROUPCOMM_ALIGNED int16_t groupcomm_in[GROUPCOMM_HOP];
GROUPCOMM_ALIGNED int16_t groupcomm_out[GROUPCOMM_SOURCES * GROUPCOMM_HOP];
GROUPCOMM_ALIGNED int8_t groupcomm_given[GROUPCOMM_INPUTS]; /* of groupcomm_run_network */
GROUPCOMM_ALIGNED int8_t groupcomm_found[GROUPCOMM_OUTPUTS];

/* In the order that groupcomm.mjs reads. */
const int32_t groupcomm_sizes[] = {GROUPCOMM_SAMPLE_RATE, GROUPCOMM_HOP, GROUPCOMM_SOURCES,
                                   GROUPCOMM_INPUTS, GROUPCOMM_OUTPUTS};
