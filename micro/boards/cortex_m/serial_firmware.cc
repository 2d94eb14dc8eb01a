// What answers `groupcomm parity --port` on an emulated board: its UART to micro/parity. Ends never; QEMU is stopped from outside.
#include "micro/boards/cortex_m/board.h"
#include "micro/engine/static_engine.h"
#include "micro/parity/server.h"
#include "micro/stream/static_stream.h"

#include GROUPCOMM_NETWORK_HEADER

using namespace groupcomm;  // NOLINT

namespace {

// "Cortex-M System Design Kit", APB UART, at the place that the machine has it (QEMU's docs: mps2-an386, mps2-an505, mps3-an547).
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

class UartPort final : public ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      while (uart->state & kSendFull) {
      }
      uart->data = bytes[i];
    }
  }
  uint32_t Cycles() override { return 0; }  // QEMU counts none
};

alignas(16) uint8_t network_memory[GROUPCOMM_NETWORK_MEMORY_BYTES];
alignas(16) uint8_t stream_memory[8192];
alignas(16) uint8_t server_memory[8192];

}  // namespace

int main() {
  static StaticEngine engine;
  static UartPort port;
  static ParityServer server;
  const gc_model& n = GROUPCOMM_NETWORK;
  const StreamConfig config = StreamConfigOf(n);
  Stream* stream;
  Status status = engine.Init(n, network_memory, sizeof(network_memory));
  if (status == Status::kOk) status = StreamCreate(config, &engine, stream_memory, sizeof(stream_memory), &stream);
  if (status == Status::kOk) status = server.Init(n, &engine, stream, &port, 0, server_memory, sizeof(server_memory));
  if (status != Status::kOk) BoardFail(StatusText(status), static_cast<int32_t>(status));
  uart->divider = kFastest;
  uart->control = kSendAndReceive;
  for (;;) {
    if (uart->state & kReceived) server.Receive(static_cast<uint8_t>(uart->data));
  }
}
