// Inputs of the model, and what the official TFLM interpreter makes of them.

#ifndef GOLDEN_DATA_H_
#define GOLDEN_DATA_H_

constexpr unsigned int kNumCases = $num_cases;
constexpr unsigned int kInputSize = $input_size;
constexpr unsigned int kOutputSize = $output_size;

extern const signed char kGoldenInputs[kNumCases][kInputSize];
extern const signed char kGoldenOutputs[kNumCases][kOutputSize];

#endif  // GOLDEN_DATA_H_
