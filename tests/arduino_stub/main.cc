// Runs a sketch once, as an Arduino core does for ever.

#include "Arduino.h"
#include "generate_pw_op.h"
#include "tensorflow/lite/c/common.h"

// The sketch is tested here, and the op elsewhere.
TfLiteRegistration* hypertinypw::Register_GENERATE_PW() {
  static TfLiteRegistration registration;
  return &registration;
}

int main() {
  setup();
  loop();
}
