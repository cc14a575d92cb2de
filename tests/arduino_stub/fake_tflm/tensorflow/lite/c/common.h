// Of TFLM, as much as a sketch uses; for tests of the sketch's own logic. There
// is no micro_common.h here, as there was none in early 2023.

#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_COMMON_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_COMMON_H_

#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };

enum TfLiteType { kTfLiteInt8 = 9 };

struct TfLiteIntArray {
  int size;
  int data[1];
};

struct TfLiteTensor {
  union {
    int8_t* int8;
  } data;
  TfLiteIntArray* dims;
  TfLiteType type;
};

struct TfLiteRegistration {
  const char* custom_name;
};

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_COMMON_H_
