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

unsigned int CountDifferences(const signed char* actual,
                              const signed char* expected, unsigned int size) {
  unsigned int count = 0;
  for (unsigned int i = 0; i < size; ++i) count += actual[i] != expected[i];
  return count;
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
    const unsigned int different = CountDifferences(
        interpreter->output(0)->data.int8, kGoldenOutputs[i], kOutputSize);
    PrintNumber("case ", i + 1, different == 0 ? ": PASS" : ": FAIL");
    if (different != 0) PrintNumber("  values that differ: ", different, "");
    num_passed += different == 0;
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
