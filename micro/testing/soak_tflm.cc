// Loops of tools/soak.py over the engine on TFLM, whose binary is that of the official wheel.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "enhance_nano.h"
#include "micro/engine/tflm_engine.h"

namespace {

using groupcomm::TflmConfig;
using groupcomm::TflmEngine;

constexpr int kHops = 8, kMaxMasks = 1024;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

// An engine with its arena, both in memory of the heap.
struct Made {
  explicit Made(TflmConfig config)
      : arena(std::aligned_alloc(16, (config.arena_bytes + 15) / 16 * 16)),
        engine(new (std::nothrow) TflmEngine) {
    config.arena = static_cast<uint8_t*>(arena.get());
    works =
        engine != nullptr && engine->Init(config) == GROUPCOMM_OK && engine->masks() <= kMaxMasks;
  }

  // Runs hops from the start; returns whether the masks are those of the official TFLM.
  bool Gives(const int8_t* features, const int8_t* masks, int hops) {
    int8_t found[kMaxMasks];
    for (int i = 0; i < hops; ++i) {
      if (engine->Run(features + i * engine->features(), found) != GROUPCOMM_OK) return false;
      if (std::memcmp(found, masks + i * engine->masks(), engine->masks()) != 0) return false;
    }
    return true;
  }

  std::unique_ptr<void, Free> arena;
  std::unique_ptr<TflmEngine> engine;  // destroyed before its arena
  bool works;
};

TflmConfig Config(const uint8_t* model, size_t bytes, const char* const* operators, int count,
                  size_t arena_bytes) {
  return {&groupcomm_enhance_nano, model, bytes, operators, count, nullptr, arena_bytes};
}

}  // namespace

extern "C" {

// Creates an engine, or returns null.
Made* soak_tflm_create(const uint8_t* model, size_t bytes, const char* const* operators, int count,
                       size_t arena_bytes) {
  Made* const made = new (std::nothrow) Made(Config(model, bytes, operators, count, arena_bytes));
  if (made != nullptr && made->works) return made;
  delete made;
  return nullptr;
}

void soak_tflm_free(Made* made) { delete made; }

// Runs hops of features (hops, inputs) after those before, without a reset. Returns how many gave
// masks that are not those given, (hops, outputs).
int64_t soak_tflm_run(Made* made, const int8_t* features, const int8_t* masks, int64_t hops) {
  const int inputs = made->engine->features(), outputs = made->engine->masks();
  int8_t found[kMaxMasks];
  int64_t wrong = 0;
  for (int64_t i = 0; i < hops; ++i) {
    wrong += made->engine->Run(features + i * inputs, found) != GROUPCOMM_OK ||
             std::memcmp(found, masks + i * outputs, outputs) != 0;
  }
  return wrong;
}

// Resets an engine `times` times, and after each hundredth time runs one to eight hops of features
// (8, inputs). Returns how often the masks were not those given, (8, outputs).
int64_t soak_tflm_reset(const uint8_t* model, size_t bytes, const char* const* operators, int count,
                        size_t arena_bytes, const int8_t* features, const int8_t* masks,
                        int64_t times) {
  Made made(Config(model, bytes, operators, count, arena_bytes));
  if (!made.works) return times;
  int64_t wrong = 0;
  for (int64_t i = 0; i < times; ++i) {
    if (made.engine->Reset() != GROUPCOMM_OK) return times;
    if (i % 100 == 0) wrong += !made.Gives(features, masks, 1 + static_cast<int>(i / 100 % kHops));
  }
  return wrong;
}

// Creates an engine `times` times, runs a hop and destroys it. Returns how often the masks were not
// those given.
int64_t soak_tflm_life(const uint8_t* model, size_t bytes, const char* const* operators, int count,
                       size_t arena_bytes, const int8_t* features, const int8_t* masks,
                       int64_t times) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < times; ++i) {
    Made made(Config(model, bytes, operators, count, arena_bytes));
    wrong += !made.works || !made.Gives(features, masks, 1);
  }
  return wrong;
}

}  // extern "C"
