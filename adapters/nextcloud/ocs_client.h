#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bridge/run/source_client.h"

namespace orbridge::nextcloud {

/// A row of webhook_listeners as Nextcloud shows it; `[]` for an empty object is read as empty.
struct ListenerRow {
    std::int64_t id = 0;
    std::string http_method, uri, event, user_id_filter, auth_method;
    std::string event_filter, headers, token_needed;  ///< canonical JSON; empty: none
};

/// What we want a row to be. Updating replaces every field, so all of it is sent each time.
struct ListenerWish {
    std::string uri;
    std::string event;
    std::string auth_header;
    Secret secret;
};

template <class T>
struct Answered {
    T value{};
    std::optional<Trouble> trouble;
    explicit operator bool() const { return !trouble; }
};

/// The OCS API of the app webhook_listeners (version 2). Pure requests and answers over `exchange`; keeps
/// nothing. Decides on HTTP status and statuscode only: messages are translated.
class OcsClient {
public:
    OcsClient(SourceAccess access, Exchanger exchange) : access_(std::move(access)), exchange_(std::move(exchange)) {}

    /// Rows with exactly this uri.
    Answered<std::vector<ListenerRow>> list(const std::string& uri) const;
    Answered<ListenerRow> show(std::int64_t id) const;
    Answered<ListenerRow> create(const ListenerWish& wish) const;
    /// Answers success for a row that does not exist, too: show() it afterwards.
    Answered<ListenerRow> update(std::int64_t id, const ListenerWish& wish) const;
    /// False: there was nothing to remove.
    Answered<bool> remove(std::int64_t id) const;

private:
    Reply ask(std::string method, const std::string& path, std::string query, std::string body) const;
    SourceAccess access_;
    Exchanger exchange_;
};

/// Meta of an OCS answer, JSON or XML: early errors are XML whatever was asked for.
struct OcsMeta {
    int statuscode = 0;
    std::string message;
};
std::optional<OcsMeta> read_ocs_meta(const std::string& body, JsonPtr& document);

}  // namespace orbridge::nextcloud
