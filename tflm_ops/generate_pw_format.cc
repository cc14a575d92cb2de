#include "generate_pw_format.h"

#include "op_checks.h"

namespace hypertinypw {
namespace {

constexpr int kMaxNumBytes = INT32_MAX;

uint16_t ReadU16(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

uint32_t ReadU32(const uint8_t* bytes) {
  return ReadU16(bytes) | static_cast<uint32_t>(ReadU16(bytes + 2)) << 16;
}

bool InRange(int32_t value, int32_t low, int32_t high) {
  return low <= value && value <= high;
}

// Takes arrays from a blob, never beyond its end.
class Reader {
 public:
  Reader(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  // Returns null if fewer than num_rows rows are left. A row is at most
  // kMaxBlockSize bytes long and there are at most kMaxBlockSize of them.
  const int8_t* TakeRows(int32_t num_rows, int32_t num_columns) {
    const size_t size = static_cast<size_t>(num_rows * Padded(num_columns));
    HYPERTINYPW_CHECK(size <= left_, nullptr);
    const uint8_t* rows = data_;
    data_ += size;
    left_ -= size;
    return reinterpret_cast<const int8_t*>(rows);
  }

  bool AtEnd() const { return left_ == 0; }

 private:
  const uint8_t* data_;
  size_t left_;
};

bool IsCodeBits(int value) {
  for (const int code_bits : kCodeBits) {
    if (value == code_bits) return true;
  }
  return false;
}

// Bits of custom options that have no meaning yet.
int ReservedBits(const uint8_t* options) {
  int reserved = options[4] & ~kFlagRowSigns;
  for (int i = 5; i < kOptionsSize; ++i) reserved |= options[i];
  return reserved;
}

FormatError ParseHeader(const uint8_t* blob, size_t size,
                        Generator* generator) {
  HYPERTINYPW_CHECK(size >= kHeaderSize, FormatError::kBlobSize);
  HYPERTINYPW_CHECK(blob[0] == kFormatVersion, FormatError::kBlobVersion);
  HYPERTINYPW_CHECK(blob[1] == kKindMlp, FormatError::kBlobKind);
  const int flags = blob[6];
  HYPERTINYPW_CHECK((flags & ~kFlagSkip) == 0, FormatError::kBlobFlags);
  HYPERTINYPW_CHECK(InRange(blob[2], 1, kMaxLayers),
                    FormatError::kBlobNumLayers);
  HYPERTINYPW_CHECK(InRange(blob[3], 1, kMaxCodeDim),
                    FormatError::kBlobCodeDim);
  const int block_size = ReadU16(blob + 4);
  HYPERTINYPW_CHECK(InRange(block_size, 1, kMaxBlockSize),
                    FormatError::kBlobBlockSize);
  HYPERTINYPW_CHECK(blob[7] <= (flags == kFlagSkip ? kMaxSkipShift : 0),
                    FormatError::kBlobSkipShift);
  HYPERTINYPW_CHECK(ReadU32(blob + 8) == size, FormatError::kBlobSize);
  generator->num_layers = blob[2];
  generator->code_dim = blob[3];
  generator->block_size = static_cast<int16_t>(block_size);
  generator->skip_shift = blob[7];
  return FormatError::kNone;
}

FormatError ParseDescriptor(const uint8_t* descriptor, int max_num_out,
                            DenseLayer* layer) {
  const int num_out = ReadU16(descriptor);
  HYPERTINYPW_CHECK(InRange(num_out, 1, max_num_out),
                    FormatError::kLayerNumOut);
  HYPERTINYPW_CHECK(InRange(descriptor[2], 1, kMaxShift),
                    FormatError::kLayerShift);
  HYPERTINYPW_CHECK(descriptor[3] <= kMaxBiasShift,
                    FormatError::kLayerBiasShift);
  layer->num_out = static_cast<int16_t>(num_out);
  layer->shift = descriptor[2];
  layer->bias_shift = descriptor[3];
  return FormatError::kNone;
}

}  // namespace

#ifdef TF_LITE_STRIP_ERROR_STRINGS
// A kilobyte of flash for what nobody prints.
const char* FormatErrorMessage(FormatError) { return ""; }
#else
const char* FormatErrorMessage(FormatError error) {
  switch (error) {
    case FormatError::kNone:
      return "no error";
    case FormatError::kOptionsSize:
      return "expected 8 bytes of custom options";
    case FormatError::kOptionsVersion:
      return "custom options are of an unknown version";
    case FormatError::kOptionsCodeBits:
      return "code_bits is not 1, 2, 4 or 8";
    case FormatError::kOptionsResidency:
      return "residency is not 0 or 1";
    case FormatError::kOptionsSynthesis:
      return "synthesis is not 0 or 1";
    case FormatError::kOptionsBootNotCached:
      return "boot synthesis needs a cached kernel";
    case FormatError::kOptionsReserved:
      return "reserved bits of the custom options are not 0";
    case FormatError::kBlobSize:
      return "the generator's size is not what its header says";
    case FormatError::kBlobVersion:
      return "the generator is of an unknown version";
    case FormatError::kBlobKind:
      return "the generator is of an unknown kind";
    case FormatError::kBlobNumLayers:
      return "the generator's num_layers is not in [1, 4]";
    case FormatError::kBlobCodeDim:
      return "the generator's code_dim is not in [1, 128]";
    case FormatError::kBlobBlockSize:
      return "the generator's block_size is not in [1, 4096]";
    case FormatError::kBlobFlags:
      return "reserved flags of the generator are not 0";
    case FormatError::kBlobSkipShift:
      return "the generator's skip_shift is not in [0, 8], or set without skip";
    case FormatError::kBlobCrc:
      return "the generator is damaged: wrong CRC-32";
    case FormatError::kSharedMissing:
      return "the generator is shared: call SetSharedGenerator";
    case FormatError::kSharedOther:
      return "the shared generator is another one";
    case FormatError::kLayerNumOut:
      return "a generator layer's num_out is out of range";
    case FormatError::kLayerShift:
      return "a generator layer's shift is not in [1, 24]";
    case FormatError::kLayerBiasShift:
      return "a generator layer's bias_shift is not in [0, 16]";
    case FormatError::kKernelShape:
      return "the kernel's shape is not 1 to 4 positive dimensions";
    case FormatError::kCodesSize:
      return "the codes' size does not fit the kernel's shape";
  }
  return "unknown error";
}
#endif  // TF_LITE_STRIP_ERROR_STRINGS

#if HYPERTINYPW_CHECKS
uint32_t Crc32(const uint8_t* data, size_t size, uint32_t crc) {
  // Two steps of 4 bits per byte: 64 bytes of flash instead of 1,024.
  static constexpr uint32_t kTable[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  crc = ~crc;
  for (size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    crc = crc >> 4 ^ kTable[crc & 15];
    crc = crc >> 4 ^ kTable[crc & 15];
  }
  return ~crc;
}
#endif

FormatError ParseOptions(const uint8_t* options, size_t size,
                         GeneratePwParams* params) {
  HYPERTINYPW_CHECK(options != nullptr && size == kOptionsSize,
                    FormatError::kOptionsSize);
  HYPERTINYPW_CHECK(options[0] == kFormatVersion, FormatError::kOptionsVersion);
  HYPERTINYPW_CHECK(IsCodeBits(options[1]), FormatError::kOptionsCodeBits);
  HYPERTINYPW_CHECK(options[2] <= 1, FormatError::kOptionsResidency);
  HYPERTINYPW_CHECK(options[3] <= 1, FormatError::kOptionsSynthesis);
  HYPERTINYPW_CHECK(ReservedBits(options) == 0, FormatError::kOptionsReserved);
  params->code_bits = options[1];
  params->residency = static_cast<Residency>(options[2]);
  params->synthesis = static_cast<Synthesis>(options[3]);
  params->has_row_signs = (options[4] & kFlagRowSigns) != 0;
  HYPERTINYPW_CHECK(params->synthesis != Synthesis::kBoot ||
                        params->residency == Residency::kCached,
                    FormatError::kOptionsBootNotCached);
  return FormatError::kNone;
}

FormatError ParseKernelShape(const int* dims, int num_dims,
                             GeneratePwParams* params) {
  HYPERTINYPW_CHECK(InRange(num_dims, 1, kMaxKernelDims),
                    FormatError::kKernelShape);
  int64_t num_weights = 1;
  for (int i = 0; i < num_dims; ++i) {
    HYPERTINYPW_CHECK(dims[i] >= 1, FormatError::kKernelShape);
    num_weights *= dims[i];
    HYPERTINYPW_CHECK(num_weights <= kMaxNumBytes, FormatError::kKernelShape);
  }
  params->rows = dims[0];
  params->num_weights = static_cast<int32_t>(num_weights);
  return FormatError::kNone;
}

FormatError ParseGenerator(const uint8_t* blob, size_t size,
                           Generator* generator) {
  HYPERTINYPW_CHECK(blob != nullptr, FormatError::kBlobSize);
  FormatError error = ParseHeader(blob, size, generator);
  HYPERTINYPW_CHECK(error == FormatError::kNone, error);
  const int num_layers = generator->num_layers;
  const size_t start = kHeaderSize + kDescriptorSize * num_layers;
  HYPERTINYPW_CHECK(size >= start, FormatError::kBlobSize);
  Reader reader(blob + start, size - start);
  int16_t num_in = generator->code_dim;
  for (int i = 0; i < num_layers; ++i) {
    DenseLayer* layer = &generator->layers[i];
    const bool is_last = i == num_layers - 1;
    error = ParseDescriptor(blob + kHeaderSize + kDescriptorSize * i,
                            is_last ? kMaxBlockSize : kMaxHiddenUnits, layer);
    HYPERTINYPW_CHECK(error == FormatError::kNone, error);
    HYPERTINYPW_CHECK(!is_last || layer->num_out == generator->block_size,
                      FormatError::kLayerNumOut);
    layer->num_in = num_in;
    layer->bias = reader.TakeRows(1, layer->num_out);
    HYPERTINYPW_CHECK(layer->bias != nullptr, FormatError::kBlobSize);
    layer->weights = reader.TakeRows(layer->num_out, num_in);
    HYPERTINYPW_CHECK(layer->weights != nullptr, FormatError::kBlobSize);
    num_in = layer->num_out;
  }
  generator->skip_weights = nullptr;
  if ((blob[6] & kFlagSkip) != 0) {
    generator->skip_weights =
        reader.TakeRows(generator->block_size, generator->code_dim);
    HYPERTINYPW_CHECK(generator->skip_weights != nullptr,
                      FormatError::kBlobSize);
  }
  HYPERTINYPW_CHECK(reader.AtEnd(), FormatError::kBlobSize);
  return FormatError::kNone;
}

#if HYPERTINYPW_CHECKS
FormatError CheckGeneratorCrc(const uint8_t* blob, size_t size) {
  const uint32_t start = Crc32(blob, kCrcOffset);
  const uint32_t crc = Crc32(blob + kHeaderSize, size - kHeaderSize, start);
  const bool ok = crc == ReadU32(blob + kCrcOffset);
  return ok ? FormatError::kNone : FormatError::kBlobCrc;
}

FormatError CheckCodesSize(const GeneratePwParams& params,
                           const Generator& generator, size_t size) {
  const int64_t count =
      int64_t{NumBlocks(params, generator)} * generator.code_dim;
  if (count > kMaxNumBytes) return FormatError::kCodesSize;
  size_t expected = static_cast<size_t>(PackedCodesSize(params, generator));
  if (params.has_row_signs) {
    expected += static_cast<size_t>((params.rows - 1) / 8 + 1);
  }
  return size == expected ? FormatError::kNone : FormatError::kCodesSize;
}
#endif

FormatError ParseTensors(const TensorBytes& tensors, GeneratePwParams* params,
                         Generator* generator) {
  FormatError error = ParseKernelShape(tensors.dims, tensors.num_dims, params);
  HYPERTINYPW_CHECK(error == FormatError::kNone, error);
  error = ParseGenerator(tensors.blob, tensors.blob_size, generator);
  HYPERTINYPW_CHECK(error == FormatError::kNone, error);
#if HYPERTINYPW_CHECKS
  error = CheckGeneratorCrc(tensors.blob, tensors.blob_size);
  if (error != FormatError::kNone) return error;
  error = CheckCodesSize(*params, *generator, tensors.codes_size);
#endif
  return error;
}

}  // namespace hypertinypw
