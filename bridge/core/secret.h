#pragma once

#include <ostream>
#include <string>
#include <utility>

namespace orbridge {

/// Text that must not be seen. It prints as `<secret>`; reveal() marks each place that uses it.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}

    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }
    friend bool operator==(const Secret&, const Secret&) = default;

private:
    std::string value_;
};

inline std::ostream& operator<<(std::ostream& out, const Secret& secret) {
    return out << (secret.empty() ? "<none>" : "<secret>");
}

}  // namespace orbridge
