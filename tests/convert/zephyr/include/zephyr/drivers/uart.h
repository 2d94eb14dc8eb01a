#pragma once

#include <stdint.h>
#include <zephyr/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*uart_irq_callback_user_data_t)(const struct device* dev, void* user_data);
int uart_irq_callback_user_data_set(const struct device* dev,
                                    uart_irq_callback_user_data_t callback, void* user_data);
void uart_irq_rx_enable(const struct device* dev);
/* int in Zephyr 3.7 LTS and 4.x, void in main since 2026-05. */
#ifdef STAND_IN_ZEPHYR_LTS
int uart_irq_update(const struct device* dev);
#else
void uart_irq_update(const struct device* dev);
#endif
int uart_irq_rx_ready(const struct device* dev);
int uart_fifo_read(const struct device* dev, uint8_t* bytes, const int size);
void uart_poll_out(const struct device* dev, unsigned char byte);

#ifdef __cplusplus
}
#endif
