#include "bridge/deliver/outbound_policy.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "bridge/core/text.h"

namespace orbridge {

Result<std::vector<IpAddress>> resolve_by_system(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    if (const int code = getaddrinfo(host.c_str(), nullptr, &hints, &first); code != 0)
        return Error{Error::Kind::Unavailable, "cannot resolve " + host + ": " + gai_strerror(code)};
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> all(first, &freeaddrinfo);
    std::vector<IpAddress> addresses;
    for (const auto* one = all.get(); one != nullptr; one = one->ai_next)
        if (const auto ip = ip_of(*one->ai_addr)) addresses.push_back(*ip);
    return addresses;
}

Result<OutboundPolicy> OutboundPolicy::make(const std::vector<std::string>& allow) {
    OutboundPolicy policy;
    for (const auto& entry : allow) {
        if (const auto block = parse_ip_block(entry)) {
            policy.blocks_.push_back(*block);
            continue;
        }
        const bool domain = entry.starts_with("*.");
        const auto host = parse_outbound_host(std::string_view(entry).substr(domain ? 2 : 0));
        if (!host || host->address)
            return Error{Error::Kind::Invalid, "'" + entry + "' is no host name, *.domain, address or CIDR block"};
        domain ? policy.domains_.push_back('.' + host->host) : policy.hosts_.push_back(host->host);
    }
    return policy;
}

bool OutboundPolicy::lists_host(const std::string& host) const {
    return std::find(hosts_.begin(), hosts_.end(), host) != hosts_.end() ||
           std::any_of(domains_.begin(), domains_.end(), [&](const auto& domain) { return host.ends_with(domain); });
}

Result<OutboundUrl> OutboundPolicy::judge_url(std::string_view url) const {
    auto parsed = parse_outbound_url(url);
    if (!parsed || !parsed->address) return parsed;
    if (const auto status = judge_address(*parsed, *parsed->address); !status) return status.error();
    return parsed;
}

Status OutboundPolicy::judge_address(const OutboundUrl& url, const IpAddress& address) const {
    const auto* use = special_use(address);
    if (use == nullptr || lists_host(url.host)) return Ok{};
    for (const auto& block : blocks_)
        if (block.contains(address)) return Ok{};
    const auto text = to_text(address);
    const auto subject = url.host == text ? text + " is " : url.host + " is " + text + ", ";
    return Error{Error::Kind::Invalid, subject + use + " that the allow list does not have"};
}

Status OutboundPolicy::judge(std::string_view url, const Resolve& resolve) const {
    const auto parsed = judge_url(url);
    if (!parsed) return parsed.error();
    if (parsed->address || lists_host(parsed->host)) return Ok{};
    const auto addresses = resolve(parsed->host);
    if (!addresses) return Ok{};
    for (const auto& address : *addresses)
        if (auto status = judge_address(*parsed, address); !status) return status;
    return Ok{};
}

}  // namespace orbridge
