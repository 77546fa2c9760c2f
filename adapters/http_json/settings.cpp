#include "adapters/http_json/settings.h"

#include <algorithm>

#include "bridge/core/json_pointer.h"

namespace orbridge::http_json {
namespace {

std::string read_pointer(const ConfigNode& node, std::string_view key) {
    auto pointer = node.text(key, "");
    if (!is_json_pointer(pointer)) node[key].complain("expected a JSON pointer like /data/items");
    return pointer;
}

bool is_token(std::string_view name) {
    constexpr std::string_view kMore = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kMore.find(c) != std::string_view::npos;
    });
}

Headers read_headers(const ConfigNode& node) {
    Headers headers;
    for (const auto& [name, value] : node.entries()) {
        auto text = value.as_text().value_or("");
        const bool plain = text.find_first_of("\r\n") == std::string::npos;
        if (!is_token(name) || !plain) value.complain("not a header, expected a name and a text on one line");
        headers.push_back({name, std::move(text)});
    }
    return headers;
}

Paging read_paging(const ConfigNode& node) {
    const auto word = node.word("paging", {"none", "page", "offset", "cursor", "link"}, "none");
    if (word == "page") return Paging::Page;
    if (word == "offset") return Paging::Offset;
    if (word == "cursor") return Paging::Cursor;
    return word == "link" ? Paging::Link : Paging::None;
}

const char* usual_param(Paging paging) {
    if (paging == Paging::Offset) return "offset";
    return paging == Paging::Cursor ? "cursor" : "page";
}

}  // namespace

JsonPollSettings read_json_poll(const ConfigNode& poll, const SourceSettings& source) {
    JsonPollSettings settings;
    settings.headers = read_headers(poll["headers"]);
    settings.items = read_pointer(poll, "items");
    if (poll["id"].present()) settings.id = read_pointer(poll, "id");
    settings.channel = poll.text("channel", source.id.value);
    settings.paging = read_paging(poll);
    settings.page_param = poll.text("page_param", usual_param(settings.paging));
    settings.size_param = poll.text("size_param", "");
    settings.page_size = static_cast<std::size_t>(poll.integer("page_size", 100, 1, 10'000));
    settings.next = read_pointer(poll, "next");
    settings.pages_max = static_cast<int>(poll.integer("pages_max", settings.pages_max, 1, 10'000));
    settings.items_max = static_cast<std::size_t>(poll.integer("items_max", 10'000, 1, 1'000'000));
    if (settings.paging != Paging::None && !settings.id) poll["id"].complain("missing, only a list of items has pages");
    if (settings.paging == Paging::Cursor && settings.next.empty())
        poll["next"].complain("missing, expected a JSON pointer to the cursor of the next page");
    for (const auto* pace : {"interval", "fallback_interval", "push_timeout", "backoff_max", "existing"})
        (void)poll[pace];  // read with the source
    poll.done();
    return settings;
}

}  // namespace orbridge::http_json
