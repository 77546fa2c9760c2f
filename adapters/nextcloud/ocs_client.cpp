#include "adapters/nextcloud/ocs_client.h"

#include <array>
#include <charconv>

#include "bridge/core/text.h"

namespace orbridge::nextcloud {
namespace {

constexpr std::string_view kBase = "/ocs/v2.php/apps/webhook_listeners/api/v1/webhooks";

/// Text of the first `<name>…</name>`: enough for the flat meta of an early error.
std::string xml_text(std::string_view xml, std::string_view name) {
    const auto open = "<" + std::string(name) + ">";
    const auto begin = xml.find(open);
    if (begin == std::string_view::npos) return {};
    const auto from = begin + open.size();
    const auto end = xml.find("</", from);
    std::string text(xml.substr(from, end == std::string_view::npos ? 0 : end - from));
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kEntities{
        {{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}}};
    for (const auto& [entity, plain] : kEntities) {
        for (auto at = text.find(entity); at != std::string::npos; at = text.find(entity, at + 1))
            text.replace(at, entity.size(), plain);
    }
    return text;
}

std::int64_t to_int(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// The HTTP status that a statuscode stands for (V2Response; also right for version 1).
int http_of(int statuscode) {
    switch (statuscode) {
        case 100: return 200;
        case 997: return 401;
        case 998: return 404;
        case 996:
        case 999: return 500;
        default: return statuscode;
    }
}

Trouble app_missing() {
    return {Trouble::Kind::Missing,
            "The app webhook_listeners is not enabled in this Nextcloud, or `url` is not its base address: run "
            "`occ app:enable webhook_listeners` there."};
}

std::optional<Trouble> trouble_of_ocs(const HttpRequest& request, HttpResponse response,
                                      const std::optional<OcsMeta>& meta) {
    const std::string said = meta ? std::string(trim(meta->message)) : std::string();
    if (meta && meta->statuscode == 998) return app_missing();
    if (response.status / 100 == 2 && meta) response.status = http_of(meta->statuscode);
    return trouble_of(request, response, said.substr(0, 300));
}

/// Empty for null, absent, `[]` and `{}`.
std::string filled(const Json& value) {
    if (!value.present() || value.is_null() || value.empty()) return {};
    return canonical_json(value);
}

ListenerRow row_of(const Json& json) {
    const auto text = [&](std::string_view key) { return json[key].scalar().value_or(""); };
    ListenerRow row;
    row.id = to_int(text("id"));
    row.http_method = text("httpMethod");
    row.uri = text("uri");
    row.event = text("event");
    row.user_id_filter = text("userIdFilter");
    row.auth_method = text("authMethod");
    row.event_filter = filled(json["eventFilter"]);
    row.headers = filled(json["headers"]);
    row.token_needed = filled(json["tokenNeeded"]);
    return row;
}

Answered<ListenerRow> row_of(const Reply& reply) {
    if (!reply) return {{}, reply.trouble};
    return {row_of(reply.data), std::nullopt};
}

std::string body_of(const ListenerWish& wish) {
    JsonWriter json;
    json.object().member("httpMethod", "POST").member("uri", wish.uri).member("event", wish.event);
    json.key("eventFilter").null().key("userIdFilter").null();
    // Nextcloud sends no Content-Type of its own.
    json.key("headers").object().member("Content-Type", "application/json").end();
    json.member("authMethod", "header");
    json.key("authData").object().member(wish.auth_header, wish.secret.reveal()).end().end();
    return std::move(json).text();
}

}  // namespace

std::optional<OcsMeta> read_ocs_meta(const std::string& body, JsonPtr& document) {
    if (trim(body).starts_with('<')) {
        const auto head = std::string_view(body).substr(0, 64 << 10);
        const auto code = static_cast<int>(to_int(xml_text(head, "statuscode")));
        if (code == 0) return std::nullopt;
        return OcsMeta{code, xml_text(head, "message")};
    }
    auto parsed = JsonDocument::parse(body);
    if (!parsed) return std::nullopt;
    document = *parsed;
    const auto meta = document->root().path("ocs.meta");
    // A refusal before OCS took over, e.g. 412: {"message": …}
    if (!meta.is_object()) return OcsMeta{0, document->root()["message"].string().value_or("")};
    const auto code = static_cast<int>(to_int(meta["statuscode"].scalar().value_or("")));
    return OcsMeta{code, meta["message"].string().value_or("")};
}

Reply OcsClient::ask(std::string method, const std::string& path, std::string query, std::string body) const {
    // Early errors obey only ?format=json, never Accept.
    query = query.empty() ? "?format=json" : "?" + query + "&format=json";
    const auto request = source_request(access_, std::move(method), std::string(kBase) + path + query, std::move(body));
    const auto exchange = exchange_(request);
    Reply reply;
    if (const auto* failure = std::get_if<TransportFailure>(&exchange)) {
        reply.trouble = trouble_of(request, *failure);
        return reply;
    }
    const auto& response = std::get<HttpResponse>(exchange);
    reply.status = response.status;
    const auto meta = read_ocs_meta(response.body, reply.document);
    reply.trouble = trouble_of_ocs(request, response, meta);
    if (!reply.trouble && (!reply.document || !reply.document->root()["ocs"].is_object())) {
        reply.trouble = Trouble{Trouble::Kind::Failed, "Not an OCS answer from " + where(request.url) +
                                                           (response.body_cut ? " (too large)." : ": is `url` right?")};
    }
    if (!reply.trouble) reply.data = reply.document->root().path("ocs.data");
    return reply;
}

Answered<std::vector<ListenerRow>> OcsClient::list(const std::string& uri) const {
    const auto reply = ask("GET", "", "uri=" + percent_encode(uri), {});
    if (!reply) return {{}, reply.trouble};
    std::vector<ListenerRow> rows;
    for (const auto& member : reply.data.members()) {
        auto row = row_of(member.value);
        if (row.uri == uri) rows.push_back(std::move(row));
    }
    return {std::move(rows), std::nullopt};
}

Answered<ListenerRow> OcsClient::show(std::int64_t id) const {
    return row_of(ask("GET", "/" + std::to_string(id), {}, {}));
}

Answered<ListenerRow> OcsClient::create(const ListenerWish& wish) const {
    return row_of(ask("POST", "", {}, body_of(wish)));
}

Answered<ListenerRow> OcsClient::update(std::int64_t id, const ListenerWish& wish) const {
    return row_of(ask("POST", "/" + std::to_string(id), {}, body_of(wish)));
}

Answered<bool> OcsClient::remove(std::int64_t id) const {
    const auto reply = ask("DELETE", "/" + std::to_string(id), {}, {});
    if (!reply) return {false, reply.trouble};
    return {reply.data.boolean().value_or(false), std::nullopt};
}

}  // namespace orbridge::nextcloud
