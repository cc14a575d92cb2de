// As much of an Arduino core as the exported sketch uses. Serial is stdout, and
// every look at the clock takes a millisecond.

#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_ARDUINO_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_ARDUINO_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>

class StubSerial {
 public:
  void begin(unsigned long) {}
  explicit operator bool() const { return true; }
  void print(const char* text) { std::fputs(text, stdout); }
  void print(unsigned long number) { std::printf("%lu", number); }
  void println(const char* text) { std::puts(text); }
};

inline StubSerial Serial;

inline unsigned long micros() {
  static unsigned long now = 0;
  return now += 1000;
}
inline unsigned long millis() { return micros() / 1000; }
inline void delay(unsigned long) {}

void setup();
void loop();

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_ARDUINO_H_
