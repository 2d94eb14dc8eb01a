// Answers `groupcomm parity BUNDLE --port PORT`: PCM and features in; the outputs of the network
// and the cycles of each hop out.
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>

#include "clock.h"
#include "micro/boards/package/package.h"
#include "micro/parity/server.h"

using groupcomm::ParityServer;

// Bytes from the interrupt to the thread: more than one request, because the host sends one at a
// time.
K_MSGQ_DEFINE(received, 1, 2048, 1);

namespace {

const struct device* const uart = DEVICE_DT_GET(DT_CHOSEN(groupcomm_parity_uart));

alignas(4) uint8_t memory[ParityServer::Bytes(GROUPCOMM_INPUTS, GROUPCOMM_OUTPUTS, GROUPCOMM_HOP,
                                              GROUPCOMM_SOURCES)];

class UartPort final : public groupcomm::ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override {
    for (size_t i = 0; i < count; ++i) uart_poll_out(uart, bytes[i]);
  }
  uint32_t Cycles() override { return clock_cycles(); }
};

// Bytes that do not fit are lost, as on any serial line; the host repeats its request.
void OnUart(const struct device* dev, void*) {
  for (;;) {
    uart_irq_update(dev);  // returns int up to Zephyr 4.3, and nothing since 2026-05
    if (uart_irq_rx_ready(dev) <= 0) return;
    uint8_t bytes[32];
    const int count = uart_fifo_read(dev, bytes, sizeof(bytes));
    if (count <= 0) return;
    for (int i = 0; i < count; ++i) k_msgq_put(&received, &bytes[i], K_NO_WAIT);
  }
}

}  // namespace

int main() {
  static UartPort port;
  static ParityServer server;
  const uint32_t clock_hz = clock_start();
  // If this fails, the application does not answer, and the host reports that there is no answer.
  groupcomm_state* const state = groupcomm_begin();
  if (!device_is_ready(uart) || state == nullptr) return -1;
  if (server.Init(state, &port, clock_hz, memory, sizeof(memory)) != GROUPCOMM_OK) return -1;
  uart_irq_callback_user_data_set(uart, OnUart, nullptr);
  uart_irq_rx_enable(uart);
  for (;;) {
    uint8_t byte;
    if (k_msgq_get(&received, &byte, K_FOREVER) == 0) server.Receive(byte);
  }
}
