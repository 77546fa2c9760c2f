#include "bridge/ui/pages.h"

#include <algorithm>
#include <string>

namespace orbridge {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

std::string type_of(std::string_view name) {
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    return "text/html; charset=utf-8";
}

}  // namespace

Answer ui_answer(std::string_view name) {
    const auto file_name = std::string(name) + (name.find('.') == std::string_view::npos ? ".html" : "");
    const auto& files = ui_files();
    const auto found = std::find_if(files.begin(), files.end(), [&](const UiFile& f) { return f.name == file_name; });
    if (found == files.end())
        return {.status = 404, .body = R"({"error":{"code":"not_found","message":"there is no such page"}})"};
    return {.status = 200,
            .body = std::string(found->text),
            .content_type = type_of(file_name),
            .headers = {{"Content-Security-Policy", kPolicy},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cache-Control", "no-cache"}}};
}

}  // namespace orbridge
