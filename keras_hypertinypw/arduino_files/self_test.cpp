#include "self_test.h"

#include <Arduino.h>

#include <cstring>

#include "golden_data.h"

namespace {

void PrintNumber(const char* what, unsigned long number, const char* unit) {
  Serial.print(what);
  Serial.print(number);
  Serial.println(unit);
}

bool Fail(const char* what) {
  Serial.print("FAIL: ");
  Serial.println(what);
  return false;
}

// Not `bytes`, which not every build of TFLM has.
bool IsInt8OfSize(const TfLiteTensor* tensor, unsigned int size) {
  unsigned int count = 1;
  for (int i = 0; i < tensor->dims->size; ++i) count *= tensor->dims->data[i];
  return tensor->type == kTfLiteInt8 && count == size;
}

// Returns the largest difference of two values.
int LargestDifference(const int8_t* actual, const signed char* expected) {
  int largest = 0;
  for (unsigned int i = 0; i < kOutputSize; ++i) {
    const int difference = actual[i] - expected[i];
    const int magnitude = difference < 0 ? -difference : difference;
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

bool RunCases(tflite::MicroInterpreter* interpreter) {
  unsigned int num_passed = 0;
  unsigned long first = 0;
  unsigned long latest = 0;
  for (unsigned int i = 0; i < kNumCases; ++i) {
    // Every time: TFLM may use the memory of an input for something else.
    std::memcpy(interpreter->input(0)->data.int8, kGoldenInputs[i], kInputSize);
    const unsigned long start = micros();
    const TfLiteStatus status = interpreter->Invoke();
    latest = micros() - start;
    if (i == 0) first = latest;
    if (status != kTfLiteOk) return Fail("Invoke");
    const int difference =
        LargestDifference(interpreter->output(0)->data.int8, kGoldenOutputs[i]);
    const bool passed = difference <= kTolerance;
    PrintNumber("case ", i + 1, passed ? ": PASS" : ": FAIL");
    if (difference != 0) PrintNumber("  largest difference: ", difference, "");
    num_passed += passed;
  }
  PrintNumber("first Invoke: ", first, " us");
  PrintNumber("latest Invoke: ", latest, " us");
  return num_passed == kNumCases || Fail("outputs differ");
}

}  // namespace

bool RunSelfTest(tflite::MicroInterpreter* interpreter) {
  const unsigned long start = micros();
  if (interpreter->AllocateTensors() != kTfLiteOk) {
    return Fail("AllocateTensors; a larger kArenaSize may help");
  }
  PrintNumber("AllocateTensors: ", micros() - start, " us");
  PrintNumber("arena in use: ", interpreter->arena_used_bytes(), " B");
  if (!IsInt8OfSize(interpreter->input(0), kInputSize) ||
      !IsInt8OfSize(interpreter->output(0), kOutputSize)) {
    return Fail("types or sizes of input and output");
  }
  return RunCases(interpreter);
}
