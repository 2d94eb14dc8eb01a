// A stub of Zephyr, linked with the application. It has one thread, and polls the UART of the
// emulated board while the thread waits.
#include <cstdarg>
#include <cstdio>

#include <nrfx.h>
#ifdef CONFIG_CLOCK_CONTROL_NRF
#include <nrfx_clock.h>
#else
#include <nrfx_clock_hfclk.h>
#endif
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "micro/boards/cortex_m/board.h"

namespace {

// "Cortex-M System Design Kit", APB UART, at its addresses in QEMU's mps2-an386 and
// mps2-an505.
struct Uart {
  volatile uint32_t data, state, control, interrupt, divider;
};
#if __ARM_ARCH >= 8
Uart* const uart = reinterpret_cast<Uart*>(0x50200000);
#else
Uart* const uart = reinterpret_cast<Uart*>(0x40004000);
#endif
uart_irq_callback_user_data_t callback = nullptr;
bool half_speed = true;  // as an nRF5340 after reset

}  // namespace

uint32_t SystemCoreClock = 0;
const struct device stand_in_uart0 = {"uart0"};

bool device_is_ready(const struct device*) { return true; }
void SystemCoreClockUpdate(void) { SystemCoreClock = half_speed ? 64000000 : 128000000; }
#ifdef CONFIG_CLOCK_CONTROL_NRF
int nrfx_clock_divider_set(nrf_clock_domain_t, nrf_clock_hfclk_div_t div) {
#else
int nrfx_clock_hfclk_divider_set(nrf_clock_hfclk_div_t div) {
#endif
  half_speed = div != NRF_CLOCK_HFCLK_DIV_1;
  return 0;
}

int uart_irq_callback_user_data_set(const struct device*, uart_irq_callback_user_data_t function,
                                    void*) {
  callback = function;
  return 0;
}
void uart_irq_rx_enable(const struct device*) {
  uart->divider = 16;
  uart->control = 3;
}
#ifdef STAND_IN_ZEPHYR_LTS
int uart_irq_update(const struct device*) { return 1; }
#else
void uart_irq_update(const struct device*) {}
#endif
int uart_irq_rx_ready(const struct device*) { return (uart->state & 2) != 0; }
int uart_fifo_read(const struct device* dev, uint8_t* bytes, const int size) {
  int count = 0;
  while (count < size && uart_irq_rx_ready(dev)) bytes[count++] = static_cast<uint8_t>(uart->data);
  return count;
}
void uart_poll_out(const struct device*, unsigned char byte) {
  while (uart->state & 1) {
  }
  uart->data = byte;
}

int k_msgq_put(struct k_msgq* queue, const void* data, k_timeout_t) {
  if (queue->put - queue->got == queue->size) return -1;
  queue->bytes[queue->put++ % queue->size] = *static_cast<const uint8_t*>(data);
  return 0;
}
int k_msgq_get(struct k_msgq* queue, void* data, k_timeout_t) {
  while (queue->put == queue->got) {
    if (callback != nullptr && uart_irq_rx_ready(&stand_in_uart0))
      callback(&stand_in_uart0, nullptr);
  }
  *static_cast<uint8_t*>(data) = queue->bytes[queue->got++ % queue->size];
  return 0;
}
int32_t k_sleep(k_timeout_t) { BoardExit(0); }

// Supports %u, %s and %% only: newlib's printf would be larger than the network.
void printk(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char one[2] = {};
  for (; *format != 0; ++format) {
    if (*format != '%') {
      one[0] = *format;
      groupcomm::board::Print(one);
    } else if (*++format == 'u') {
      groupcomm::board::Print(static_cast<int64_t>(va_arg(arguments, unsigned)));
    } else if (*format == 's') {
      groupcomm::board::Print(va_arg(arguments, const char*));
    } else {
      groupcomm::board::Print("%");
    }
  }
  va_end(arguments);
}
