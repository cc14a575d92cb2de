// The library's own header of this name declares nothing that sketches need.

#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_CHIRALE_TENSORFLOWLITE_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_CHIRALE_TENSORFLOWLITE_H_

#include "Arduino.h"

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_CHIRALE_TENSORFLOWLITE_H_
