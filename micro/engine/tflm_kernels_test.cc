// This project's kernels inside the official TFLM give its bytes on every hop. The comparison
// detects a kernel that loses its state.
#include "micro/engine/tflm_kernels.h"

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "micro/boards/host/bundle.h"
#include "micro/contract/lstm_inputs.h"
#include "micro/testing/check.h"

namespace groupcomm {
namespace {

using Bytes = std::vector<uint8_t>;

host::Bundle Load() {
  host::Bundle bundle;
  std::string error;
  if (!host::LoadBundle("convert/bundles/enhance", &bundle, &error)) CHECK_EQ(error, "");
  return bundle;
}

std::unique_ptr<host::BundleEngine> Engine(const host::Bundle& bundle, Kernels kernels) {
  auto engine = std::make_unique<host::BundleEngine>();
  std::string error;
  if (!engine->Init(bundle, &error, kernels)) CHECK_EQ(error, "");
  return engine;
}

Bytes Run(TflmEngine* engine, const Bytes& features /* (hops, bins) */) {
  const size_t hops = features.size() / engine->features();
  Bytes masks(hops * engine->masks());  // (hops, sources, bins)
  for (size_t hop = 0; hop < hops; ++hop) {
    const auto* in = reinterpret_cast<const int8_t*>(features.data()) + hop * engine->features();
    CHECK_STATUS(engine->Run(in, reinterpret_cast<int8_t*>(masks.data()) + hop * engine->masks()),
                 GROUPCOMM_OK);
  }
  return masks;
}

// Returns the hops that differ from the golden masks, in two equal passes with a reset in between.
std::vector<int> DifferentHops(const host::Bundle& bundle, Kernels kernels) {
  const auto engine = Engine(bundle, kernels);
  std::vector<int> different;
  for (int pass = 0; pass < 2; ++pass) {
    if (pass > 0) CHECK_STATUS(engine->engine()->Reset(), GROUPCOMM_OK);
    const Bytes masks = Run(engine->engine(), bundle.golden.features);
    const size_t size = engine->engine()->masks();
    for (int hop = 0; hop < bundle.golden.hops; ++hop) {
      const size_t at = hop * size;
      if (std::memcmp(masks.data() + at, bundle.golden.masks.data() + at, size) != 0) {
        different.push_back(pass * bundle.golden.hops + hop);
      }
    }
  }
  return different;
}

void GoldenBytes() {
  const host::Bundle bundle = Load();
  CHECK_EQ(DifferentHops(bundle, TflmKernels).size(), size_t{0});
  CHECK_EQ(DifferentHops(bundle, GroupCommKernels).size(), size_t{0});
}

// Features that no sound produces.
void Extremes() {
  const host::Bundle bundle = Load();
  const int inputs = StreamInputs(bundle.network.signal), hops = 40;
  std::mt19937 random(1);
  Bytes features;
  for (const int kind : {0, 1, 2, 3, 4}) {
    for (int i = 0; i < hops * inputs; ++i) {
      const bool flip = kind == 2 ? i / inputs % 2 : random() % 2;
      features.push_back(kind == 4 ? random() % 256 : kind == 0 || (kind > 1 && flip) ? 128 : 127);
    }
  }
  const auto library = Engine(bundle, TflmKernels), ours = Engine(bundle, GroupCommKernels);
  const Bytes expected = Run(library->engine(), features);
  CHECK_TRUE(Run(ours->engine(), features) == expected);
  CHECK_STATUS(ours->engine()->Reset(), GROUPCOMM_OK);
  CHECK_TRUE(Run(ours->engine(), features) == expected);
}

// CMSIS-NN's LSTM, as TFLM calls it, begins every call from the state after a reset. This kernel
// does the same.
tflm::Result InvokeForgetful(tflm::Context* context, tflm::Node* node) {
  static std::map<const tflm::Node*, std::pair<std::vector<int8_t>, std::vector<int16_t>>> fresh;
  tflm::KernelContext* interpreter = tflm::GetMicroContext(context);
  const tflm::EvalTensor *hidden =
                             interpreter->GetEvalTensor(node->inputs->data[GC_LSTM_HIDDEN_STATE]),
                         *cells =
                             interpreter->GetEvalTensor(node->inputs->data[GC_LSTM_CELL_STATE]);
  size_t size = 1;  // (batch, units)
  for (int i = 0; i < hidden->dims->size; ++i) size *= hidden->dims->data[i];
  const auto& [hidden_state, cell_state] =
      fresh
          .try_emplace(node, std::vector(hidden->data.int8, hidden->data.int8 + size),
                       std::vector(cells->data.i16, cells->data.i16 + size))
          .first->second;
  std::memcpy(hidden->data.int8, hidden_state.data(), size);
  std::memcpy(cells->data.i16, cell_state.data(), size * sizeof(int16_t));
  return GroupCommKernels(tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM)
      ->invoke(context, node);
}

const tflm::Registration* ForgetfulKernels(tflm::Operator code) {
  static tflm::Registration lstm =
      *GroupCommKernels(tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM);
  lstm.invoke = InvokeForgetful;
  return code == tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM ? &lstm
                                                                    : GroupCommKernels(code);
}

void KernelThatLosesItsStateIsDetected() {
  const host::Bundle bundle = Load();
  const std::vector<int> different = DifferentHops(bundle, ForgetfulKernels);
  const int hops = bundle.golden.hops;
  std::vector<int> all_but_the_first;
  for (int hop = 0; hop < 2 * hops; ++hop) {
    if (hop % hops != 0) all_but_the_first.push_back(hop);
  }
  CHECK_TRUE(different == all_but_the_first);
  std::printf("a kernel that loses its state differs on %zu of %d hops\n", different.size(),
              2 * hops);
}

void Arenas() {
  const host::Bundle bundle = Load();
  const auto library = Engine(bundle, TflmKernels), ours = Engine(bundle, GroupCommKernels);
  std::printf("arena used: %zu bytes with this project's kernels, %zu with TFLM's\n",
              ours->engine()->arena_used(), library->engine()->arena_used());
  // An arena that is too small is an error with a message, and never gives other bytes.
  int fits = 0, refused = 0;
  for (size_t half = bundle.arena_bytes / 2 + 2048; half > 2048; half -= 509) {
    host::Bundle small = bundle;
    small.arena_bytes = half;  // a host doubles it for this project's kernels
    std::string error;
    auto engine = std::make_unique<host::BundleEngine>();
    if (engine->Init(small, &error, GroupCommKernels)) {
      ++fits;
      small.golden.hops = 20;
      small.golden.features.resize(small.golden.hops * engine->engine()->features());
      const Bytes masks = Run(engine->engine(), small.golden.features);
      CHECK_EQ(std::memcmp(masks.data(), bundle.golden.masks.data(), masks.size()), 0);
    } else {
      ++refused;
      CHECK_CONTAINS(error, "in an arena of " + std::to_string(2 * half) + " bytes");
    }
  }
  CHECK_TRUE(fits > 0 && refused > 10);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::GoldenBytes();
  groupcomm::Extremes();
  groupcomm::KernelThatLosesItsStateIsDetected();
  groupcomm::Arenas();
}
