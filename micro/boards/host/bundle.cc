#include "micro/boards/host/bundle.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "micro/boards/host/files.h"
#include "micro/contract/bundle_fields.h"
#include "micro/stream/tables.h"

namespace groupcomm::host {
namespace {

using nlohmann::json;

constexpr const char* kConvert = "; convert the network again with `groupcomm convert`";

// One object of bundle.json. The first failed check sets the error; values that are read after it
// are not used.
class Fields {
 public:
  Fields(const json& object, std::string where, std::string* error)
      : object_(object), where_(std::move(where)), error_(error) {}

  bool ok() const { return error_->empty(); }

  void Fail(const char* key, const std::string& words) const {
    if (ok()) *error_ = where_ + key + " " + words + kConvert;
  }

  const json& Get(const char* key, bool (json::*is)() const noexcept, const char* kind) const {
    static const json kNothing;
    const auto found = object_.find(key);
    if (found == object_.end()) {
      Fail(key, "is missing");
      return kNothing;
    }
    if (((*found).*is)()) return *found;
    Fail(key, "is " + Text(*found) + ", not " + kind);
    return kNothing;
  }

  int64_t Integer(const char* key, int64_t low, int64_t high) const {
    const json& value = Get(key, &json::is_number_integer, "an integer");
    if (!value.is_number_integer()) return low;
    const bool huge =
        value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
    const int64_t number = huge ? INT64_MAX : value.get<int64_t>();
    if (number < low || number > high) {
      Fail(key,
           "is " + Text(value) + ", not in " + std::to_string(low) + ".." + std::to_string(high));
    }
    return number;
  }

  float Positive(const char* key) const {
    const json& value = Get(key, &json::is_number, "a number");
    const float number = value.is_number() ? static_cast<float>(value.get<double>()) : 1.0f;
    if (!std::isfinite(number) || number <= 0)
      Fail(key, "is " + Text(value) + ", not a positive float32");
    return number;
  }

  bool Has(const char* key) const { return object_.contains(key); }

  float NotNegative(const char* key) const {
    const json& value = Get(key, &json::is_number, "a number");
    const float number = value.is_number() ? static_cast<float>(value.get<double>()) : 0.0f;
    if (!std::isfinite(number) || number < 0)
      Fail(key, "is " + Text(value) + ", not a float32 of 0 or more");
    return number;
  }

  std::string String(const char* key) const {
    const json& value = Get(key, &json::is_string, "a string");
    return value.is_string() ? value.get<std::string>() : "";
  }

  Fields Object(const char* key) const {
    static const json kEmpty = json::object();
    const json& value = Get(key, &json::is_object, "an object");
    return Fields(value.is_object() ? value : kEmpty, where_ + key + ".", error_);
  }

  static std::string Text(const json& value) {
    const std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, 57) + "...";
  }

 private:
  const json& object_;
  std::string where_;
  std::string* error_;
};

// Reads a file of the bundle, and checks its size and its CRC-32.
bool ReadPart(const std::string& folder, const Fields& fields, int64_t bytes,
              std::vector<uint8_t>* content, std::string* error) {
  const std::string name = fields.String("file");
  const uint32_t crc = static_cast<uint32_t>(fields.Integer("crc32", 0, UINT32_MAX));
  if (!fields.ok()) return false;
  const std::filesystem::path path(name);
  if (name.empty() || name == "." || name == ".." || path.filename() != path ||
      std::any_of(name.begin(), name.end(), [](unsigned char c) { return std::iscntrl(c); })) {
    fields.Fail("file", "is " + Fields::Text(name) + ", not the name of a file in the bundle");
    return false;
  }
  const std::string file = (std::filesystem::path(folder) / path).string();
  if (!ReadFile(file, content, error)) return false;
  if (static_cast<int64_t>(content->size()) != bytes) {
    *error = file + ": " + std::to_string(content->size()) + " bytes, bundle.json says " +
             std::to_string(bytes) + kConvert;
    return false;
  }
  if (crc32(0, content->data(), content->size()) != crc) {
    *error = file + ": CRC-32 differs from bundle.json, the file is damaged" + kConvert;
    return false;
  }
  return true;
}

// The rules of GC_SIGNAL_FIELDS: each reads a field of a signal path from its key.
void integer(const Fields& fields, const char* key, int64_t low, int64_t high, const SignalPath&,
             int32_t* to) {
  *to = static_cast<int32_t>(fields.Integer(key, low, high));
}

void power_of_two(const Fields& fields, const char* key, int64_t low, int64_t high,
                  const SignalPath& path, int32_t* to) {
  integer(fields, key, low, high, path, to);
  if ((*to & (*to - 1)) != 0)
    fields.Fail(key, "is " + std::to_string(*to) + ", not a power of two");
}

void optional_flag(const Fields& fields, const char* key, int64_t, int64_t, const SignalPath&,
                   int32_t* to) {
  *to = fields.Has(key) && fields.Get(key, &json::is_boolean, "true or false") == true;
}

void positive(const Fields& fields, const char* key, int64_t, int64_t, const SignalPath&,
              float* to) {
  *to = fields.Positive(key);
}

void decay(const Fields& fields, const char* key, int64_t, int64_t, const SignalPath& path,
           float* to) {
  const float seconds = fields.NotNegative(key);
  *to = 0;
  if (seconds == 0 || !fields.ok()) return;
  *to = static_cast<float>(std::exp(-1.0 * path.hop / path.sample_rate / seconds));
  if (!(*to > 0 && *to < 1)) {  // checked as a float32
    fields.Fail(key, "is " + Fields::Text(fields.Get(key, &json::is_number, "a number")) +
                         ", not a time constant");
  }
}

void optional_decay(const Fields& fields, const char* key, int64_t, int64_t, const SignalPath& path,
                    float* to) {
  *to = 0;
  if (fields.Has(key)) decay(fields, key, 0, 0, path, to);
}

void quantization(const Fields& fields, const char* key, int64_t, int64_t, const SignalPath&,
                  gc_quantization* to) {
  const Fields tensor = fields.Object(key);
  to->scale = tensor.Positive("scale");
  to->zero_point = static_cast<int32_t>(tensor.Integer("zero_point", -128, 127));
}

void CheckTensor(const Fields& fields, int count) {
  const json& dtype = fields.Get("dtype", &json::is_string, "a string");
  if (fields.ok() && dtype != "int8") {
    fields.Fail("dtype", "is " + Fields::Text(dtype) + ", not \"int8\"");
  }
  const json& shape = fields.Get("shape", &json::is_array, "an array");
  if (fields.ok() && shape != json::array({1, count})) {
    fields.Fail("shape", "is " + Fields::Text(shape) + ", not [1, " + std::to_string(count) + "]");
  }
}

// Captures what TFLM prints on stderr during its lifetime, so that a failure is one line and not a
// page.
class CapturedStderr {
 public:
  CapturedStderr() : file_(memfd_create("stderr", 0)), saved_(dup(STDERR_FILENO)) {
    std::fflush(stderr);
    if (file_ >= 0 && saved_ >= 0) dup2(file_, STDERR_FILENO);
  }

  ~CapturedStderr() {
    Restore();
    if (file_ >= 0) close(file_);
  }

  // Returns the first line of the captured text.
  std::string FirstLine() {
    Restore();
    char text[200];
    const ssize_t got = file_ >= 0 ? pread(file_, text, sizeof(text), 0) : 0;
    const std::string all(text, got > 0 ? got : 0);
    return all.substr(0, all.find_first_of("\r\n"));
  }

 private:
  void Restore() {
    if (saved_ < 0) return;
    std::fflush(stderr);
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    saved_ = -1;
  }

  int file_, saved_;
};

Status Place(const Bundle& bundle, std::vector<uint8_t>* arena, TflmEngine* engine,
             Kernels kernels) {
  static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= 16, "model and arena are vectors");
  std::vector<const char*> names;
  for (const std::string& name : bundle.operators) names.push_back(name.c_str());
  TflmConfig config = {};
  config.network = &bundle.network;
  config.model = bundle.model.data();
  config.model_bytes = bundle.model.size();
  config.operators = names.data();
  config.operator_count = static_cast<int>(names.size());
  config.arena = arena->data();
  config.arena_bytes = arena->size();
  config.kernels = kernels;
  return engine->Init(config);
}

}  // namespace

bool LoadBundle(const std::string& folder, Bundle* bundle, std::string* error) {
  error->clear();
  bundle->folder = folder;
  const std::string file = (std::filesystem::path(folder) / "bundle.json").string();
  std::vector<uint8_t> text;
  if (!ReadFile(file, &text, error)) return false;
  const json description =
      json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!description.is_object()) {
    *error = file + ": not a JSON object, cut short or damaged" + kConvert;
    return false;
  }
  const Fields top(description, file + ": ", error);
  top.Integer("schema", GC_BUNDLE_SCHEMA, GC_BUNDLE_SCHEMA);
  if (!top.ok()) return false;  // in another schema, the other fields have other meanings

  bundle->network = {};
  SignalPath* const s = &bundle->network.signal;
  const Fields signal = top.Object("signal");
#define GROUPCOMM_READ(field, rule, object, key, low, high) \
  rule(object, key, low, high, *s, &s->field);              \
  if (!top.ok()) return false;
#define GROUPCOMM_CHECK_DIVISOR(field, object, key, of, words)                          \
  if (s->field != 0 && (of) % s->field != 0) {                                          \
    object.Fail(key, "is " + std::to_string(s->field) + ", not a divisor of " + words + \
                         ", which is " + std::to_string(of));                           \
    return false;                                                                       \
  }
  GC_SIGNAL_FIELDS(GROUPCOMM_READ, s)
  GC_SIGNAL_DIVISORS(GROUPCOMM_CHECK_DIVISOR, s)
#undef GROUPCOMM_READ
#undef GROUPCOMM_CHECK_DIVISOR
  const int inputs = StreamInputs(*s), outputs = s->sources * StreamValues(*s), hop = s->hop;
  CheckTensor(top.Object("features"), inputs);
  CheckTensor(top.Object("masks"), outputs);
  if (!top.ok()) return false;
  bundle->analysis.resize(s->window);
  bundle->feature_thresholds.resize(GC_FEATURE_THRESHOLDS);
  StreamTables(s, bundle->analysis.data(), bundle->feature_thresholds.data());
  bundle->arena_bytes = top.Integer("arena_bytes", 1, GC_BUNDLE_MAX_ARENA_BYTES);

  const json& operators = top.Get("operators", &json::is_array, "an array");
  bundle->operators.clear();
  for (size_t i = 0; top.ok() && i < operators.size(); ++i) {
    const std::string where = "operators[" + std::to_string(i) + "]";
    if (!operators[i].is_object()) {
      top.Fail(where.c_str(), "is " + Fields::Text(operators[i]) + ", not an object");
    } else {
      bundle->operators.push_back(
          Fields(operators[i], file + ": " + where + ".", error).String("name"));
    }
  }
  const Fields model = top.Object("model"), golden = top.Object("golden");
  const int64_t model_bytes = model.Integer("bytes", 1, int64_t{1} << 30);
  const int64_t hops = golden.Integer("hops", 1, 1 << 20);
  if (!top.ok()) return false;

  bundle->network.name = "bundle";
  bundle->network.model_crc32 = static_cast<uint32_t>(model.Integer("crc32", 0, UINT32_MAX));
  bundle->network.inputs = inputs;
  bundle->network.outputs = outputs;
  bundle->golden.hops = static_cast<int>(hops);
  return ReadPart(folder, model, model_bytes, &bundle->model, error) &&
         ReadPart(folder, golden.Object("pcm"), hops * hop * 2, &bundle->golden.pcm, error) &&
         ReadPart(folder, golden.Object("features"), hops * inputs, &bundle->golden.features,
                  error) &&
         ReadPart(folder, golden.Object("masks"), hops * outputs, &bundle->golden.masks, error);
}

bool ReadKernels(const std::string& word, Kernels* kernels, std::string* error) {
  if (word != "tflm" && word != "groupcomm") {
    *error = "--kernels " + word + " is not known; give tflm or groupcomm";
    return false;
  }
  *kernels = word == "groupcomm" ? GroupCommKernels : TflmKernels;
  return true;
}

size_t ArenaRoom(const Bundle& bundle, Kernels kernels) {
  return kernels == TflmKernels ? bundle.arena_bytes : 2 * bundle.arena_bytes;
}

Fit TryArena(const Bundle& bundle, size_t arena_bytes, Kernels kernels) {
  constexpr int kRefused = 42;  // not an exit code of a sanitizer
  const pid_t child = fork();
  if (child < 0) return Fit::kRefused;
  if (child == 0) {
    if (freopen("/dev/null", "w", stderr) == nullptr) _exit(kRefused);
    std::vector<uint8_t> arena(arena_bytes);
    _exit(Place(bundle, &arena, std::make_unique<TflmEngine>().get(), kernels) == GROUPCOMM_OK
              ? 0
              : kRefused);
  }
  int status;
  if (waitpid(child, &status, 0) != child) return Fit::kRefused;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Fit::kFits;
  return WIFEXITED(status) && WEXITSTATUS(status) == kRefused ? Fit::kRefused : Fit::kCrashed;
}

bool BundleEngine::Init(const Bundle& bundle, std::string* error, Kernels kernels) {
  const size_t room = ArenaRoom(bundle, kernels);
  if (TryArena(bundle, room, kernels) == Fit::kCrashed) {
    *error = bundle.folder + ": TFLM crashes on this model in an arena of " + std::to_string(room) +
             " bytes, as it does when an arena is too small" + kConvert;
    return false;
  }
  arena_.resize(room);
  CapturedStderr captured;
  if (Place(bundle, &arena_, &engine_, kernels) == GROUPCOMM_OK) return true;
  const std::string printed = captured.FirstLine();
  *error = bundle.folder + ": " + engine_.error() +
           (printed.empty() ? "" : " (TFLM: " + printed + ")") + kConvert;
  return false;
}

}  // namespace groupcomm::host
