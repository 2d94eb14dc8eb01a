/* The clock of the core, and its cycle counter (DWT CYCCNT). */
#ifndef CLOCK_H_
#define CLOCK_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Selects the highest frequency, starts the counter, and returns the frequency in Hz. After a reset,
   an nRF5340 divides its 128 MHz by two. */
uint32_t clock_start(void);

/* Cycles so far; the counter wraps. */
uint32_t clock_cycles(void);

#ifdef __cplusplus
}
#endif

#endif /* CLOCK_H_ */
