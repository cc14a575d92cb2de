// Declarations from gemmlowp, which TFLM's headers include and no package has:
// enough for what is inline there to compile, and nothing to link.

#ifndef HYPERTINYPW_TESTS_ARDUINO_STUB_GEMMLOWP_FIXEDPOINT_H_
#define HYPERTINYPW_TESTS_ARDUINO_STUB_GEMMLOWP_FIXEDPOINT_H_

#include <cstdint>

#define GEMMLOWP_CHECKED_FIXEDPOINT_CONSTANT(Type, raw, value) \
  (Type::FromScalarRaw(raw))

namespace gemmlowp {

template <typename Raw>
struct FixedPointRawTypeTraits {
  using ScalarRawType = Raw;
};

template <typename Raw, int integer_bits>
struct FixedPoint {
  static FixedPoint FromRaw(Raw raw);
  static FixedPoint FromScalarRaw(Raw raw);
  static FixedPoint One();
  static FixedPoint Zero();
  template <int exponent>
  static FixedPoint ConstantPOT();
  Raw raw() const;
};

template <typename Raw, int a, int b>
FixedPoint<Raw, a + b> operator*(FixedPoint<Raw, a>, FixedPoint<Raw, b>);
template <typename Raw, int bits>
FixedPoint<Raw, bits> operator+(FixedPoint<Raw, bits>, FixedPoint<Raw, bits>);
template <typename Raw, int bits>
FixedPoint<Raw, bits> operator-(FixedPoint<Raw, bits>, FixedPoint<Raw, bits>);

template <int to, typename Raw, int from>
FixedPoint<Raw, to> Rescale(FixedPoint<Raw, from>);
template <int exponent, typename Type>
Type SaturatingRoundingMultiplyByPOT(Type);
template <typename Type>
Type RoundingHalfSum(Type, Type);
template <typename Type>
Type RoundingDivideByPOT(Type, int exponent);
template <typename Type>
Type SaturatingRoundingDoublingHighMul(Type, Type);
template <typename Type>
Type ShiftLeft(Type, int);
template <typename Type>
Type SelectUsingMask(Type mask, Type, Type);
template <typename Type>
Type MaskIfGreaterThan(Type, Type);
template <typename Type>
Type MaskIfLessThan(Type, Type);
template <typename Type, typename Scalar>
Type Dup(Scalar);
template <typename Raw>
FixedPoint<Raw, 0> one_over_one_plus_x_for_x_in_0_1(FixedPoint<Raw, 0>);

}  // namespace gemmlowp

#endif  // HYPERTINYPW_TESTS_ARDUINO_STUB_GEMMLOWP_FIXEDPOINT_H_
