// The fuzzer's randomness: the same numbers on every machine.

#ifndef HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_RANDOM_H_
#define HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_RANDOM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hypertinypw {

// splitmix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  size_t Below(size_t count) { return static_cast<size_t>(Next() % count); }

  bool Chance(size_t tenths) { return Below(10) < tenths; }

  uint8_t Byte() { return static_cast<uint8_t>(Next()); }

  // Returns a number that is usually right, or just outside, or far off.
  int Number(int low, int high) {
    const int extremes[] = {0, 1, -1, 127, 128, 255, 256, 257, 4096, 4097};
    const int edges[] = {low - 1, low, high, high + 1};
    if (Chance(8)) {
      const auto reach = static_cast<size_t>(std::min(high - low, 40));
      return low + static_cast<int>(Below(reach + 1));
    }
    const size_t which = Below(14);
    return which < 10 ? extremes[which] : edges[which - 10];
  }

  // Cuts off what is too much, adds random bytes where some are missing.
  void Resize(std::vector<uint8_t>* bytes, size_t size) {
    while (bytes->size() > size) bytes->pop_back();
    while (bytes->size() < size) bytes->push_back(Byte());
  }

 private:
  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }

  uint64_t state_;
};

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TESTS_TFLM_OPS_FUZZ_RANDOM_H_
