// Fuzzes the reader of bundles: the input is bundle.json. The other files are those of
// enhance-nano, from GROUPCOMM_FUZZ_BUNDLE, so that an unchanged description passes every check.
// bundle.cc reads through ReadFile, which is here without a file system.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "micro/boards/host/bundle.h"
#include "micro/boards/host/files.h"

namespace {

std::vector<uint8_t> description;

std::map<std::string, std::vector<uint8_t>> Parts() {
  std::map<std::string, std::vector<uint8_t>> parts;
  const char* const folder = std::getenv("GROUPCOMM_FUZZ_BUNDLE");
  if (folder == nullptr) std::abort();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    parts[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return parts;
}

}  // namespace

namespace groupcomm {

// bundle.cc links the engine, but LoadBundle runs no model.
const tflm::Registration* GroupCommKernels(tflm::Operator) { return nullptr; }
const tflm::Registration* Operators::FindOp(tflm::Operator) const { return nullptr; }
const tflm::Registration* Operators::FindOp(const char*) const { return nullptr; }
tflm::Parser Operators::GetOpDataParser(tflm::Operator) const { return nullptr; }
Status TflmEngine::Init(const TflmConfig&) { return GROUPCOMM_ENGINE_FAILED; }
Status TflmEngine::Run(const int8_t*, int8_t*) { return GROUPCOMM_ENGINE_FAILED; }
Status TflmEngine::Reset() { return GROUPCOMM_ENGINE_FAILED; }

namespace host {

bool ReadFile(const std::string& path, std::vector<uint8_t>* content, std::string* error) {
  static const auto parts = Parts();
  const std::filesystem::path file(path);
  if (file.parent_path() != "fuzz") std::abort();  // outside of the bundle
  if (file.filename() == "bundle.json") {
    *content = description;
    return true;
  }
  const auto found = parts.find(file.filename());
  if (found == parts.end()) {
    *error = path + ": cannot read";
    return false;
  }
  *content = found->second;
  return true;
}

}  // namespace host
}  // namespace groupcomm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  description.assign(data, data + size);
  groupcomm::host::Bundle bundle;
  std::string error;
  const bool ok = groupcomm::host::LoadBundle("fuzz", &bundle, &error);
  // A refusal is one line.
  if (ok != error.empty() || error.find('\n') != std::string::npos) std::abort();
  if (!ok) return 0;
  const size_t hops = bundle.golden.hops;
  if (bundle.golden.pcm.size() != hops * bundle.network.signal.hop * sizeof(int16_t) ||
      bundle.golden.features.size() != hops * bundle.network.inputs ||
      bundle.golden.masks.size() != hops * bundle.network.outputs || bundle.arena_bytes == 0 ||
      !std::is_sorted(bundle.feature_thresholds.begin(), bundle.feature_thresholds.end()))
    std::abort();
  return 0;
}
