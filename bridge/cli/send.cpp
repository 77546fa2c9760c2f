#include <algorithm>
#include <iostream>

#include "bridge/cli/source_choice.h"
#include "bridge/core/capture.h"
#include "bridge/core/ids.h"
#include "bridge/core/random.h"
#include "bridge/core/text.h"
#include "bridge/verify/push_sign.h"

namespace orbridge::cli {
namespace {

/// As its sender would: with what was recorded besides the proof, which is made anew.
HttpRequest pushed_request(const SourceSettings& source, const std::string& base, InboundRequest recorded) {
    HttpRequest request;
    request.url = base + "/ingest/" + source.id.value;
    const SystemClock clock;
    SystemRandom random;
    request.headers = push_headers(source.push.proof, recorded.body, clock.now(), IdMaker(clock, random).uuid_v7());
    static const std::vector<std::string> kOurs = {"Host", "Content-Length", "Transfer-Encoding", "Connection"};
    for (auto& header : recorded.headers) {
        const auto same = [&](const std::string& name) { return equal_ignoring_case(name, header.name); };
        const bool ours = std::any_of(kOurs.begin(), kOurs.end(), same);
        if (!ours && find_header(request.headers, header.name) == nullptr) request.headers.push_back(std::move(header));
    }
    if (find_header(request.headers, "Content-Type") == nullptr)
        request.headers.push_back({"Content-Type", "application/json"});
    request.body = std::move(recorded.body);
    return request;
}

/// Signed as the source would: OpenRegister over the raw bytes, Nextcloud by a header, hooks by their token.
HttpRequest request_for(const SourceSettings& source, const std::string& base, InboundRequest recorded) {
    if (source.type == "push") return pushed_request(source, base, std::move(recorded));
    auto body = std::move(recorded.body);
    HttpRequest request;
    const bool hook = body.find("nl.openregister.object.") != std::string::npos && !source.hook_token.empty();
    request.url = base + (hook ? "/engine/api/w/" + source.id.value + "/jobs/run_wait_result/f/orbridge/send"
                               : "/ingest/" + source.id.value);
    request.headers = {{"Content-Type", "application/json"}};
    if (hook) {
        request.headers.push_back({"Authorization", "Bearer " + source.hook_token.reveal()});
    } else if (source.type == "openregister" && !source.secrets.empty()) {
        request.headers.push_back({"X-Webhook-Signature", to_hex(hmac_sha256(source.secrets.front().reveal(), body))});
    } else if (!source.secrets.empty()) {
        request.headers.push_back({"X-Orbridge-Secret", source.secrets.front().reveal()});
    }
    request.body = std::move(body);
    return request;
}

}  // namespace

int run_send(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto* source = choose_source(*settings, args);
    if (source == nullptr) return kConfiguration;
    auto text = read_input(args.word(0));
    if (!text) return kFailed;
    InboundRequest recorded;
    if (looks_like_capture(*text)) {
        auto captured = parse_capture(*text);
        if (!captured) return fail(captured.error());
        recorded = std::move(*captured);
    } else {
        recorded.body = std::move(*text);
    }
    const auto place = args.has("url") ? BridgePlace{args.get("url")} : bridge_place(*settings);
    const auto& base = place.url;
    auto request = request_for(*source, base, std::move(recorded));
    request.unix_socket = place.unix_socket;
    const auto result = exchange_once(request);
    if (const auto* failure = std::get_if<TransportFailure>(&result))
        return fail({Error::Kind::Unavailable, "cannot reach the bridge at " + where(base) + ": " + failure->reason});
    const auto& response = std::get<HttpResponse>(result);
    if (args.json()) {
        std::cout << response.body << "\n";
    } else {
        std::cout << "HTTP " << response.status << " " << response.body << "\n";
    }
    return response.status / 100 == 2 ? kOk : kFailed;
}

}  // namespace orbridge::cli
