// Too little memory, and an engine of other sizes, are rejected. tests/convert/verify/test_serial_parity.py tests
// the protocol on the emulated boards.
#include "micro/parity/server.h"

#include "micro/testing/check.h"

using namespace groupcomm;  // NOLINT

namespace groupcomm {

Status StreamProcess(Stream*, const int16_t*, int16_t*) { return Status::kOk; }
Status StreamReset(Stream*) { return Status::kOk; }

}  // namespace groupcomm

namespace {

class Fixed final : public Engine {
 public:
  int features() const override { return 300; }
  int masks() const override { return 260; }
  Status Run(const int8_t*, int8_t*) override { return Status::kOk; }
  Status Reset() override { return Status::kOk; }
};

class Silent final : public ParityPort {
 public:
  void Write(const uint8_t*, size_t count) override { written += count; }
  uint32_t Cycles() override { return 0; }
  size_t written = 0;
};

}  // namespace

int main() {
  gc_model model = {};
  model.inputs = 300, model.outputs = 260, model.signal.hop = 128, model.signal.sources = 1;
  Fixed engine;
  Silent port;
  ParityServer server;
  alignas(4) static uint8_t memory[4096];
  const size_t bytes = ParityServer::Bytes(300, 260, 128, 1);
  CHECK_STATUS(server.Init(model, &engine, nullptr, &port, 0, memory, bytes - 1),
               Status::kBadMemory);
  CHECK_STATUS(server.Init(model, &engine, nullptr, &port, 0, memory + 2, bytes),
               Status::kBadMemory);
  model.inputs = 301;
  CHECK_STATUS(server.Init(model, &engine, nullptr, &port, 0, memory, sizeof(memory)),
               Status::kEngineMismatch);
  model.inputs = 300;
  CHECK_STATUS(server.Init(model, &engine, nullptr, &port, 0, memory, bytes), Status::kOk);
  // Invalid and overlong frames cause no answer, and no write beyond the memory.
  memory[bytes] = 0xA5;
  for (int i = 0; i < 100000; ++i)
    server.Receive(static_cast<uint8_t>(i % 5000 == 0 ? 0 : 1 + i % 255));
  CHECK_EQ(port.written, size_t{0});
  CHECK_EQ(static_cast<int>(memory[bytes]), 0xA5);
}
