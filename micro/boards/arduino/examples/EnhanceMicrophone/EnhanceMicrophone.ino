// Processes the board's PDM microphone hop by hop, and sends the sound before and after to the host,
// where `groupcomm listen --port PORT --out DIR` records and meters it. The board has no
// loudspeaker. Keys from the host: 'b' for a bypass and 'a' to end it, '0' to '9' to limit the
// attenuation to 0 to 27 dB in steps of 3 dB, 'x' for no limit, and 'A' to 'U' for a gain of the
// microphone of -20 to 20 dB in steps of 2 dB.
#include <GroupComm.h>
#include <PDM.h>

#include "micro/boards/package/dwt.h"
#include "micro/parity/live.h"

static const int kHop = GroupCommClass::kHop;
static const int kQueue = 8;  // hops between the microphone and loop()

class UsbPort final : public groupcomm::ParityPort {
 public:
  void Write(const uint8_t* bytes, size_t count) override { Serial.write(bytes, count); }
  uint32_t Cycles() override { return groupcomm::Cycles(); }
};

static int16_t queue[kQueue * kHop];  // (hops, hop): a ring buffer
// samples; only the interrupt writes it
static volatile uint32_t written = 0;
static uint32_t read_so_far = 0;                      // samples; only loop() uses it
static int16_t out[GroupCommClass::kSources * kHop];  // (sources, hop)
static uint8_t frame[groupcomm::LiveWriter::Bytes(kHop, GroupCommClass::kSources)];
static UsbPort port;
static groupcomm::LiveWriter live;

static void onData() {
  int16_t some[256];
  while (int bytes = PDM.available()) {
    const int most = static_cast<int>(sizeof(some));
    const int got = PDM.read(some, bytes < most ? bytes : most) / 2;
    if (got <= 0) return;
    for (int i = 0; i < got; ++i) queue[(written + i) % (kQueue * kHop)] = some[i];
    written += got;
  }
}

// Says what is wrong, four times a minute, to a serial monitor.
static void fail(const char* reason) {
  while (true) {
    Serial.println(reason);
    delay(15000);
  }
}

void setup() {
  Serial.begin(115200);
  PDM.onReceive(onData);
  if (!GroupComm.begin()) fail(GroupComm.error());
  if (live.Init(GroupComm.state(), &port, frame, sizeof(frame)) != GROUPCOMM_OK)
    fail("the buffer of a frame is too small");
  if (!PDM.begin(1, GroupCommClass::kSampleRate)) fail("the microphone did not start");
}

void loop() {
  while (Serial.available()) {
    const int key = Serial.read();
    if (key == 'a' || key == 'b') GroupComm.setBypass(key == 'b');
    if (key >= '0' && key <= '9') GroupComm.setAttenuationLimit(3.0f * (key - '0'));
    if (key == 'x') GroupComm.setAttenuationLimit(INFINITY);
    if (key >= 'A' && key <= 'U') PDM.setGain(4 * (key - 'A'));  // 0 to 80: half decibels
  }
  const uint32_t ahead = written - read_so_far;
  if (ahead < static_cast<uint32_t>(kHop)) return;
  uint32_t lost = 0;
  // the network is too slow: continue with the newest hop
  if (ahead > static_cast<uint32_t>((kQueue - 1) * kHop)) {
    lost = ahead / kHop - 1;
    read_so_far += lost * kHop;
  }
  // (hop); a hop never crosses the end of the ring buffer
  const int16_t* in = queue + read_so_far % (kQueue * kHop);
  GroupComm.process(in, out);
  if (Serial) live.Send(in, out, lost);
  read_so_far += kHop;
}
