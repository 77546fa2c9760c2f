#pragma once

#include <string>
#include <vector>

#include "bridge/adapt/use.h"
#include "bridge/core/http.h"

namespace orbridge::http_tasks {

/// What a request is written with besides its adapter.
struct Writing {
    const Adapter& adapter;
    std::string base_url;  ///< the target's; empty: the adapter's
    TimePoint now{};       ///< for signatures
    milliseconds connect_timeout{5'000};
    milliseconds timeout{10'000};
    std::size_t answer_bytes_max = 1 << 20;
};

/// Of those that stand for a step the one that is meant. Nothing: none of their `when` holds.
const ExchangeSpec* choose(const std::vector<ExchangeSpec>& either, const Scope& scope);

/// Invalid: a value does not fit where it stands. What of the request is secret besides the credentials is added to
/// the mask.
Result<HttpRequest> write_request(const ExchangeSpec& spec, const Writing& writing, const Scope& scope, Mask& mask);

/// What an answer means.
struct Reading {
    AnswerClass is = AnswerClass::Rejected;
    std::string message;  ///< for people; may hold secrets: mask it
    std::string data{};   ///< JSON of a success; empty: none
};
/// The other side's own words are masked before they are cut, since half a secret is one as well.
Reading read_answer(const ExchangeSpec& spec, const HttpResponse& response, Scope& scope, const Mask& mask);

}  // namespace orbridge::http_tasks
