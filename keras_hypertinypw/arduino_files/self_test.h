#ifndef SELF_TEST_H_
#define SELF_TEST_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

// Replays every golden input in an interpreter that has not allocated its
// tensors yet. Prints results and timings to Serial; returns whether every
// output is what it should be, to the last bit.
bool RunSelfTest(tflite::MicroInterpreter* interpreter);

#endif  // SELF_TEST_H_
