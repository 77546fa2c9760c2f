/// Whatever stands in the headers of a signed request, nobody is believed who does not have the key.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "bridge/core/text.h"
#include "bridge/verify/hmac_sha256.h"
#include "bridge/verify/standard_webhooks.h"

namespace {

using namespace orbridge;

const TimePoint kNow{seconds{1'700'000'000}};

std::vector<std::shared_ptr<const Verifier>> verifiers() {
    const std::vector<Secret> secrets = {Secret("one secret"), Secret("another secret"), Secret("")};
    const SignatureForm hub{.header = "X-Hub-Signature-256", .prefix = "sha256=", .id_header = "X-GitHub-Delivery"};
    const SignatureForm slack{.header = "X-Slack-Signature",
                              .prefix = "v0=",
                              .timestamp_header = "X-Slack-Request-Timestamp",
                              .content = "v0:{timestamp}:{body}"};
    const SignatureForm own{.header = "X-Sig",
                            .encoding = SignatureForm::Encoding::Base64,
                            .timestamp_header = "X-Time",
                            .id_header = "X-Id",
                            .content = "{id}{timestamp}{body}"};
    const auto standard =
        StandardWebhooks::make(secrets, {"whpk_ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ="}, milliseconds{300'000});
    if (!standard) std::abort();
    return {*standard, std::make_shared<HmacSha256>(hub, secrets, milliseconds{0}),
            std::make_shared<HmacSha256>(slack, secrets, milliseconds{300'000}),
            std::make_shared<HmacSha256>(own, secrets, milliseconds{300'000})};
}

/// `name: value` lines, an empty one, the body.
InboundRequest request_of(std::string_view text) {
    InboundRequest request;
    for (auto end = text.find('\n'); end != std::string_view::npos && end != 0; end = text.find('\n')) {
        const auto line = text.substr(0, end);
        const auto colon = line.find(':');
        if (colon != std::string_view::npos)
            request.headers.push_back({std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))});
        text.remove_prefix(end + 1);
    }
    request.body = text.substr(text.starts_with('\n') ? 1 : 0);
    return request;
}

void check_content(std::string_view text) {
    const auto content = SignedContent::parse(text);
    if (!content) return;
    if (!content->uses("body")) std::abort();
    const auto filled = content->fill({"1", "2", "the body"});
    if (filled.find("the body") == std::string::npos) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto kVerifiers = verifiers();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto request = request_of(text);
    for (const auto& verifier : kVerifiers) {
        const auto proof = verifier->verify(request, kNow);
        if (proof || proof.error().kind != Error::Kind::Unauthorized) std::abort();
    }
    if (read_signatures(text).size() > kSignaturesMax) std::abort();
    check_content(text.substr(0, text.find('\n')));
    return 0;
}
