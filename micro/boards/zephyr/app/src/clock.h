// The core's clock.
#pragma once

#include <cstdint>

#include <nrfx.h>
#ifdef CONFIG_SOC_NRF5340_CPUAPP
// Where Zephyr's clock control has a driver of its own, nrfx has the high frequency clock apart.
#ifdef CONFIG_CLOCK_CONTROL_NRF
#include <nrfx_clock.h>
#else
#include <nrfx_clock_hfclk.h>
#endif
#endif

// As fast as it goes: an nRF5340 wakes up with its 128 MHz divided by two. Its frequency in Hz, as it is then.
inline uint32_t FullSpeed() {
#if defined(CONFIG_SOC_NRF5340_CPUAPP) && defined(CONFIG_CLOCK_CONTROL_NRF)
  nrfx_clock_divider_set(NRF_CLOCK_DOMAIN_HFCLK, NRF_CLOCK_HFCLK_DIV_1);
#elif defined(CONFIG_SOC_NRF5340_CPUAPP)
  nrfx_clock_hfclk_divider_set(NRF_CLOCK_HFCLK_DIV_1);
#endif
  SystemCoreClockUpdate();
  return SystemCoreClock;
}
