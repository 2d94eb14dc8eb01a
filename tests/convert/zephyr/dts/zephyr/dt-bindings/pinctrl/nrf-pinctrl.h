/* As Zephyr's header of this name, for the signals that the overlays use. */
#pragma once

#define NRF_FUN_I2S_SCK_M 14U
#define NRF_FUN_I2S_LRCK_M 16U
#define NRF_FUN_I2S_SDIN 18U
#define NRF_FUN_I2S_SDOUT 19U
#define NRF_FUN_I2S_MCK 20U
#define NRF_FUN_PDM_CLK 21U
#define NRF_FUN_PDM_DIN 22U
#define NRF_PSEL(fun, port, pin) ((((port) * 32U) + (pin)) | (NRF_FUN_##fun << 24U))
