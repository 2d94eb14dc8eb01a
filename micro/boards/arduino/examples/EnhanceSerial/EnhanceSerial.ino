// Answers `groupcomm parity BUNDLE --port PORT` of the host: PCM and features in; the outputs of
// the network and the cycles of each hop out. The protocol uses the port, so do not open a serial
// monitor.
#include <GroupComm.h>

#include "micro/boards/package/dwt.h"
#include "micro/parity/server.h"

class UsbPort final : public groupcomm::ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override { Serial.write(bytes, count); }
  uint32_t Cycles() override { return groupcomm::Cycles(); }
};

alignas(4) static uint8_t memory[groupcomm::ParityServer::Bytes(GROUPCOMM_INPUTS, GROUPCOMM_OUTPUTS,
                                                                GROUPCOMM_HOP, GROUPCOMM_SOURCES)];
static UsbPort port;
static groupcomm::ParityServer server;

void setup() {
  Serial.begin(115200);
  groupcomm::StartCycles();
  // If this fails, the sketch does not answer, and the host reports that there is no answer.
  while (!GroupComm.begin() || server.Init(GroupComm.state(), &port, groupcomm::CoreClock(), memory,
                                           sizeof(memory)) != GROUPCOMM_OK) {
  }
}

void loop() {
  while (Serial.available()) server.Receive(static_cast<uint8_t>(Serial.read()));
}
