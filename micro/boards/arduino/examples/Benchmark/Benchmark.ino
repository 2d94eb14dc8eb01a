// Prints the cycles per hop, measured by the core's cycle counter (DWT CYCCNT), and the load, which
// is their share of the cycles in a hop. Open the serial monitor.
#include <GroupComm.h>

#include "micro/boards/package/dwt.h"

static int16_t in[GroupCommClass::kHop];                              // (hop)
static int16_t out[GroupCommClass::kSources * GroupCommClass::kHop];  // (sources, hop)

void setup() {
  Serial.begin(115200);
  while (!Serial) {
  }
  groupcomm::StartCycles();
  if (!GroupComm.begin()) {
    Serial.println(GroupComm.error());
    while (true) {
    }
  }
}

void loop() {
  const int hops = 250;
  uint32_t worst = 0, noise = 1;
  uint64_t all = 0;
  for (int hop = 0; hop < hops; ++hop) {
    for (int16_t& x : in) x = static_cast<int16_t>((noise = noise * 1664525u + 1013904223u) >> 20);
    const uint32_t start = groupcomm::Cycles();
    GroupComm.process(in, out);
    const uint32_t took = groupcomm::Cycles() - start;
    worst = took > worst ? took : worst;
    all += took;
  }
  const uint32_t most = static_cast<uint32_t>(static_cast<uint64_t>(groupcomm::CoreClock()) *
                                              GroupCommClass::kHop / GroupCommClass::kSampleRate);
  Serial.print("cycles a hop: mean ");
  Serial.print(static_cast<uint32_t>(all / hops));
  Serial.print(", worst ");
  Serial.print(worst);
  Serial.print(" of ");
  Serial.print(most);
  Serial.print(", load ");
  Serial.print(100.0f * worst / most);
  Serial.println(" %");
}
