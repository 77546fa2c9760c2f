#include "bridge/deliver/rated_transport.h"

#include <utility>

namespace orbridge {

std::optional<TimePoint> RatedTransport::admit(const HttpRequest& request) {
    const auto gate = gate_of_(request);
    if (!gate) return std::nullopt;
    if (auto again = gate->try_enter()) return again;
    admitted_.with([&](auto& admitted) { ++admitted[gate]; });
    return std::nullopt;
}

bool RatedTransport::take_admission(const std::shared_ptr<RequestGate>& gate) {
    return admitted_.with([&](auto& admitted) {
        const auto found = admitted.find(gate);
        if (found == admitted.end()) return false;
        if (--found->second == 0) admitted.erase(found);
        return true;
    });
}

void RatedTransport::send(HttpRequest request, Done done) {
    const auto gate = gate_of_(request);
    if (!gate) return inner_.send(std::move(request), std::move(done));
    if (!take_admission(gate)) {
        if (const auto again = gate->try_enter()) {
            TransportFailure failure;
            failure.reached = TransportFailure::Reached::NothingSent;
            failure.reason = "the rate of a source with the same credentials is used up until " + to_iso8601(*again);
            return done({std::move(failure), {}});
        }
    }
    inner_.send(std::move(request), [gate, done = std::move(done)](Finished finished) {
        gate->leave();
        done(std::move(finished));
    });
}

}  // namespace orbridge
