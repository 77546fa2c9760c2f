#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "bridge/core/clock.h"
#include "bridge/core/log.h"
#include "bridge/store/store.h"

namespace orbridge {

inline constexpr const char* kAdmin = "admin";
/// How the holder of one of the lease API's tokens is named.
inline std::string holder_of(const std::string& token) { return "token:" + token; }

/// Keeps who did what through the APIs, in the store, where retention does not come as soon as to a log. Safe from
/// any thread; everything given to it must outlive it.
class AuditTrail {
public:
    AuditTrail(Store& store, const Clock& clock, Log& log) : store_(store), clock_(clock), log_(log) {}

    /// After the fact: what was done stays done if this cannot be stored, which the log then tells with all of it.
    /// Fields are those of a log line, so that no secret gets in; long texts are cut.
    void note(std::string_view who, std::string_view what, std::string_view subject,
              std::initializer_list<LogField> detail = {});

private:
    Store& store_;
    const Clock& clock_;
    Log& log_;
};

}  // namespace orbridge
