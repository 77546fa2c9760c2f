/// Whatever a template and its values are: in a path they stay segments, in a query one value, in a header one line,
/// and as JSON they are JSON.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "bridge/adapt/template.h"

namespace {

using namespace orbridge;

bool has_any(const std::string& text, const char* what) { return text.find_first_of(what) != std::string::npos; }

void check(const ValueTemplate& made, const Scope& scope) {
    const auto query = made.text(scope, Encoding::Query);
    if (made.is_whole() && query && has_any(*query, "&=#?/\r\n ")) std::abort();
    const auto path = made.text(scope, Encoding::Path);
    if (made.is_whole() && path && has_any(*path, "?#\r\n ")) std::abort();
    const auto header = made.text(scope, Encoding::Header);
    if (header && made.is_whole() && has_any(*header, "\r\n")) std::abort();
    const auto json = made.json(scope);
    if (!json.empty() && !JsonDocument::parse(json, {.depth_max = 1024, .values_max = 2'000'000})) std::abort();
}

}  // namespace

/// Up to the first line break the template, behind it the value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto end = std::min(text.find('\n'), text.size());
    const auto made = ValueTemplate::parse(text.substr(0, end));
    if (!made) return 0;
    Scope scope;
    const auto value = end == text.size() ? std::string() : text.substr(end + 1);
    if (!scope.set("params", value)) (void)scope.set("params", "{\"v\":" + json_string(value) + "}");
    check(*made, scope);
    return 0;
}
