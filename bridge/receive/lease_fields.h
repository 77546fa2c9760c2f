#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/core/clock.h"
#include "bridge/core/json.h"
#include "bridge/store/lease_book.h"

namespace orbridge {

/// The fields of a lease request. `null` and "" are absent. Whatever is wrong is collected, each with the name
/// of its field, so that one answer tells everything.
class LeaseFields {
public:
    /// `body` is an object, and must outlive this.
    explicit LeaseFields(Json body) : body_(body) {}

    /// Nothing if absent or no string; no number is taken for one.
    std::optional<std::string> text(std::string_view name);
    bool flag(std::string_view name);
    /// A time in milliseconds or in RFC 3339, or the id of an event.
    std::optional<Since> since();
    /// A whole number of seconds from 1 to `most`: a JSON number or a string of digits. Never cut to fit.
    std::optional<milliseconds> lease_time(milliseconds most);

    bool given(std::string_view name) const;
    void require(std::string_view name);
    void complain(std::string what) { faults_.push_back(std::move(what)); }
    /// `missing: url, leaseTime; hookId must be a string`; empty: nothing is wrong.
    std::string faults() const;

private:
    Json body_;
    std::vector<std::string> missing_;
    std::vector<std::string> faults_;
};

std::size_t count_characters(std::string_view utf8);
bool has_control_characters(std::string_view utf8);

}  // namespace orbridge
