// Runs a sketch once, as an Arduino core does for ever.

#include "Arduino.h"
#include "generate_pw_compact_op.h"
#include "generate_pw_op.h"
#include "tensorflow/lite/c/common.h"
#include "widen_bias_op.h"

// The sketch is tested here, and the ops elsewhere.
TfLiteRegistration* hypertinypw::Register_GENERATE_PW() {
  static TfLiteRegistration registration;
  return &registration;
}

TfLiteRegistration* hypertinypw::Register_GENERATE_PW_COMPACT() {
  return Register_GENERATE_PW();
}

TfLiteRegistration* hypertinypw::Register_WIDEN_BIAS() {
  static TfLiteRegistration registration;
  return &registration;
}

int main() {
  setup();
  loop();
}
