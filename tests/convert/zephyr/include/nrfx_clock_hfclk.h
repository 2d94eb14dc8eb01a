#pragma once

typedef enum { NRF_CLOCK_HFCLK_DIV_1, NRF_CLOCK_HFCLK_DIV_2 } nrf_clock_hfclk_div_t;

#ifdef __cplusplus
extern "C"
#endif
    int nrfx_clock_hfclk_divider_set(nrf_clock_hfclk_div_t div);
