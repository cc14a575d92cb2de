// The byte format of GeneratePW, version 1: README.md in this directory is the
// definition, keras_hypertinypw/spec.py carries the same numbers.
//
// Everything here may be called on any bytes: what the format does not allow is
// an error, never a crash. Builds without checks (op_checks.h) take only what
// the format allows, and have no CRC and no CheckCodesSize.

#ifndef HYPERTINYPW_TFLM_OPS_GENERATE_PW_FORMAT_H_
#define HYPERTINYPW_TFLM_OPS_GENERATE_PW_FORMAT_H_

#include <cstddef>
#include <cstdint>

namespace hypertinypw {

// What a file calls the op, and what AddCustom takes.
constexpr char kGeneratePwOpName[] = "GeneratePW";

// Inputs, and the output.
constexpr int kCodesTensor = 0;
constexpr int kGeneratorTensor = 1;
constexpr int kKernelTensor = 0;

constexpr int kFormatVersion = 1;
constexpr int kKindMlp = 0;
constexpr int kKindReference = 1;
constexpr int kOptionsSize = 8;
constexpr int kHeaderSize = 16;
constexpr int kDescriptorSize = 4;
constexpr int kCrcOffset = 12;
constexpr int kReferenceSize = 8;
constexpr int kReferenceCrcOffset = 4;
constexpr int kFlagRowSigns = 1;
constexpr int kFlagSkip = 1;
constexpr int kMaxLayers = 4;
constexpr int kMaxCodeDim = 128;
constexpr int kMaxHiddenUnits = 256;
constexpr int kMaxBlockSize = 4096;
constexpr int kMaxShift = 24;
constexpr int kMaxBiasShift = 16;
constexpr int kMaxSkipShift = 8;
constexpr int kCodeBits[] = {1, 2, 4, 8};
constexpr int kMaxKernelDims = 4;

enum class Residency : uint8_t { kCached = 0, kPerInvoke = 1 };
enum class Synthesis : uint8_t { kLazy = 0, kBoot = 1 };

enum class FormatError : uint8_t {
  kNone,
  kOptionsSize,
  kOptionsVersion,
  kOptionsCodeBits,
  kOptionsResidency,
  kOptionsSynthesis,
  kOptionsBootNotCached,
  kOptionsReserved,
  kBlobSize,
  kBlobVersion,
  kBlobKind,
  kBlobNumLayers,
  kBlobCodeDim,
  kBlobBlockSize,
  kBlobFlags,
  kBlobSkipShift,
  kBlobCrc,
  kSharedMissing,
  kSharedOther,
  kLayerNumOut,
  kLayerShift,
  kLayerBiasShift,
  kKernelShape,
  kCodesSize,
};

// A sentence for the user, of static storage. The attribute lets builds without
// error strings (TF_LITE_STRIP_ERROR_STRINGS) drop the call and so the text.
[[gnu::const]] const char* FormatErrorMessage(FormatError error);

// One op: its custom options and the shape of its kernel.
struct GeneratePwParams {
  uint8_t code_bits;
  Residency residency;
  Synthesis synthesis;
  bool has_row_signs;
  int32_t rows;
  int32_t num_weights;
};

// One dense layer of the generator; points into the blob.
struct DenseLayer {
  const int8_t* bias;     // [num_out], in units of 2^bias_shift.
  const int8_t* weights;  // [num_out][Padded(num_in)].
  int16_t num_in;
  int16_t num_out;
  uint8_t shift;
  uint8_t bias_shift;
};

// The generator; points into the blob, which must outlive it.
struct Generator {
  DenseLayer layers[kMaxLayers];
  const int8_t* skip_weights;  // [block_size][Padded(code_dim)], or null.
  int16_t num_layers;
  int16_t code_dim;
  int16_t block_size;
  uint8_t skip_shift;
};

// Rounds a size in bytes up to a multiple of 4.
constexpr int32_t Padded(int32_t size) { return (size + 3) / 4 * 4; }

// CRC-32 (IEEE 802.3, as zlib's) of `size` bytes, continuing from `crc`.
uint32_t Crc32(const uint8_t* data, size_t size, uint32_t crc = 0);

// Reads custom options; does not touch `rows` and `num_weights`.
FormatError ParseOptions(const uint8_t* options, size_t size,
                         GeneratePwParams* params);

// Sets `rows` and `num_weights` from the dimensions of the op's output.
FormatError ParseKernelShape(const int* dims, int num_dims,
                             GeneratePwParams* params);

// Reads the structure of a generator blob, checking everything but its CRC.
FormatError ParseGenerator(const uint8_t* blob, size_t size,
                           Generator* generator);

// Checks the CRC of a blob that ParseGenerator accepts.
FormatError CheckGeneratorCrc(const uint8_t* blob, size_t size);

// Checks the size of a codes tensor, row signs included.
FormatError CheckCodesSize(const GeneratePwParams& params,
                           const Generator& generator, size_t size);

// The tensors of one op, as they stand in a model.
struct TensorBytes {
  const uint8_t* codes;
  size_t codes_size;
  const uint8_t* blob;
  size_t blob_size;
  const int* dims;  // Of the kernel; `int` as in TfLiteIntArray.
  int num_dims;
};

// Checks all there is to check about an op's tensors, CRC included. Requires
// parameters that ParseOptions filled in; adds the kernel's shape.
FormatError ParseTensors(const TensorBytes& tensors, GeneratePwParams* params,
                         Generator* generator);

// Blocks that a kernel is made of; the last one may be cut off.
inline int32_t NumBlocks(const GeneratePwParams& params,
                         const Generator& generator) {
  return (params.num_weights - 1) / generator.block_size + 1;
}

// Bytes of the packed codes, which is where the row signs start. Requires
// parameters that CheckCodesSize accepts.
inline int32_t PackedCodesSize(const GeneratePwParams& params,
                               const Generator& generator) {
  const int32_t count = NumBlocks(params, generator) * generator.code_dim;
  const int32_t per_byte = 8 / params.code_bits;
  return (count - 1) / per_byte + 1;
}

}  // namespace hypertinypw

#endif  // HYPERTINYPW_TFLM_OPS_GENERATE_PW_FORMAT_H_
