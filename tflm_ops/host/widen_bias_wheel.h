// WidenBias for the official `tflite-micro` wheel.

#ifndef HYPERTINYPW_TFLM_OPS_HOST_WIDEN_BIAS_WHEEL_H_
#define HYPERTINYPW_TFLM_OPS_HOST_WIDEN_BIAS_WHEEL_H_

#include "wheel.h"

namespace hypertinypw {

Registration WheelWidenBias();

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_HOST_WIDEN_BIAS_WHEEL_H_
