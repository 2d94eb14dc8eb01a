// What a sketch links with in place of Arduino's core.
#include "Arduino.h"
#include "PDM.h"

SerialStandIn Serial;
PdmStandIn PDM;

void SerialStandIn::begin(unsigned long) {}
SerialStandIn::operator bool() const { return true; }
int SerialStandIn::available() { return 0; }
int SerialStandIn::read() { return -1; }
size_t SerialStandIn::write(const uint8_t*, size_t count) { return count; }
void SerialStandIn::print(const char*) {}
void SerialStandIn::print(uint32_t) {}
void SerialStandIn::print(float) {}
void SerialStandIn::println(const char*) {}
void SerialStandIn::println(uint32_t) {}
int PdmStandIn::begin(int, int) { return 1; }
int PdmStandIn::available() { return 0; }
int PdmStandIn::read(void*, int) { return 0; }
void PdmStandIn::onReceive(void (*)()) {}

int main() {
  setup();
  while (true) loop();
}
