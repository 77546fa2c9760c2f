#include <iostream>

#include "bridge/cli/api.h"
#include "bridge/deliver/outbound_policy.h"

namespace orbridge::cli {
namespace {

void explain_address(const OutboundPolicy& policy, const OutboundUrl& url, const IpAddress& address) {
    const auto verdict = policy.judge_address(url, address);
    const auto* use = special_use(address);
    std::cout << "  " << to_text(address) << ": ";
    if (!verdict) {
        std::cout << "refused, " << use << " that the allow list does not have\n";
    } else {
        std::cout << "allowed, " << (use == nullptr ? "a public address" : std::string(use) + " that is listed")
                  << "\n";
    }
}

/// What a host is looked up to, each with its verdict.
void explain_host(const OutboundPolicy& policy, const OutboundUrl& url) {
    if (policy.lists_host(url.host)) std::cout << "  " << url.host << " is listed: it may resolve to any address\n";
    if (url.address) return explain_address(policy, url, *url.address);
    const auto addresses = resolve_by_system(url.host);
    if (!addresses) {
        std::cout << "  " << addresses.error().message << " (judged when it is connected to)\n";
        return;
    }
    for (const auto& address : *addresses) explain_address(policy, url, address);
}

}  // namespace

int run_check_url(const Args& args) {
    const auto settings = load_settings(args);
    if (!settings) return kConfiguration;
    const auto policy = OutboundPolicy::make(settings->subscriptions.allow);
    if (!policy) return fail(policy.error());
    const auto url = args.word(0);
    const auto verdict = policy->judge(url, &resolve_by_system);
    if (args.json()) {
        JsonWriter json;
        json.object().member("allowed", verdict.has_value());
        if (!verdict) json.member("reason", verdict.error().message);
        json.end();
        std::cout << json.text() << "\n";
        return verdict ? kOk : kFailed;
    }
    std::cout << (verdict ? "allowed" : "refused: " + verdict.error().message) << "\n";
    if (const auto parsed = parse_outbound_url(url)) explain_host(*policy, *parsed);
    return verdict ? kOk : kFailed;
}

}  // namespace orbridge::cli
