// A stub of Arduino's core, linked with a sketch. Serial is the UART of QEMU's mps2-an386.
#include "Arduino.h"
#include "PDM.h"
#include "micro/boards/arduino/GroupComm.h"

uint32_t SystemCoreClock = 64000000;
SerialStandIn Serial;
PdmStandIn PDM;

// "Cortex-M System Design Kit", APB UART.
struct Uart {
  volatile uint32_t data, state, control, interrupt, divider;
};
static Uart* const uart = reinterpret_cast<Uart*>(0x40004000);

void SerialStandIn::begin(unsigned long) {
  uart->divider = 16;
  uart->control = 3;
}
SerialStandIn::operator bool() const { return true; }
int SerialStandIn::available() { return (uart->state & 2) != 0; }
int SerialStandIn::read() { return available() ? static_cast<uint8_t>(uart->data) : -1; }
size_t SerialStandIn::write(const uint8_t* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    while (uart->state & 1) {
    }
    uart->data = bytes[i];
  }
  return count;
}
void SerialStandIn::print(const char*) {}
void SerialStandIn::print(uint32_t) {}
void SerialStandIn::print(float) {}
void SerialStandIn::println(const char*) {}
void SerialStandIn::println(uint32_t) {}
void delay(unsigned long) {}

// A microphone that gives noise, one hop at a time: x = x * 1664525 + 1013904223, its bits 20 to
// 31, from 1, and silence with the least gain. It waits until the sketch has read what it has.
static void (*on_data)() = nullptr;
static uint32_t noise = 1;
static int microphone_gain = 20;  // that of the nRF52840's library
static int waiting = 0;
int PdmStandIn::begin(int, int) { return 1; }
int PdmStandIn::available() { return 2 * waiting; }
int PdmStandIn::read(void* buffer, int bytes) {
  const int count = bytes / 2 < waiting ? bytes / 2 : waiting;
  for (int i = 0; i < count; ++i) {
    noise = noise * 1664525u + 1013904223u;
    static_cast<int16_t*>(buffer)[i] = microphone_gain ? static_cast<int16_t>(noise >> 20) : 0;
  }
  waiting -= count;
  return 2 * count;
}
void PdmStandIn::setGain(int gain) { microphone_gain = gain; }
void PdmStandIn::onReceive(void (*function)()) { on_data = function; }

int main() {
  setup();
  while (true) {
    if (on_data != nullptr) {
      waiting = GroupCommClass::kHop;
      on_data();
    }
    loop();
  }
}
