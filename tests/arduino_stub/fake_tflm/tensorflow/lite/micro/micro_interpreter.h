// Answers every golden input with its golden output, or does what FAULT says:
// 1 refuses the arena, 2 fails in Invoke, 3 changes the last value of the last
// case, 4 has an output of another size.

#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_INTERPRETER_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_INTERPRETER_H_

#include <cstring>

#include "golden_data.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite {

class MicroInterpreter {
 public:
  MicroInterpreter(const Model*, const MicroOpResolver& resolver, uint8_t*,
                   size_t arena_size)
      : resolver_(resolver), arena_size_(arena_size) {}

  TfLiteStatus AllocateTensors() {
    return FAULT == 1 || !resolver_.is_full ? kTfLiteError : kTfLiteOk;
  }
  size_t arena_used_bytes() const { return arena_size_; }
  TfLiteTensor* input(size_t) { return &input_; }
  TfLiteTensor* output(size_t) { return &output_; }

  TfLiteStatus Invoke() {
    if (FAULT == 2) return kTfLiteError;
    for (unsigned int i = 0; i < kNumCases; ++i) {
      if (std::memcmp(input_bytes_, kGoldenInputs[i], kInputSize) != 0)
        continue;
      std::memcpy(output_bytes_, kGoldenOutputs[i], kOutputSize);
      const bool is_last = i == kNumCases - 1;
      if (FAULT == 3 && is_last) ++output_bytes_[kOutputSize - 1];
    }
    // As TFLM's planner may do.
    std::memset(input_bytes_, 0, kInputSize);
    return kTfLiteOk;
  }

 private:
  const MicroOpResolver& resolver_;
  size_t arena_size_;
  int8_t input_bytes_[kInputSize] = {};
  int8_t output_bytes_[kOutputSize] = {};
  TfLiteIntArray input_dims_ = {1, {kInputSize}};
  TfLiteIntArray output_dims_ = {1, {kOutputSize + (FAULT == 4)}};
  TfLiteTensor input_ = {{input_bytes_}, &input_dims_, kTfLiteInt8};
  TfLiteTensor output_ = {{output_bytes_}, &output_dims_, kTfLiteInt8};
};

}  // namespace tflite

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_FAKE_TFLM_MICRO_INTERPRETER_H_
