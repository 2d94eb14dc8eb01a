// Processes 60 s of sound on the real engine without one allocation: in this project's code, in
// TFLM with its own kernels or this project's, and in the C library.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "micro/boards/host/bundle.h"
#include "micro/stream/stream.h"
#include "micro/testing/allocations.h"
#include "micro/testing/check.h"

// A function of the wheel's binary that is like snprintf. It allocates memory for a number of many
// digits.
int MicroSnprintf(char* buffer, size_t size, const char* format, ...);

namespace groupcomm {
namespace {

using testing::Allocations;

template <typename F>
size_t CountAllocations(F f) {
  const size_t before = Allocations();
  f();
  return Allocations() - before;
}

// The counter detects allocations in this program, in the C and C++ libraries, and in the libraries
// that TFLM's binary uses.
void TheCounterCounts() {
  CHECK_TRUE(testing::CountsSharedLibraries());
  void* volatile kept;
  CHECK_EQ(CountAllocations([&] { kept = nullptr; }), size_t{0});
  CHECK_EQ(CountAllocations([&] { kept = std::malloc(10); }), size_t{1});
  std::free(kept);
  CHECK_EQ(CountAllocations([&] { kept = ::operator new(10); }), size_t{1});
  ::operator delete(kept);
  CHECK_EQ(CountAllocations([&] { kept = std::aligned_alloc(64, 64); }), size_t{1});
  std::free(kept);
  CHECK_EQ(CountAllocations([&] { kept = strdup("in the C library"); }), size_t{1});
  std::free(kept);
  CHECK_EQ(CountAllocations([&] { kept = new std::string(100, 'x'); }), size_t{2});
  delete static_cast<std::string*>(kept);
  char text[16];
  CHECK_TRUE(CountAllocations([&] { MicroSnprintf(text, sizeof(text), "%.99999f", 1.0); }) > 0);
}

void StreamingAllocatesNothing(Kernels kernels) {
  std::string error;
  host::Bundle bundle;
  host::BundleEngine engine;
  if (!host::LoadBundle("convert/bundles/enhance", &bundle, &error) ||
      !engine.Init(bundle, &error, kernels))
    CHECK_EQ(error, "");
  const SignalPath& config = bundle.network.signal;
  std::vector<uint8_t> memory(StreamBytes(config));
  std::vector<int16_t> in(config.hop), out(config.sources * config.hop);  // (hop), (sources, hop)
  const auto* pcm = reinterpret_cast<const int16_t*>(bundle.golden.pcm.data());  // (hops, hop)

  const int hops = 60 * bundle.network.signal.sample_rate / config.hop;
  long energy = 0;
  const size_t allocations = CountAllocations([&] {
    Stream* stream;
    CHECK_STATUS(StreamCreate(config, engine.engine(), memory.data(), memory.size(), &stream),
                 GROUPCOMM_OK);
    for (int i = 0; i < hops; ++i) {
      if (i == hops / 2) CHECK_TRUE(StreamReset(stream) == GROUPCOMM_OK);
      std::memcpy(in.data(), pcm + i % bundle.golden.hops * config.hop,
                  config.hop * sizeof(int16_t));
      if (StreamProcess(stream, in.data(), out.data()) != GROUPCOMM_OK) std::abort();
      for (int16_t sample : out) energy += sample * sample;
    }
  });
  CHECK_EQ(allocations, size_t{0});
  CHECK_TRUE(energy > 0);
  std::printf("%d hops, %zu allocations\n", hops, allocations);
}

}  // namespace
}  // namespace groupcomm

int main() {
  groupcomm::TheCounterCounts();
  groupcomm::StreamingAllocatesNothing(groupcomm::TflmKernels);
  groupcomm::StreamingAllocatesNothing(groupcomm::GroupCommKernels);
}
