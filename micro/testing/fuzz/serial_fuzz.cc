// Fuzzes the board's side of the serial protocol. The first bit of the input selects what it is:
// bytes on the line, or requests that arrive in valid frames. Every answer decodes, and the network
// runs at most once per number. Nothing is allocated for an input, which would take most of the time.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "micro/parity/server.h"

using namespace groupcomm;  // NOLINT

struct groupcomm_state {
  gc_model model;
  int runs;
};

const gc_model* groupcomm_model(const groupcomm_state* state) { return &state->model; }
groupcomm_status groupcomm_reset(groupcomm_state* state) {
  ++state->runs;
  return GROUPCOMM_OK;
}
groupcomm_status groupcomm_process(groupcomm_state* state, const int16_t* in, int16_t* out) {
  ++state->runs;
  std::copy(in, in + state->model.signal.hop, out);
  return GROUPCOMM_OK;
}
groupcomm_status groupcomm_run_network(groupcomm_state* state, const int8_t* in, int8_t* out) {
  ++state->runs;
  for (int i = 0; i < state->model.outputs; ++i) out[i] = in[i % state->model.inputs];
  return GROUPCOMM_OK;
}

namespace {

// Longer than all answers to the longest input.
constexpr size_t kRoom = 1 << 16;

class Line final : public ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override {
    if (count > kRoom - filled) std::abort();
    std::memcpy(sent + filled, bytes, count);
    filled += count;
  }
  uint32_t Cycles() override { return 7; }
  uint8_t sent[kRoom];
  size_t filled = 0;
};

constexpr int kInputs = 5, kOutputs = 9, kHop = 4, kSources = 2;
constexpr size_t kBytes = ParityServer::Bytes(kInputs, kOutputs, kHop, kSources);

// Returns the byte 0 and what decodes before it; aborts where something does not.
size_t CheckAnswers(uint8_t* at, const uint8_t* last) {
  size_t answers = 0;
  for (; at != last; ++answers) {
    uint8_t* const end = static_cast<uint8_t*>(std::memchr(at, 0, last - at));
    if (end == nullptr) std::abort();
    const size_t payload = DecodeFrame(at, end - at);
    if (payload == SIZE_MAX || (at[0] & ParityServer::kAnswer) == 0 || at[1] != kFrameVersion)
      std::abort();
    at = end + 1;
  }
  return answers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  groupcomm_state state = {};
  state.model.inputs = kInputs, state.model.outputs = kOutputs;
  state.model.signal.hop = kHop, state.model.signal.sources = kSources;
  static Line board, host;
  board.filled = host.filled = 0;
  // On the heap and of this size, so that an access behind it is found
  static uint32_t* const memory = static_cast<uint32_t*>(std::malloc(kBytes));
  std::memset(memory, 0, kBytes);
  ParityServer server;
  if (server.Init(&state, &board, 0, memory, kBytes) != GROUPCOMM_OK) std::abort();
  const bool framed = data[0] & 1;
  size_t requests = 0;
  if (!framed) {
    host.Write(data + 1, size - 1);
    requests = std::count(host.sent, host.sent + host.filled, 0);
  } else {
    // kind, number, bytes of the payload, payload
    for (size_t at = 1; at + 3 <= size; ++requests) {
      const size_t bytes = std::min<size_t>(data[at + 2], size - at - 3);
      uint8_t frame[kFrameHead + 255 + kFrameCrc], decoded[sizeof(frame) + 2];
      std::memcpy(frame + kFrameHead, data + at + 3, bytes);
      const size_t whole = FinishFrame(data[at], data[at + 1], frame, bytes);
      const size_t before = host.filled;
      SendFrame(&host, frame, whole);
      const size_t encoded = host.filled - before - 1;  // without the 0 at its end
      if (encoded > sizeof(decoded)) std::abort();
      std::memcpy(decoded, host.sent + before, encoded);
      if (std::memchr(decoded, 0, encoded) != nullptr || DecodeFrame(decoded, encoded) != bytes ||
          std::memcmp(frame, decoded, whole) != 0)
        std::abort();
      at += 3 + bytes;
    }
  }
  for (size_t i = 0; i < host.filled; ++i) server.Receive(host.sent[i]);
  const size_t answers = CheckAnswers(board.sent, board.sent + board.filled);
  if (answers > requests || state.runs > static_cast<int>(answers)) std::abort();
  return 0;
}
