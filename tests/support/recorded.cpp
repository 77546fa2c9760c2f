#include "tests/support/recorded.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "bridge/core/capture.h"

namespace orbridge::testing {

namespace fs = std::filesystem;

std::string read_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    BOOST_REQUIRE_MESSAGE(in, "cannot read " << file);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const fs::path& file, const std::string& text) {
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
}

std::vector<fs::path> data_files(const std::string& folder, const std::string& ending) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(fs::path(ORBRIDGE_TEST_DATA) / folder)) {
        const auto name = entry.path().filename().string();
        if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

InboundRequest recorded(const fs::path& file) {
    auto request = parse_capture(read_file(fs::path(ORBRIDGE_TEST_DATA) / file));
    BOOST_REQUIRE_MESSAGE(request, file << " is no recorded request");
    return *request;
}

}  // namespace orbridge::testing
