#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bridge/core/delivery.h"
#include "bridge/core/http.h"
#include "bridge/core/result.h"
#include "bridge/deliver/transport.h"
#include "bridge/store/store.h"

namespace orbridge {

/// One line of `orbridge test <target>`: what was asked, what came, what it means.
struct TestStep {
    std::string name;
    enum class Verdict { Ok, Warning, Failed, Skipped } verdict = Verdict::Ok;
    std::string detail;
};

/// What an attempt came to that a thread carried out.
struct Performed {
    Outcome outcome;
    bool answered = false;   ///< the other side itself said so, not something on the way
    int status = 0;          ///< HTTP status of its last answer; 0: none, or another protocol
    std::string answer{};    ///< what of its answers is kept: at most 20,000 bytes, without secrets
    bool not_begun = false;  ///< it was stopped before the other side could see anything: no attempt at all
};

/// Seam: knows one outside system. Pure: it writes requests and reads answers; the dispatcher sends,
/// retries and records. Safe from any thread.
class Recipe {
public:
    virtual ~Recipe() = default;

    /// A recipe for one attempt only, asked instead of this one from here on: it may keep what else would be fetched
    /// anew by each call, such as credentials. This one must outlive it. Nothing: this one will do.
    virtual std::shared_ptr<const Recipe> for_attempt(const Delivery&, const std::string& /*route*/) const {
        return nullptr;
    }
    /// What of the attempt goes into the history of runs: task, step and masked parameters. Nothing: there is no task.
    virtual std::optional<RunRow> run() const { return std::nullopt; }

    /// Invalid: this event can never be sent so (it becomes a dead letter with this message). Conflict: it must
    /// not be sent any more (it expires).
    virtual Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const = 0;
    virtual Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const = 0;
    /// The same where it depends on the route, too.
    virtual Outcome outcome_on(const Delivery& delivery, const std::string& /*route*/,
                               const HttpResponse& response) const {
        return outcome_of(delivery, response);
    }
    /// Attempts for this route take a thread of their own: they are more than one request, or are no HTTP. Then
    /// perform() is called instead of request_for() and outcome_on().
    virtual bool blocks(const std::string& /*route*/) const { return false; }
    /// Carries one attempt out on a thread of the pool, until it has ended or at the deadline that the recipe knows,
    /// and soon after `stop` was asked for. Never called unless blocks(). May send through the transport and wait,
    /// which is let go at a stop. Must not throw.
    virtual Performed perform(const Delivery&, const std::string& /*route*/, Transport&, const std::stop_token&) const {
        return {.outcome = Rejected{"nothing is known of how to carry it out"}};
    }

    /// What of an answer, or of a reason, may be kept and shown: without secrets of ours that it repeats.
    virtual std::string shown(std::string text) const { return text; }

    /// Asked instead of the request when an earlier attempt's end was unclear. Nothing: just repeat.
    virtual std::optional<HttpRequest> inquiry_for(const Delivery&) const { return std::nullopt; }
    enum class Arrived { Yes, No, Unknown };
    virtual Arrived arrived(const Delivery&, const HttpResponse&) const { return Arrived::Unknown; }

    /// Following a job to its result. Nothing: this recipe cannot, or it is not wanted.
    virtual std::optional<HttpRequest> follow_request(const FollowedJob&) const { return std::nullopt; }
    /// The job with state, result and checks moved on; `next_check_at` is set by the caller unless it has ended.
    virtual FollowedJob followed(FollowedJob job, const HttpResponse&) const { return job; }

    /// Its credentials are in the store: only the running bridge can use them.
    virtual bool has_stored_credentials() const { return false; }
    /// `orbridge test`: probes step by step without side effects; may send through the transport.
    virtual std::vector<TestStep> test(Transport&) const { return {}; }
};

}  // namespace orbridge
