#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace orbridge {

/// What went wrong, said as what the caller can do about it. The message is for people and never
/// holds a secret.
struct Error {
    enum class Kind {
        Invalid,       ///< the input is wrong: repeating it changes nothing
        Unauthorized,  ///< credentials are missing, wrong or insufficient
        NotFound,      ///< there is no such thing
        Conflict,      ///< somebody else got there first, or the state has moved on
        Unavailable,   ///< cannot be done now: try again later
        Internal,      ///< a defect of ours
    };
    Kind kind = Kind::Internal;
    std::string message;
};

/// A value or an Error, with the names of std::expected (which GCC 12 has in C++23 mode only).
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const { return content_.index() == 0; }
    explicit operator bool() const { return has_value(); }

    T& value() & { return checked(); }
    const T& value() const& { return const_cast<Result*>(this)->checked(); }
    T&& value() && { return std::move(checked()); }
    T& operator*() & { return checked(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(checked()); }
    T* operator->() { return &checked(); }
    const T* operator->() const { return &value(); }

    const Error& error() const {
        assert(!has_value());
        return std::get<1>(content_);
    }

private:
    T& checked() {
        assert(has_value());
        return std::get<0>(content_);
    }
    std::variant<T, Error> content_;
};

struct Ok {};
using Status = Result<Ok>;

/// Visits a variant with one lambda per case.
template <class... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace orbridge
