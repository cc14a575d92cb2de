// GeneratePW and WidenBias with Chirale_TensorFLowLite; see README.md.

#ifndef HYPERTINYPW_H_
#define HYPERTINYPW_H_

// First, so that the Arduino IDE finds TFLM's headers for the others.
#include <Chirale_TensorFlowLite.h>

#include "generate_pw_compact_op.h"
#include "generate_pw_op.h"
#include "widen_bias_op.h"

#endif  // HYPERTINYPW_H_
