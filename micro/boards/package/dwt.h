// The cycle counter of the core: ARMv7-M and ARMv8-M Architecture Reference Manuals, "Data
// Watchpoint and Trace".
#pragma once

#include <cstdint>

#ifndef F_CPU
extern "C" uint32_t SystemCoreClock;  // CMSIS-Core, system_DEVICE.h
#endif

namespace groupcomm {

inline void StartCycles() {
  *reinterpret_cast<volatile uint32_t*>(0xE000EDFC) |= 1u << 24;  // DEMCR: trace enable
  *reinterpret_cast<volatile uint32_t*>(0xE0001000) |= 1u;        // DWT_CTRL: counter enable
}

// DWT_CYCCNT, which runs freely and wraps
inline uint32_t Cycles() { return *reinterpret_cast<volatile uint32_t*>(0xE0001004); }

// The clock of the core in Hz: Arduino's F_CPU, which not every core has, or else CMSIS' variable.
#ifdef F_CPU
inline uint32_t CoreClock() { return F_CPU; }
#else
inline uint32_t CoreClock() { return SystemCoreClock; }
#endif

}  // namespace groupcomm
