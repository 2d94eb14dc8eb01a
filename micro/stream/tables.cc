#include "micro/stream/tables.h"

#include <cmath>
#include <cstring>

namespace groupcomm {
namespace {

// Returns the bits of the smallest float that is not below x. Non-negative floats have the same
// order as their bits.
int32_t BitsUp(double x) {
  const float near = static_cast<float>(x);
  int32_t bits;
  std::memcpy(&bits, &near, sizeof(bits));
  return bits + (near < x);
}

}  // namespace

void StreamTables(SignalPath* path, float* analysis, int32_t* feature_thresholds) {
  // In double precision, as in Python, and rounded once.
  const double pi = 3.14159265358979323846;
  for (int n = 0; n < path->window; ++n) {
    const double hann = path->waveform ? 1 : 0.5 - 0.5 * std::cos(2 * pi * n / path->window);
    analysis[n] = static_cast<float>(std::sqrt(hann));
  }
  for (int i = 0; i < GC_FEATURE_THRESHOLDS; ++i) {
    // From this power on, the feature is at least i - 127: its real value rounds to at least this
    // many scales.
    const int scales = i - 127 - path->features.zero_point;
    const double feature = (scales - 0.5) * path->features.scale;
    feature_thresholds[i] = scales <= 0 ? 0 : BitsUp(std::pow(feature, 2.0 / path->exponent));
  }
  path->analysis = analysis;
  path->feature_thresholds = feature_thresholds;
}

}  // namespace groupcomm
