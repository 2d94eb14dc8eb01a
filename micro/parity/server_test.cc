// Too little memory is rejected. tests/convert/verify/test_serial_parity.py tests the protocol on the
// emulated boards.
#include "micro/parity/server.h"

#include "micro/engine/engine.h"
#include "micro/testing/check.h"

using namespace groupcomm;  // NOLINT

struct groupcomm_state {
  gc_model model;
};

const gc_model* groupcomm_model(const groupcomm_state* state) { return &state->model; }
groupcomm_status groupcomm_reset(groupcomm_state*) { return GROUPCOMM_OK; }
groupcomm_status groupcomm_process(groupcomm_state*, const int16_t*, int16_t*) {
  return GROUPCOMM_OK;
}
groupcomm_status groupcomm_run_network(groupcomm_state*, const int8_t*, int8_t*) {
  return GROUPCOMM_OK;
}

namespace {

class Silent final : public ParityPort {
 public:
  void Write(const uint8_t*, size_t count) override { written += count; }
  uint32_t Cycles() override { return 0; }
  size_t written = 0;
};

}  // namespace

int main() {
  groupcomm_state state = {};
  state.model.inputs = 300, state.model.outputs = 260;
  state.model.signal.hop = 128, state.model.signal.sources = 1;
  Silent port;
  ParityServer server;
  alignas(4) static uint8_t memory[4096];
  const size_t bytes = ParityServer::Bytes(300, 260, 128, 1);
  CHECK_STATUS(server.Init(&state, &port, 0, memory, bytes - 1), GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK_STATUS(server.Init(&state, &port, 0, memory + 2, bytes), GROUPCOMM_MEMORY_NOT_ALIGNED);
  CHECK_STATUS(server.Init(&state, &port, 0, memory, bytes), GROUPCOMM_OK);
  // Invalid and overlong frames cause no answer, and no write beyond the memory.
  memory[bytes] = 0xA5;
  for (int i = 0; i < 100000; ++i)
    server.Receive(static_cast<uint8_t>(i % 5000 == 0 ? 0 : 1 + i % 255));
  CHECK_EQ(port.written, size_t{0});
  CHECK_EQ(static_cast<int>(memory[bytes]), 0xA5);
}
