// The cycle counter of the core: ARMv7-M and ARMv8-M Architecture Reference Manuals, "Data
// Watchpoint and Trace".
#pragma once

#include <cstdint>

namespace groupcomm {

inline void StartCycles() {
  *reinterpret_cast<volatile uint32_t*>(0xE000EDFC) |= 1u << 24;  // DEMCR: trace enable
  *reinterpret_cast<volatile uint32_t*>(0xE0001000) |= 1u;        // DWT_CTRL: counter enable
}

// DWT_CYCCNT, which runs freely and wraps
inline uint32_t Cycles() { return *reinterpret_cast<volatile uint32_t*>(0xE0001004); }

}  // namespace groupcomm
