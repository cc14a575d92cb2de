#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_MUTABLE_OP_RESOLVER_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/c/common.h"

namespace tflite {

class MicroOpResolver {
 public:
  bool is_full = false;
};

// With room for `capacity` operators, all of which a sketch has to fill.
template <unsigned int capacity>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  TfLiteStatus AddConv2D() { return Add(); }
  TfLiteStatus AddDepthwiseConv2D() { return Add(); }
  TfLiteStatus AddFullyConnected() { return Add(); }
  TfLiteStatus AddMean() { return Add(); }
  TfLiteStatus AddReshape() { return Add(); }
  TfLiteStatus AddCustom(const char*, TfLiteRegistration*) { return Add(); }

 private:
  TfLiteStatus Add() {
    if (is_full) return kTfLiteError;
    is_full = ++size_ == capacity;
    return kTfLiteOk;
  }

  unsigned int size_ = 0;
};

}  // namespace tflite

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_MUTABLE_OP_RESOLVER_H_
