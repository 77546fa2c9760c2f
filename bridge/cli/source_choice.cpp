#include "bridge/cli/source_choice.h"

#include <fstream>
#include <iostream>
#include <iterator>

#include "bridge/core/text.h"

namespace orbridge::cli {

const SourceSettings* choose_source(const Settings& settings, const Args& args) {
    const auto wanted = args.get("source");
    if (wanted.empty() && settings.sources.size() == 1) return &settings.sources.front();
    std::vector<std::string> names;
    for (const auto& source : settings.sources) {
        if (source.id.value == wanted) return &source;
        names.push_back(source.id.value);
    }
    std::cerr << "orbridge: " << (wanted.empty() ? "say which source with --source" : "no source `" + wanted + "`")
              << ", there are: " << join(names, ", ") << "\n";
    return nullptr;
}

std::optional<std::string> read_input(const std::string& file) {
    constexpr std::size_t kBytesMax = 64 << 20;
    std::ifstream in(file, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (in && text.size() <= kBytesMax) return text;
    std::cerr << "orbridge: cannot read " << file << (text.size() > kBytesMax ? ": larger than 64 MiB" : "") << "\n";
    return std::nullopt;
}

}  // namespace orbridge::cli
