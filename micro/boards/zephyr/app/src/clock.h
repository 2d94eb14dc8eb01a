// Sets and reads the clock of the core.
#pragma once

#include <cstdint>

#include <nrfx.h>
#ifdef CONFIG_SOC_NRF5340_CPUAPP
// Where Zephyr's clock control has its own driver, nrfx declares the high-frequency clock in a
// header of its own.
#ifdef CONFIG_CLOCK_CONTROL_NRF
#include <nrfx_clock.h>
#else
#include <nrfx_clock_hfclk.h>
#endif
#endif

// Selects the highest frequency, and returns it in Hz. After a reset, an nRF5340 divides its 128
// MHz by two.
inline uint32_t FullSpeed() {
#if defined(CONFIG_SOC_NRF5340_CPUAPP) && defined(CONFIG_CLOCK_CONTROL_NRF)
  nrfx_clock_divider_set(NRF_CLOCK_DOMAIN_HFCLK, NRF_CLOCK_HFCLK_DIV_1);
#elif defined(CONFIG_SOC_NRF5340_CPUAPP)
  nrfx_clock_hfclk_divider_set(NRF_CLOCK_HFCLK_DIV_1);
#endif
  SystemCoreClockUpdate();
  return SystemCoreClock;
}
