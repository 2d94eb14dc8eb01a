#include "clock.h"

#include <nrfx.h>

#include "micro/boards/package/dwt.h"
#ifdef CONFIG_SOC_NRF5340_CPUAPP
// Where Zephyr's clock control has its own driver, nrfx declares the high-frequency clock in a
// header of its own.
#ifdef CONFIG_CLOCK_CONTROL_NRF
#include <nrfx_clock.h>
#else
#include <nrfx_clock_hfclk.h>
#endif
#endif

uint32_t clock_start(void) {
#if defined(CONFIG_SOC_NRF5340_CPUAPP) && defined(CONFIG_CLOCK_CONTROL_NRF)
  nrfx_clock_divider_set(NRF_CLOCK_DOMAIN_HFCLK, NRF_CLOCK_HFCLK_DIV_1);
#elif defined(CONFIG_SOC_NRF5340_CPUAPP)
  nrfx_clock_hfclk_divider_set(NRF_CLOCK_HFCLK_DIV_1);
#endif
  SystemCoreClockUpdate();
  groupcomm::StartCycles();
  return SystemCoreClock;
}

uint32_t clock_cycles(void) { return groupcomm::Cycles(); }
