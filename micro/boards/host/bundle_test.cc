// Bundles that are incomplete, truncated, modified or of another schema give one error line that
// names the file and a remedy.
#include "micro/boards/host/bundle.h"

#include <zlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "micro/boards/host/files.h"
#include "micro/testing/check.h"

namespace groupcomm::host {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path kBundle = "convert/bundles/enhance-blstm";  // without bands

std::vector<uint8_t> Read(const fs::path& path) {
  std::vector<uint8_t> content;
  std::string error;
  if (!ReadFile(path.string(), &content, &error)) CHECK_EQ(error, "");
  return content;
}

void Write(const fs::path& path, const void* data, size_t bytes) {
  AtomicFile file;
  std::string error;
  if (!file.Open(path.string(), &error) || !file.Write(data, bytes, &error) || !file.Commit(&error))
    CHECK_EQ(error, "");
}

// Returns a copy of the bundle that a test can damage.
fs::path Copy() {
  const fs::path folder = fs::path(std::getenv("TEST_TMPDIR")) / "bundle";
  fs::remove_all(folder);
  fs::create_directory(folder);
  for (const auto& entry : fs::directory_iterator(kBundle)) {
    const std::vector<uint8_t> content = Read(entry.path());
    Write(folder / entry.path().filename(), content.data(), content.size());
  }
  return folder;
}

void Refuses(const fs::path& folder, const std::string& words) {
  Bundle bundle;
  std::string error;
  CHECK_TRUE(!LoadBundle(folder.string(), &bundle, &error));
  CHECK_CONTAINS(error, folder.string());
  CHECK_CONTAINS(error, words);
  CHECK_TRUE(error.find_first_of("\r\n") == std::string::npos);
  CHECK_TRUE(testing::Contains(error, "; "));  // the remedy
}

void ChangeJson(const fs::path& folder, const std::function<void(json*)>& change) {
  json description = json::parse(Read(folder / "bundle.json"));
  change(&description);
  const std::string text = description.dump();
  Write(folder / "bundle.json", text.data(), text.size());
}

void RefusesJson(const std::string& words, const std::function<void(json*)>& change) {
  const fs::path folder = Copy();
  ChangeJson(folder, change);
  Refuses(folder, words);
}

void Good() {
  Bundle bundle;
  std::string error;
  CHECK_TRUE(LoadBundle(Copy().string(), &bundle, &error));
  CHECK_EQ(error, "");
  CHECK_TRUE(!bundle.operators.empty() && bundle.golden.hops > 0);
  CHECK_EQ(bundle.golden.features.size(),
           static_cast<size_t>(bundle.golden.hops * StreamInputs(bundle.network.signal)));
}

// Older bundles, from before the running mean was subtracted, have no field `dc`.
void Dc() {
  const fs::path folder = Copy();
  Bundle bundle;
  std::string error;
  ChangeJson(folder, [](json* d) { (*d)["signal"].erase("dc"); });
  CHECK_TRUE(LoadBundle(folder.string(), &bundle, &error));
  CHECK_EQ(bundle.network.signal.dc_decay, 0.0f);
  ChangeJson(folder, [](json* d) { (*d)["signal"]["dc"] = 0; });
  CHECK_TRUE(LoadBundle(folder.string(), &bundle, &error));
  CHECK_EQ(bundle.network.signal.dc_decay, 0.0f);
  ChangeJson(folder, [](json* d) { (*d)["signal"]["dc"] = 0.5; });
  CHECK_TRUE(LoadBundle(folder.string(), &bundle, &error));
  CHECK_EQ(bundle.network.signal.dc_decay,
           static_cast<float>(std::exp(-1.0 * bundle.network.signal.hop /
                                       bundle.network.signal.sample_rate / 0.5)));
}

void Files() {
  Refuses("no/such/folder", "bundle.json: cannot read (No such file");
  for (const char* name :
       {"bundle.json", "model.tflite", "golden_pcm.i16", "golden_features.i8", "golden_masks.i8"}) {
    fs::path folder = Copy();
    fs::remove(folder / name);
    Refuses(folder, std::string(name) + ": cannot read (No such file");
    fs::create_directory(folder / name);
    Refuses(folder, std::string(name) + ": not a file");

    folder = Copy();
    std::vector<uint8_t> content = Read(folder / name);
    Write(folder / name, content.data(), content.size() - 1 - content.size() / 3);
    Refuses(folder, name == std::string("bundle.json") ? "bundle.json: not a JSON object"
                                                       : "bytes, bundle.json says");
    Write(folder / name, "", 0);
    Refuses(folder, name == std::string("bundle.json") ? "bundle.json: not a JSON object"
                                                       : "0 bytes, bundle.json says");

    if (name == std::string("bundle.json")) continue;
    for (size_t at : {size_t{0}, content.size() / 2, content.size() - 1}) {
      content[at] ^= 1;
      Write(folder / name, content.data(), content.size());
      Refuses(folder, std::string(name) + ": CRC-32 differs");
      content[at] ^= 1;
    }
  }
}

void Descriptions() {
  RefusesJson("schema is 1, not in 2..2", [](json* d) { (*d)["schema"] = 1; });
  RefusesJson("schema is \"2\", not an integer", [](json* d) { (*d)["schema"] = "2"; });
  RefusesJson("schema is missing", [](json* d) { d->erase("schema"); });
  RefusesJson("not a JSON object", [](json* d) { *d = json::array({1, 2}); });
  for (const char* key :
       {"signal", "sources", "model", "features", "masks", "operators", "arena_bytes", "golden"}) {
    RefusesJson(std::string(key) + " is missing", [&](json* d) { d->erase(key); });
    RefusesJson(std::string(key) + " is null, not ", [&](json* d) { (*d)[key] = nullptr; });
  }
  RefusesJson("signal.window is 250, not a power of two",
              [](json* d) { (*d)["signal"]["window"] = 250; });
  RefusesJson("signal.window is 256.5, not an integer",
              [](json* d) { (*d)["signal"]["window"] = 256.5; });
  RefusesJson("signal.hop is 96, not a divisor of window / 2, which is 128",
              [](json* d) { (*d)["signal"]["hop"] = 96; });
  RefusesJson("signal.hop is 0, not in 1..128", [](json* d) { (*d)["signal"]["hop"] = 0; });
  RefusesJson("signal.exponent is 0.0, not a positive float32",
              [](json* d) { (*d)["signal"]["exponent"] = 0.0; });
  RefusesJson("signal.level is -1.0, not a float32 of 0 or more",
              [](json* d) { (*d)["signal"]["level"] = -1.0; });
  RefusesJson("signal.level is missing", [](json* d) { (*d)["signal"].erase("level"); });
  RefusesJson("signal.dc is -0.5, not a float32 of 0 or more",
              [](json* d) { (*d)["signal"]["dc"] = -0.5; });
  RefusesJson("signal.dc is null, not a number", [](json* d) { (*d)["signal"]["dc"] = nullptr; });
  RefusesJson("signal.dc is 1e-05, not a time constant",
              [](json* d) { (*d)["signal"]["dc"] = 1e-5; });
  RefusesJson("signal.dc is 1000000000.0, not a time constant",
              [](json* d) { (*d)["signal"]["dc"] = 1e9; });
  RefusesJson("signal.bands is 65, not in 0..64", [](json* d) { (*d)["signal"]["bands"] = 65; });
  RefusesJson("signal.bands is 7, not a divisor of values, which is 128",
              [](json* d) { (*d)["signal"]["bands"] = 7; });
  RefusesJson("signal.pool is 2, not in 1..1", [](json* d) { (*d)["signal"]["pool"] = 2; });
  RefusesJson("signal.pool is 0, not in 1..64",
              [](json* d) { (*d)["signal"]["bands"] = 16, (*d)["signal"]["pool"] = 0; });
  RefusesJson("signal.pool is 3, not a divisor of window / 4, which is 64",
              [](json* d) { (*d)["signal"]["bands"] = 16, (*d)["signal"]["pool"] = 3; });
  RefusesJson("signal.neighbours is 1, not in 0..0",
              [](json* d) { (*d)["signal"]["neighbours"] = 1; });
  RefusesJson("signal.neighbours is 9, not in 0..8",
              [](json* d) { (*d)["signal"]["bands"] = 16, (*d)["signal"]["neighbours"] = 9; });
  RefusesJson("features.shape is [1,129], not [1, 128]",
              [](json* d) { (*d)["signal"]["bands"] = 16; });
  RefusesJson("sources is 9, not in 1..8", [](json* d) { (*d)["sources"] = 9; });
  RefusesJson("sources is 18446744073709551615, not in 1..8",
              [](json* d) { (*d)["sources"] = UINT64_MAX; });
  RefusesJson("masks.shape is ", [](json* d) { (*d)["sources"] = 3; });
  RefusesJson("features.shape is [129], not [1, ",
              [](json* d) { (*d)["features"]["shape"] = {129}; });
  RefusesJson("features.dtype is \"float32\", not \"int8\"",
              [](json* d) { (*d)["features"]["dtype"] = "float32"; });
  RefusesJson("features.dtype is \"\\nint8\", not \"int8\"",
              [](json* d) { (*d)["features"]["dtype"] = "\nint8"; });
  RefusesJson("features.scale is -1, not a positive float32",
              [](json* d) { (*d)["features"]["scale"] = -1; });
  RefusesJson("features.scale is 1e+300, not a positive",
              [](json* d) { (*d)["features"]["scale"] = 1e300; });
  RefusesJson("masks.zero_point is 128, not in -128..127",
              [](json* d) { (*d)["masks"]["zero_point"] = 128; });
  RefusesJson("arena_bytes is 100000000000, not in",
              [](json* d) { (*d)["arena_bytes"] = 100000000000; });
  RefusesJson("operators[1] is 7, not an object", [](json* d) { (*d)["operators"][1] = 7; });
  RefusesJson("operators[0].name is missing", [](json* d) { (*d)["operators"][0].erase("name"); });
  RefusesJson("model.file is \"/etc/passwd\", not the name of a file in",
              [](json* d) { (*d)["model"]["file"] = "/etc/passwd"; });
  RefusesJson("model.file is \"../x\", not the name of a file in",
              [](json* d) { (*d)["model"]["file"] = "../x"; });
  RefusesJson("model.file is \"a/../../x\", not the name of a file in",
              [](json* d) { (*d)["model"]["file"] = "a/../../x"; });
  RefusesJson("model.file is \"\", not the name of a file in",
              [](json* d) { (*d)["model"]["file"] = ""; });
  RefusesJson("model.file is \"a\\nb\", not the name of a file in",
              [](json* d) { (*d)["model"]["file"] = "a\nb"; });
  RefusesJson("model.crc32 is -1, not in 0..4294967295",
              [](json* d) { (*d)["model"]["crc32"] = -1; });
  RefusesJson("golden.masks.file is missing",
              [](json* d) { (*d)["golden"]["masks"].erase("file"); });
  RefusesJson("golden.hops is 0, not in", [](json* d) { (*d)["golden"]["hops"] = 0; });
  RefusesJson("golden_pcm.i16: ",
              [](json* d) { (*d)["golden"]["hops"] = (*d)["golden"]["hops"].get<int>() + 1; });
}

}  // namespace
}  // namespace groupcomm::host

int main() {
  groupcomm::host::Good();
  groupcomm::host::Dc();
  groupcomm::host::Files();
  groupcomm::host::Descriptions();
}
