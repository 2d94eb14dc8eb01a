// The part of Arduino's core that the examples use, to compile them without Arduino.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// As in ArduinoCore-mbed: there is no F_CPU.
extern "C" uint32_t SystemCoreClock;

struct SerialStandIn {
  void begin(unsigned long baud);
  explicit operator bool() const;
  int available();
  int read();
  size_t write(const uint8_t* bytes, size_t count);
  void print(const char* text);
  void print(uint32_t value);
  void print(float value);
  void println(const char* text);
  void println(uint32_t value);
};
extern SerialStandIn Serial;

void delay(unsigned long milliseconds);
unsigned long micros();

void setup();
void loop();
