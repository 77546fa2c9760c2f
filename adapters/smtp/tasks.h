#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bridge/adapt/native.h"
#include "bridge/deliver/curl_mail.h"
#include "bridge/deliver/outbound_policy.h"

namespace orbridge::smtp {

/// What the end of a dialogue means for the mail: replies of 4xx are for now, of 5xx for ever (RFC 5321 §4.2.1), but
/// those about the login.
NativeEnd end_of(const MailEnd& end);

/// The dialogue that a run asks for. Invalid: what is wrong with its parameters.
Result<MailRequest> request_of(const NativeRun& run, TimePoint now);

/// What is wrong with the `from` of a target, or nothing.
std::string sender_fault(const Json& config);

struct TasksParts {
    std::shared_ptr<const OutboundPolicy> policy;  ///< for addresses that are not from the configuration
    std::string ca_file;                           ///< authorities to trust besides the system's
    std::function<TimePoint()> now;
};

/// The tasks of adapters/smtp.yaml.
class SmtpTasks final : public NativeTasks {
public:
    explicit SmtpTasks(TasksParts parts) : parts_(std::move(parts)) {}
    NativeEnd run(const NativeRun& run) const override;

private:
    const TasksParts parts_;
};

}  // namespace orbridge::smtp
