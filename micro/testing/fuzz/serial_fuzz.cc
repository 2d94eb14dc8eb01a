// Fuzzes the board's side of the serial protocol. The first bit of the input selects what it is:
// bytes on the line, or requests that arrive in valid frames. Every answer decodes, and the network
// runs at most once per number.
#include <algorithm>
#include <cstdlib>
#include <vector>

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

class Line final : public ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override {
    sent.insert(sent.end(), bytes, bytes + count);
  }
  uint32_t Cycles() override { return 7; }
  std::vector<uint8_t> sent;
};

constexpr int kInputs = 5, kOutputs = 9, kHop = 4, kSources = 2;
constexpr size_t kBytes = ParityServer::Bytes(kInputs, kOutputs, kHop, kSources);

// Returns the byte 0 and what decodes before it; aborts where something does not.
size_t CheckAnswers(std::vector<uint8_t> sent) {
  size_t answers = 0;
  for (auto at = sent.begin(); at != sent.end(); ++answers) {
    const auto end = std::find(at, sent.end(), 0);
    if (end == sent.end()) std::abort();
    const size_t payload = DecodeFrame(&*at, end - at);
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
  Line board, host;
  ParityServer server;
  std::vector<uint32_t> memory((kBytes + 3) / 4);
  if (server.Init(&state, &board, 0, memory.data(), kBytes) != GROUPCOMM_OK) std::abort();
  const bool framed = data[0] & 1;
  size_t requests = 0;
  if (!framed) {
    host.sent.assign(data + 1, data + size);
    requests = std::count(host.sent.begin(), host.sent.end(), 0);
  } else {
    // kind, number, bytes of the payload, payload
    for (size_t at = 1; at + 3 <= size; ++requests) {
      const size_t bytes = std::min<size_t>(data[at + 2], size - at - 3);
      std::vector<uint8_t> frame(kFrameHead + bytes + kFrameCrc);
      std::copy(data + at + 3, data + at + 3 + bytes, frame.begin() + kFrameHead);
      const size_t whole = FinishFrame(data[at], data[at + 1], frame.data(), bytes);
      const size_t before = host.sent.size();
      SendFrame(&host, frame.data(), whole);
      std::vector<uint8_t> encoded(host.sent.begin() + before, host.sent.end() - 1);
      if (std::count(encoded.begin(), encoded.end(), 0) != 0 ||
          DecodeFrame(encoded.data(), encoded.size()) != bytes ||
          !std::equal(frame.begin(), frame.end(), encoded.begin()))
        std::abort();
      at += 3 + bytes;
    }
  }
  for (uint8_t byte : host.sent) server.Receive(byte);
  const size_t answers = CheckAnswers(board.sent);
  if (answers > requests || state.runs > static_cast<int>(answers)) std::abort();
  return 0;
}
