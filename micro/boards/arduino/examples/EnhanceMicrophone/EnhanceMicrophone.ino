// Processes the board's PDM microphone hop by hop. Prints the level before and after, in dBFS, four
// times a second. Send 'b' for a bypass and 'a' to end it, '0' to '9' to limit the attenuation to 0
// to 27 dB in steps of 3 dB, and 'x' for no limit. The board has no loudspeaker.
#include <GroupComm.h>
#include <PDM.h>

static const int kHop = GroupCommClass::kHop;
static const int kQueue = 8;  // hops between the microphone and loop()

static int16_t queue[kQueue * kHop];  // (hops, hop): a ring buffer
// samples; only the interrupt writes it
static volatile uint32_t written = 0;
static uint32_t read_so_far = 0;                      // samples; only loop() uses it
static int16_t out[GroupCommClass::kSources * kHop];  // (sources, hop)
// energy of the samples since the last report
static float before = 0, after = 0;
static int hops = 0;
static uint32_t lost = 0;

static void onData() {
  int16_t some[256];
  while (int bytes = PDM.available()) {
    const int got =
        PDM.read(some,
                 bytes < static_cast<int>(sizeof(some)) ? bytes : static_cast<int>(sizeof(some))) /
        2;
    if (got <= 0) return;
    for (int i = 0; i < got; ++i) queue[(written + i) % (kQueue * kHop)] = some[i];
    written += got;
  }
}

static float level(float energy, int samples) {
  return 10 * log10f(energy / samples / (32768.0f * 32768.0f) + 1e-10f);
}

void setup() {
  Serial.begin(115200);
  PDM.onReceive(onData);
  if (!GroupComm.begin()) {
    Serial.println(GroupComm.error());
    while (true) {
    }
  }
  if (!PDM.begin(1, GroupCommClass::kSampleRate)) {
    Serial.println("the microphone did not start");
    while (true) {
    }
  }
}

void loop() {
  while (Serial.available()) {
    const int key = Serial.read();
    if (key == 'a' || key == 'b') GroupComm.setBypass(key == 'b');
    if (key >= '0' && key <= '9') GroupComm.setAttenuationLimit(3.0f * (key - '0'));
    if (key == 'x') GroupComm.setAttenuationLimit(INFINITY);
  }
  const uint32_t ahead = written - read_so_far;
  if (ahead < static_cast<uint32_t>(kHop)) return;
  // the network is too slow: continue with the newest hop
  if (ahead > static_cast<uint32_t>((kQueue - 1) * kHop)) {
    lost += ahead / kHop - 1;
    read_so_far += (ahead / kHop - 1) * kHop;
  }
  // (hop); a hop never crosses the end of the ring buffer
  const int16_t* in = queue + read_so_far % (kQueue * kHop);
  GroupComm.process(in, out);
  read_so_far += kHop;
  for (int i = 0; i < kHop; ++i) {
    before += static_cast<float>(in[i]) * in[i];
    after += static_cast<float>(out[i]) * out[i];
  }
  if (++hops * kHop < GroupCommClass::kSampleRate / 4) return;
  Serial.print("in ");
  Serial.print(level(before, hops * kHop));
  Serial.print(" dBFS, out ");
  Serial.print(level(after, hops * kHop));
  Serial.print(" dBFS, hops lost ");
  Serial.println(lost);
  before = after = 0;
  hops = 0;
}
