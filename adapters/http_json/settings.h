#pragma once

#include <optional>
#include <string>

#include "bridge/core/http.h"
#include "bridge/settings/settings.h"

namespace orbridge::http_json {

/// How a list that does not fit into one answer goes on.
enum class Paging { None, Page, Offset, Cursor, Link };

/// What sources of type http say of the JSON they serve. Pointers are those of RFC 6901.
struct JsonPollSettings {
    Headers headers{};              ///< sent with each request
    std::optional<std::string> id;  ///< pointer in an item; nothing: the whole is one document
    std::string items;              ///< pointer to the list, or to the document
    std::string channel;
    Paging paging = Paging::None;
    std::string page_param = "page";  ///< of paging by page, offset or cursor
    std::string size_param;           ///< empty: the size is not asked for
    std::size_t page_size = 100;      ///< items a page has while there are more
    std::string next;                 ///< pointer to the next cursor
    int pages_max = 100;
    std::size_t items_max = 10'000;  ///< of all pages together
};

/// Reads the keys of `poll:` that are the generic poll's own, and complains about those that nobody reads.
JsonPollSettings read_json_poll(const ConfigNode& poll, const SourceSettings& source);

}  // namespace orbridge::http_json
