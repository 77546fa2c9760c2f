#include "bridge/settings/config_file.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "bridge/settings/values.h"

namespace orbridge {
namespace {

constexpr const char* kNoVariable =
    "`${` begins the name of an environment variable, as in `${NAME}`; for the text write `$${`";

Error invalid(const std::string& message) { return {Error::Kind::Invalid, message}; }

bool is_variable_name(const std::string& name) {
    const auto fits = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
           std::all_of(name.begin(), name.end(), fits);
}

/// Of what stands between the braces.
Result<std::string> value_of(const std::string& inside) {
    const auto fallback = inside.find(":-");
    const auto name = inside.substr(0, fallback);
    if (!is_variable_name(name)) return invalid(kNoVariable);
    // Nothing here ever changes the environment. NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* value = std::getenv(name.c_str());
    if (fallback != std::string::npos && (value == nullptr || *value == '\0')) return inside.substr(fallback + 2);
    if (value == nullptr) return invalid("the environment variable " + name + " is not set");
    return std::string(value);
}

}  // namespace

Result<std::string> read_file(const std::string& name, std::size_t bytes_max) {
    std::error_code problem;
    const auto status = std::filesystem::status(name, problem);
    if (status.type() == std::filesystem::file_type::not_found) return invalid("there is no such file");
    if (problem) return invalid("it cannot be read: " + problem.message());
    if (std::filesystem::is_directory(status)) return invalid("it is a folder, not a file");
    std::ifstream in(name, std::ios::binary);
    if (!in) return invalid("it cannot be read: " + std::error_code(errno, std::generic_category()).message());
    std::string text(bytes_max + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) return invalid("it cannot be read to its end");
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > bytes_max) return invalid("it is larger than " + format_size(bytes_max));
    return text;
}

Result<std::string> expand_environment(const std::string& text) {
    std::string expanded;
    std::size_t from = 0;
    for (;;) {
        const auto begin = text.find("${", from);
        expanded += text.substr(from, begin - from);
        if (begin == std::string::npos) return expanded;
        if (begin > from && text[begin - 1] == '$') {  // the `$` before it is there already
            expanded += '{';
            from = begin + 2;
            continue;
        }
        const auto end = text.find('}', begin);
        const auto inside = end == std::string::npos ? std::string() : text.substr(begin + 2, end - begin - 2);
        auto value = value_of(inside);
        if (!value) return value;
        expanded += *value;
        from = end + 1;
    }
}

}  // namespace orbridge
