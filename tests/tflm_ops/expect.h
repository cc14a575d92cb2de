// Expectations of the tests of the glue: failures are printed and counted.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_EXPECT_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_EXPECT_H_

#include <cstdio>

namespace hypertinypw {

inline int num_failures = 0;

#define EXPECT(condition)                                 \
  do {                                                    \
    if (!(condition)) {                                   \
      std::printf("line %d: %s\n", __LINE__, #condition); \
      ++hypertinypw::num_failures;                        \
    }                                                     \
  } while (0)

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_EXPECT_H_
