// Counts instructions with the board's timer.
//
// Under `qemu-system-arm -icount shift=6` an instruction takes 64 ns, whatever
// it does, and a tick of this timer 40 ns. So the counts are exact to one
// instruction and the same on every machine; they are no cycles.

#ifndef HYPERTINYPW_TFLM_OPS_FIRMWARE_INSTRUCTIONS_H_
#define HYPERTINYPW_TFLM_OPS_FIRMWARE_INSTRUCTIONS_H_

#include <cstdint>

namespace hypertinypw {
namespace firmware {

// The registers of a CMSDK timer, which counts down.
struct Timer {
  uint32_t control;
  uint32_t value;
  uint32_t reload;
};

inline volatile Timer* BoardTimer() {
  return reinterpret_cast<volatile Timer*>(0x40000000);
}

inline void StartTimer() {
  BoardTimer()->reload = 0xFFFFFFFF;
  BoardTimer()->value = 0xFFFFFFFF;
  BoardTimer()->control = 1;
}

// Returns the instructions of `function`, less those of reading the timer.
// The timer must run.
template <typename Function>
uint32_t CountInstructions(Function function) {
  const uint32_t start = BoardTimer()->value;
  const uint32_t before = BoardTimer()->value;
  function();
  const uint32_t after = BoardTimer()->value;
  const uint32_t ticks = (before - after) - (start - before);
  return static_cast<uint32_t>(uint64_t{ticks} * 40 / 64);
}

}  // namespace firmware
}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_FIRMWARE_INSTRUCTIONS_H_
