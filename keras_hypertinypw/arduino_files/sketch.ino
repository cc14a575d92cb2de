// Tests a model on the board: runs inputs of which it knows the outputs. Written
// by keras_hypertinypw $version.

#include <HyperTinyPW.h>

#include "model_data.h"
#include "self_test.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

// $arena_comment
constexpr size_t kArenaSize = $arena_size;
alignas(16) static uint8_t arena[kArenaSize];

static bool passed = false;

void setup() {
  Serial.begin(115200);
  // Waits for a monitor, but not for ever.
  while (!Serial && millis() < 5000) {
  }

  // Exactly the operators of the model.
  static tflite::MicroMutableOpResolver<$num_operators> resolver;
$add_operators
  static tflite::MicroInterpreter interpreter(tflite::GetModel(kModelData),
                                              resolver, arena, kArenaSize);
  passed = RunSelfTest(&interpreter);
}

void loop() {
  // Again and again, for a monitor that was opened late.
  Serial.println(passed ? "PASS" : "FAIL");
  delay(5000);
}
