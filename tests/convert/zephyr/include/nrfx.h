#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

extern uint32_t SystemCoreClock;
void SystemCoreClockUpdate(void);

#ifdef __cplusplus
}
#endif
