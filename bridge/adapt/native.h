#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "bridge/adapt/use.h"
#include "bridge/deliver/recipe.h"

namespace orbridge {

/// One run of a native adapter's task, or of its test.
struct NativeRun {
    const std::string& task;  ///< `test`: the adapter's test
    const Json params;        ///< checked, with their defaults; absent for the test
    const Json credentials;   ///< likewise
    const Json config;        ///< likewise
    const std::string& id;    ///< of the delivery: the same at each of its attempts, and unlike any other
    /// The address does not stand in the configuration itself: it may only be where the adapter's policy lets it.
    bool address_from_others = false;
    milliseconds connect_timeout{5'000};
    std::chrono::steady_clock::time_point until{};  ///< by then it has to have ended
    std::size_t answer_bytes_max = 1 << 20;
    std::stop_token stop{};  ///< then it has to end soon
};

/// What it came to.
struct NativeEnd {
    enum class Is : std::uint8_t {
        Done,
        Trouble,        ///< again, later
        Timeout,        ///< no end in time
        Misconfigured,  ///< heals by someone's hand only
        Unauthorized,   ///< likewise: the credentials are refused
        Rejected,       ///< never again
    } is = Is::Trouble;
    std::string message;    ///< for people; what is secret in it will be masked
    std::string data{};     ///< JSON; empty: none
    bool answered = false;  ///< the other side said so
    bool unclear = false;   ///< it may have been done all the same
    bool sent = true;       ///< the other side has seen anything of the task
};

/// What a native adapter does: its tasks as code. Stateless but for what it keeps to be faster. Safe from any thread.
class NativeTasks {
public:
    virtual ~NativeTasks() = default;
    /// Ends by `until`, and soon after a stop. Must not throw.
    virtual NativeEnd run(const NativeRun& run) const = 0;
};

struct NativeLimits {
    milliseconds connect_timeout{5'000};
    std::optional<milliseconds> timeout{};          ///< of the target; nothing: each task's own
    std::optional<std::size_t> answer_bytes_max{};  ///< likewise
    std::stop_token stopping{};                     ///< for runs by hand: then they have to end soon
};

/// Delivers by the tasks of a native adapter, on threads of the pool: forms, checks, tests, results and what is retried
/// are those of declared adapters.
class NativeRecipe final : public Recipe, public TaskRunner {
public:
    NativeRecipe(AdapterUse use, NativeLimits limits, std::unique_ptr<const NativeTasks> tasks);

    std::shared_ptr<const Recipe> for_attempt(const Delivery& delivery, const std::string& route) const override;
    Result<HttpRequest> request_for(const Delivery& delivery, const std::string& route) const override;
    Outcome outcome_of(const Delivery& delivery, const HttpResponse& response) const override;
    bool blocks(const std::string&) const override { return true; }
    /// The same as by for_attempt().
    Performed perform(const Delivery& delivery, const std::string& route, Transport& transport,
                      const std::stop_token& stop) const override;
    std::string shown(std::string text) const override;
    bool has_stored_credentials() const override { return !use_.stored_credentials().empty(); }
    std::vector<TestStep> test(Transport& transport) const override;

    const AdapterUse& use() const override { return use_; }
    std::shared_ptr<const Recipe> attempt_at(const Task& task, const std::string& params,
                                             const Delivery& delivery) const override;
    TaskResult run_task(const std::string& task, const std::string& params, Transport& transport) const override;
    TaskResult try_out(const Secret& credentials, Transport& transport, bool& refused) const override;

private:
    class Attempt;
    NativeEnd run(const Task& task, AdapterUse::Ready& ready, const std::string& params, const std::string& id,
                  const std::stop_token& stop) const;
    TaskResult by_hand(const Task& task, AdapterUse::Ready ready, const std::string& params, bool& refused) const;

    const AdapterUse use_;
    const NativeLimits limits_;
    const std::unique_ptr<const NativeTasks> tasks_;
};

}  // namespace orbridge
