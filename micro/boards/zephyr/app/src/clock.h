// The core's clock.
#pragma once

#include <cstdint>

#include <nrfx.h>
#ifdef CONFIG_SOC_NRF5340_CPUAPP
#include <nrfx_clock.h>
#endif

// As fast as it goes: an nRF5340 wakes up with its 128 MHz divided by two. Its frequency in Hz.
inline uint32_t FullSpeed() {
#ifdef CONFIG_SOC_NRF5340_CPUAPP
  nrfx_clock_divider_set(NRF_CLOCK_DOMAIN_HFCLK, NRF_CLOCK_HFCLK_DIV_1);
#endif
  SystemCoreClockUpdate();
  return SystemCoreClock;
}
