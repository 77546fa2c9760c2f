#pragma once

#include <functional>
#include <map>
#include <memory>

#include "bridge/core/guarded.h"
#include "bridge/deliver/transport.h"
#include "bridge/record/request_gate.h"

namespace orbridge {

/// Keeps to rates that others keep to as well: what shows a server the same credentials as a source with a `rate` goes
/// through that source's gate. All else goes straight on. Whoever does not ask admit() first is told that it failed
/// before anything was sent, if it is not the time. What it is given must outlive it.
class RatedTransport final : public Transport {
public:
    using GateOf = std::function<std::shared_ptr<RequestGate>(const HttpRequest&)>;

    /// `gate_of`: nothing if no rate is to be kept. Called from any thread.
    RatedTransport(Transport& inner, GateOf gate_of) : inner_(inner), gate_of_(std::move(gate_of)) {}

    std::optional<TimePoint> admit(const HttpRequest& request) override;
    void send(HttpRequest request, Done done) override;
    void poll(milliseconds wait_max) override { inner_.poll(wait_max); }
    void wake() override { inner_.wake(); }
    void stop() override { inner_.stop(); }

private:
    bool take_admission(const std::shared_ptr<RequestGate>& gate);

    Transport& inner_;
    GateOf gate_of_;
    Guarded<std::map<std::shared_ptr<RequestGate>, int>> admitted_;  ///< and not sent yet
};

}  // namespace orbridge
