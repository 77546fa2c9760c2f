#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/result.h"
#include "bridge/deliver/ip_address.h"
#include "bridge/deliver/outbound_url.h"

namespace orbridge {

/// Looks a host name up. Unavailable: it could not be, now. May block.
using Resolve = std::function<Result<std::vector<IpAddress>>(const std::string& host)>;

/// By the operating system's resolver.
Result<std::vector<IpAddress>> resolve_by_system(const std::string& host);

/// Where requests may go whose URL was chosen by someone else: public addresses, and what is listed. The same
/// rule, in the same words, judges a URL when it is registered and each address when it is connected to.
/// Immutable; safe from any thread.
class OutboundPolicy {
public:
    /// `10.0.0.0/8`, `fd00::/8`, an address, a host name, `*.example.org` (its subdomains). A name that is listed
    /// may resolve to anything. Invalid: the entry that is none of these, named.
    static Result<OutboundPolicy> make(const std::vector<std::string>& allow);

    /// What can be said without looking anything up. Invalid: why not.
    Result<OutboundUrl> judge_url(std::string_view url) const;
    /// Each of the addresses that the URL's host was resolved to. Invalid: why not.
    Status judge_address(const OutboundUrl& url, const IpAddress& address) const;
    /// Both, for all addresses. A name that cannot be resolved now is no reason to refuse it: whatever it
    /// resolves to later is judged then.
    Status judge(std::string_view url, const Resolve& resolve) const;

    bool lists_host(const std::string& host) const;

private:
    std::vector<IpBlock> blocks_;
    std::vector<std::string> hosts_;
    std::vector<std::string> domains_;  ///< with the dot before them
};

}  // namespace orbridge
