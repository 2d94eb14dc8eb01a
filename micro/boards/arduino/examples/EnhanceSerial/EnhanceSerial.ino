// Answers `groupcomm parity BUNDLE --port PORT` on the host: PCM and features in, the network's bytes and the cycles of each hop out.
// The port is the protocol's: open no serial monitor.
#include <GroupComm.h>

#include "micro/parity/server.h"

// ARMv7-M and ARMv8-M Architecture Reference Manuals, "Data Watchpoint and Trace".
static volatile uint32_t& demcr = *reinterpret_cast<volatile uint32_t*>(0xE000EDFC);
static volatile uint32_t& dwt_control = *reinterpret_cast<volatile uint32_t*>(0xE0001000);
static volatile uint32_t& dwt_cycles = *reinterpret_cast<volatile uint32_t*>(0xE0001004);

class UsbPort final : public groupcomm::ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override { Serial.write(bytes, count); }
  uint32_t Cycles() override { return dwt_cycles; }
};

static const gc_model& network = GROUPCOMM_NETWORK;
alignas(4) static uint8_t memory[8192];  // for frames
static UsbPort port;
static groupcomm::ParityServer server;

void setup() {
  Serial.begin(115200);
  demcr |= 1u << 24;  // trace enable
  dwt_control |= 1u;  // counter enable
  // Without memory it stays silent, and the host says that nobody answers.
  while (!GroupComm.begin() || server.Init(network, GroupComm.engine(), GroupComm.stream(), &port, F_CPU, memory, sizeof(memory)) !=
                                   groupcomm::Status::kOk) {
  }
}

void loop() {
  while (Serial.available()) server.Receive(static_cast<uint8_t>(Serial.read()));
}
