// Whether the ops check the files that they read.

#ifndef HYPERTINYPW_TFLM_OPS_OP_CHECKS_H_
#define HYPERTINYPW_TFLM_OPS_OP_CHECKS_H_

// 0 leaves out what checks the file (custom options, blobs, CRC, tensors), for
// firmware that counts bytes and only ever loads files that were checked before
// they were flashed. Any other file is undefined behaviour then. What depends
// on the firmware, as the size of the arena, is checked in every build.
#if !defined(HYPERTINYPW_CHECKS)
#define HYPERTINYPW_CHECKS 1
#endif

// HYPERTINYPW_CHECK returns `error` from a function unless `condition` holds.
// HYPERTINYPW_ENSURE does so in an op, with TFLM's message. Conditions have no
// side effects.
#if HYPERTINYPW_CHECKS
#define HYPERTINYPW_CHECK(condition, error) \
  do {                                      \
    if (!(condition)) return (error);       \
  } while (false)
#define HYPERTINYPW_ENSURE(context, condition) \
  TF_LITE_ENSURE(context, condition)
#else
#define HYPERTINYPW_CHECK(condition, error) static_cast<void>(sizeof(condition))
#define HYPERTINYPW_ENSURE(context, condition) \
  static_cast<void>(sizeof(condition))
#endif

#endif  // HYPERTINYPW_TFLM_OPS_OP_CHECKS_H_
