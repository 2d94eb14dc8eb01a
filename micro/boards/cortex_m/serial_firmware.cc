// Answers `groupcomm parity --port` on an emulated board: connects its UART to micro/parity. It
// never returns; QEMU is stopped from outside.
#include "micro/boards/cortex_m/board.h"
#include "micro/parity/server.h"

#include GROUPCOMM_NETWORK_HEADER

using namespace groupcomm;  // NOLINT

namespace {

// The APB UART of the "Cortex-M System Design Kit", at its address in each machine (QEMU's
// documentation of mps2-an386, mps2-an505 and mps3-an547).
struct Uart {
  volatile uint32_t data, state, control, interrupt, divider;
};
#if defined(__ARM_FEATURE_MVE)
Uart* const uart = reinterpret_cast<Uart*>(0x49303000);
#elif __ARM_ARCH >= 8
Uart* const uart = reinterpret_cast<Uart*>(0x50200000);
#else
Uart* const uart = reinterpret_cast<Uart*>(0x40004000);
#endif
constexpr uint32_t kSendFull = 1, kReceived = 2, kSendAndReceive = 3, kFastest = 16;

// ARMv7-M Architecture Reference Manual, "SysTick".
struct SysTick {
  volatile uint32_t control, reload, value;
};
SysTick* const systick = reinterpret_cast<SysTick*>(0xE000E010);
constexpr uint32_t kClockHz = __ARM_ARCH < 8 ? 25000000 : 0;

class UartPort final : public ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      while (uart->state & kSendFull) {
      }
      uart->data = bytes[i];
    }
  }
#if __ARM_ARCH < 8
  // QEMU does not count cycles, but its SysTick counts down 25 million times a second. It has 24
  // bits and is read more often than it wraps within a hop.
  uint32_t Cycles() override {
    const uint32_t now = systick->value;
    const uint32_t passed = (last_ - now) & 0xFFFFFF;
    last_ = now;
    return all_ += passed;
  }

 private:
  uint32_t last_ = 0, all_ = 0;
#else
  uint32_t Cycles() override { return 0; }  // like a core without a counter
#endif
};

GROUPCOMM_ALIGNED uint8_t memory[GROUPCOMM_NETWORK_BYTES];
alignas(4) uint8_t server_memory[8192];

}  // namespace

int main() {
  static UartPort port;
  static ParityServer server;
  groupcomm_state* state;
  groupcomm_status status = groupcomm_create(&GROUPCOMM_NETWORK, memory, sizeof(memory), &state);
  if (status == GROUPCOMM_OK)
    status = server.Init(state, &port, kClockHz, server_memory, sizeof(server_memory));
  if (status != GROUPCOMM_OK)
    BoardFail(groupcomm_status_text(status), static_cast<int32_t>(status));
  systick->reload = 0xFFFFFF;
  systick->control = 5;  // the core's clock, no interrupt
  uart->divider = kFastest;
  uart->control = kSendAndReceive;
  for (;;) {
    if (uart->state & kReceived) server.Receive(static_cast<uint8_t>(uart->data));
  }
}
