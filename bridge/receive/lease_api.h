#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/http.h"
#include "bridge/core/json.h"
#include "bridge/core/log.h"
#include "bridge/core/random.h"
#include "bridge/core/result.h"
#include "bridge/record/audit_trail.h"
#include "bridge/store/lease_book.h"

namespace orbridge {

class LeaseFields;

/// What the lease API must know of the configuration. Replaced whole on a reload.
struct LeaseRules {
    std::vector<std::string> products;
    milliseconds lease_max{1'209'600'000};
    /// The rest of the message, behind the field's name. May look a host up, and so block.
    std::function<Status(const std::string& url)> check_url;
    std::function<Status(const std::string& java)> check_filter;
    /// The name of the token with this value; nothing: there is none.
    std::function<std::optional<std::string>(const std::string& value)> token_name;
};

/// `/{product}/webhookAPI/{register,unregister,renew,view}`: leases for whoever has a token. Clients of this API
/// ignore the status and read `success` and `message`, so every answer has both, and all that is well-formed is
/// answered 200. Safe from any thread.
class LeaseApi {
public:
    using RulesNow = std::function<std::shared_ptr<const LeaseRules>()>;
    /// Told of every request that had a token: for metrics. `action` is one of the four, or `addLogMessage`.
    using Counted = std::function<void(const std::string& product, const std::string& action, const std::string& token,
                                       bool success)>;

    /// Everything given to it must outlive it.
    LeaseApi(RulesNow rules, LeaseBook& book, const Clock& clock, Random& random, Log& log, AuditTrail& audit,
             Counted counted);

    Answer answer(const std::string& product, const std::string& action, const InboundRequest& request);

    /// `/{product}/projectAPI/addLogMessage`, where the clients of this API tell what became of a callback: kept in
    /// the log and in the audit (lease-api.md F2).
    Answer log_message(const std::string& product, const InboundRequest& request);

    /// For a request that was refused before its body was read. Nothing: it is not for this API.
    std::optional<Answer> refused(const InboundRequest& head, int status, const std::string& why) const;

private:
    struct Call {
        std::string product, action, token;
        std::shared_ptr<const LeaseRules> rules;
    };
    struct Reply {
        bool success = false;
        std::string body;
    };
    class ReplyWriter;

    std::optional<Answer> gate(Call& call, const InboundRequest& request) const;
    std::optional<Answer> refuse_caller(Call& call, const std::string& token) const;
    Reply act(const Call& call, const Json& body);
    Reply register_hook(const Call& call, const Json& body);
    Reply unregister(const Call& call, const Json& body);
    Reply renew(const Call& call, const Json& body);
    Reply view(const Json& body) const;
    Subscription read_registration(const Call& call, LeaseFields& fields);
    std::string new_hook();

    RulesNow rules_;
    LeaseBook& book_;
    const Clock& clock_;
    Random& random_;
    Log& log_;
    AuditTrail& audit_;
    Counted counted_;
};

}  // namespace orbridge
