/* Products of four rows of bytes and one row, for assembly. */
#ifndef GROUPCOMM_MICRO_KERNELS_DOT_FOUR_DEEP_DSP_H_
#define GROUPCOMM_MICRO_KERNELS_DOT_FOUR_DEEP_DSP_H_

#include "micro/kernels/dot/dot.h"

/* Products of four elements of a row of weights; those of the row of inputs are in r8 and r9. */
#define GC_ONE_OF_FOUR(sum, weights) \
  "sxtb16 ip, " weights              \
  "\n\t"                             \
  "sxtb16 " weights ", " weights     \
  ", ror #8\n\t"                     \
  "smlad " sum ", ip, r8, " sum      \
  "\n\t"                             \
  "smlad " sum ", " weights ", r9, " sum "\n\t"
/* Adds the products of the next four elements to the sums r4 to r7 of four rows. Registers: r0 weights
   and r1 inputs, which both advance; r2 the distance of the rows, r3 three times that. */
#define GC_FOUR_DEEP \
  "ldrd r8, r9, [r1], #8\n\t"             \
  "ldr r10, [r0, r2]\n\t"                 \
  "ldr r11, [r0, r2, lsl #1]\n\t"         \
  GC_ONE_OF_FOUR("r5", "r10")             \
  GC_ONE_OF_FOUR("r6", "r11")             \
  "ldr r11, [r0, r3]\n\t"                 \
  "ldr r10, [r0], #4\n\t"                 \
  GC_ONE_OF_FOUR("r7", "r11")             \
  GC_ONE_OF_FOUR("r4", "r10")

#endif /* GROUPCOMM_MICRO_KERNELS_DOT_FOUR_DEEP_DSP_H_ */
