// Marks for the instruction counter (counter/counter.c): the code between SpanBegin<n> and
// SpanEnd<n> is one run of span n. A mark is a debug hint, which a core ignores; the counter does
// not count it.
#pragma once

namespace groupcomm::board {

constexpr int kSpans = 8;

template <int kSpan>
inline void SpanBegin() {
  static_assert(kSpan >= 0 && kSpan < kSpans, "the hint has 16 values");
  __asm__ volatile("dbg %0" : : "i"(2 * kSpan) : "memory");
}

template <int kSpan>
inline void SpanEnd() {
  static_assert(kSpan >= 0 && kSpan < kSpans, "the hint has 16 values");
  __asm__ volatile("dbg %0" : : "i"(2 * kSpan + 1) : "memory");
}

}  // namespace groupcomm::board
