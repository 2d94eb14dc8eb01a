// Prints the cycles per hop, measured by the core's cycle counter (DWT CYCCNT), and the load, which
// is their share of the cycles in a hop.
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "clock.h"
#include "micro/boards/package/package.h"

int main() {
  static int16_t in[GROUPCOMM_HOP];                       // (hop)
  static int16_t out[GROUPCOMM_SOURCES * GROUPCOMM_HOP];  // (sources, hop)
  constexpr int kHops = 250;
  const uint32_t clock_hz = clock_start();
  const uint32_t most = static_cast<uint32_t>(static_cast<uint64_t>(clock_hz) * GROUPCOMM_HOP /
                                              GROUPCOMM_SAMPLE_RATE);
  groupcomm_state* const state = groupcomm_begin();
  if (state == nullptr) {
    printk("%s\n", groupcomm_error());
    return -1;
  }
  for (;;) {
    uint32_t worst = 0, noise = 1;
    uint64_t all = 0;
    for (int hop = 0; hop < kHops; ++hop) {
      for (int16_t& x : in)
        x = static_cast<int16_t>((noise = noise * 1664525u + 1013904223u) >> 20);
      const uint32_t start = clock_cycles();
      groupcomm_process(state, in, out);
      const uint32_t took = clock_cycles() - start;
      worst = took > worst ? took : worst;
      all += took;
    }
    printk("%u MHz, cycles a hop: mean %u, worst %u of %u, load %u.%u %%\n",
           static_cast<unsigned>(clock_hz / 1000000), static_cast<unsigned>(all / kHops),
           static_cast<unsigned>(worst), static_cast<unsigned>(most),
           static_cast<unsigned>(100ull * worst / most),
           static_cast<unsigned>(1000ull * worst / most % 10));
    k_sleep(K_SECONDS(1));
  }
}
