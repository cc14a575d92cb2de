#include "input_file.h"

#include <cstdio>
#include <cstring>

namespace hypertinypw {
namespace firmware {
namespace {

alignas(16) uint8_t content[4 << 20];

}  // namespace

const uint8_t* InputFile::Content() { return content; }

bool InputFile::Read(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  const size_t size = std::fread(content, 1, sizeof(content), file);
  std::fclose(file);
  return size > 0 && size < sizeof(content);
}

int32_t InputFile::Int() {
  int32_t value;
  std::memcpy(&value, content + offset_, sizeof(value));
  offset_ += sizeof(value);
  return value;
}

}  // namespace firmware
}  // namespace hypertinypw
