#include "adapters/openregister/api_client.h"

#include "adapters/openregister/history.h"
#include "bridge/core/text.h"

namespace orbridge::openregister {
namespace {

constexpr std::string_view kBase = "/index.php/apps/openregister";
constexpr std::size_t kPageSize = 100;
constexpr std::size_t kPagesMax = 200;

/// `{"error": …}` of the app, or `{"message": …}` of Nextcloud before it.
std::string said(const Json& answer) {
    auto text = answer["error"].string().value_or(answer["message"].string().value_or(""));
    return std::string(trim(text)).substr(0, 300);
}

/// OpenRegister sets `Content-Encoding: gzip` on answers it did not compress, so only the bytes count.
bool compressed(const std::string& body) { return body.starts_with("\x1f\x8b"); }

std::string unreadable(const HttpRequest& request, const HttpResponse& response) {
    const auto whence = where(request.url);
    if (compressed(response.body)) return "A compressed answer from " + whence + ", which was not asked for.";
    if (response.body_cut) return "The answer from " + whence + " is larger than `answer_bytes_max`.";
    return "The answer from " + whence + " is not JSON: is `url` right, and the app OpenRegister enabled?";
}

}  // namespace

std::string text_of(const Json& value) { return value.scalar().value_or(""); }

Reply ApiClient::ask(std::string method, const std::string& path, std::string body) const {
    const auto request = source_request(access_, std::move(method), std::string(kBase) + path, std::move(body));
    const auto exchange = exchange_(request);
    Reply reply;
    if (const auto* failure = std::get_if<TransportFailure>(&exchange)) {
        reply.trouble = trouble_of(request, *failure);
        return reply;
    }
    const auto& response = std::get<HttpResponse>(exchange);
    reply.status = response.status;
    reply.cut = response.body_cut;
    if (auto parsed = JsonDocument::parse(as_webhooks_write(response.body))) {
        reply.document = *parsed;
        reply.data = reply.document->root();
    }
    reply.trouble = trouble_of(request, response, said(reply.data));
    if (reply.trouble && response.status == 404 && !reply.data["error"].is_string()) {
        reply.trouble->kind = Trouble::Kind::Missing;
        reply.trouble->message = "The app OpenRegister does not answer at " + where(request.url) +
                                 " (HTTP 404): it is not enabled, or `url` is not the Nextcloud's base address.";
    }
    if (!reply.trouble && !reply.document && response.status != 204)
        reply.trouble = Trouble{Trouble::Kind::Failed, unreadable(request, response)};
    return reply;
}

Rows ApiClient::list(const std::string& path) const {
    Rows rows;
    std::string first_before;
    for (std::size_t page = 1; page <= kPagesMax; ++page) {
        auto reply = get(path + "?_limit=" + std::to_string(kPageSize) + "&_page=" + std::to_string(page));
        if (!reply) return {{}, {}, reply.trouble};
        const auto listed = reply.data.is_array() ? reply.data : reply.data["results"];
        const auto members = listed.members();  // an object if PHP's list had gaps
        if (members.empty()) break;
        auto first = text_of(members.front().value["id"]);
        if (first == first_before) break;  // pages are not known here: the same again
        first_before = std::move(first);
        for (const auto& member : members) rows.rows.push_back(member.value);
        rows.documents.push_back(reply.document);
        if (members.size() < kPageSize || reply.data.is_array()) break;
    }
    return rows;
}

}  // namespace orbridge::openregister
